"""Phrases of danger: administrators add their own and switch ours off; moderators read them."""

import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from moderation import vocabulary
from moderation.screening import CrisisKind, Level, phrasebook, screen
from moderation.screening.patterns import BadPattern
from moderation.screening.phrasebook import Changes, Phrase
from tests.support import make
from tests.support.scenes import API, sql
from tests.web.support import form, text_of

PHRASES = f"{API}/moderation/phrases"
LOCAL = {"kind": "suicide", "level": "acute", "text": "Off to the (?:chain|Clifton) bridge", "note": "What we say."}
CRY = "I'm off to the Clifton bridge, then."


@pytest.fixture(autouse=True)
def _known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process asks once a second what changed: here it asks each time."""
    monkeypatch.setattr(vocabulary, "FRESH_SECONDS", 0.0)


async def help_for(services: Services, words: str) -> list[tuple[str, str | None]]:
    async with services.transactions(clock.now()).begin() as work:
        return [(danger.kind, danger.level) for danger in await work.gate.find_dangers([words])]


async def test_an_added_phrase_is_found_until_it_is_switched_off(app: FastAPI, services: Services) -> None:
    await make.board(services)
    thread = await make.thread(services, (await make.member(services, "heron")).handle, "new-here")
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "wren") as wren,
    ):
        assert await help_for(services, CRY) == []
        added = await joan.post(PHRASES, json=LOCAL)
        assert (added.status_code, added.json()["text"]) == (201, "off to the (?:chain|clifton) bridge")
        assert (await joan.post(PHRASES, json=LOCAL)).json() == added.json()
        posted = await wren.post(f"{API}/threads/{thread}/posts", json={"body_markdown": CRY})
        assert (posted.json()["help"]["kind"], posted.json()["help"]["level"]) == ("suicide", "acute")
        [finding] = await sql(services, "SELECT recogniser, level, version FROM finding")
        assert (finding.recogniser, finding.level) == ("suicide", "acute")
        assert finding.version.startswith(f"{phrasebook.english().version}+")
        long = "A quiet evening with the cat. " * 100  # read in the process beside this one
        assert await help_for(services, f"{long}{CRY}") == [("suicide", "acute")]

        switch = f"{PHRASES}/{added.json()['id']}/off"
        for _ in range(2):
            assert (await joan.put(switch)).json()["is_off"] is True
        assert await help_for(services, CRY) == []
        assert (await joan.delete(switch)).json()["is_off"] is False
        assert await help_for(services, CRY) == [("suicide", "acute")]
        listed = (await suzie.get(f"{PHRASES}?kind=suicide")).json()["items"]
        assert [(item["is_ours"], item["is_off"]) for item in listed[:2]] == [(False, False), (True, False)]
        log = (await joan.get(f"{API}/moderation/log?subject_kind=phrase&subject_id={added.json()['id']}")).json()[
            "items"
        ]
        assert [entry["act"] for entry in log] == ["phrase.on", "phrase.off", "phrase.added"]
        for refused in (await suzie.post(PHRASES, json=LOCAL), await suzie.put(switch), await suzie.delete(switch)):
            assert (refused.status_code, refused.json()["code"]) == (403, "not_an_administrator")
        assert (await wren.get(PHRASES)).json()["code"] == "not_a_moderator"


async def test_ours_are_switched_off_and_never_changed(app: FastAPI, services: Services) -> None:
    said = "Such dark thoughts again."
    ours = next(phrase for phrase in phrasebook.english().phrases if phrase.text.startswith("(?:dark|darkest"))
    assert await help_for(services, said) == [("suicide", "worry")]
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        assert (await joan.put(f"{PHRASES}/{ours.id}/off")).json()["is_ours"] is True
        assert await help_for(services, said) == []
        again = await joan.post(PHRASES, json={**ours._asdict(), "note": "It is back."})
        assert (again.json()["is_ours"], again.json()["is_off"]) == (True, False)
        gone = await joan.put(f"{PHRASES}/01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d/off")
        assert (gone.status_code, gone.json()["code"]) == (404, "phrase_not_found")


@pytest.mark.parametrize(
    "phrase",
    [
        "(a+)+b",
        "so sad *",
        "x{2,}",
        "(",
        "a|",
        "{2}",
        "{nobody} dies",
        "[a-z]{1,30}",
        ".",
        "(?=a)b",
        "(?:a{0,999}){0,999}",
    ],
)
def test_a_phrase_that_cannot_be_used_is_refused_with_a_reason(phrase: str) -> None:
    with pytest.raises(BadPattern, match=r"^[A-Z].*\.$"):
        phrasebook.alone(Phrase(CrisisKind.SUICIDE, Level.ACUTE, phrasebook.as_read(phrase)))


async def test_what_cannot_be_sought_or_is_found_everywhere_is_refused(app: FastAPI, services: Services) -> None:
    await make.board(services)
    heron = (await make.member(services, "heron")).handle
    thread = await make.thread(services, heron, "new-here")
    for number in range(99):
        await make.post(services, heron, thread, f"The contact centre was cold, visit {number}.")
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        wide = LOCAL | {"text": "the contact centre"}
        trial = (await joan.post(f"{PHRASES}/trial", json=wide)).json()
        assert (trial["tried"], len(trial["posts"]), trial["is_too_wide"]) == (100, 99, True)
        tried = await form(joan, await joan.get("/moderation/phrases"), "/moderation/phrases/trial", **wide)
        assert "That is too often to call people." in text_of(tried.text)
        codes = {
            (await joan.post(PHRASES, json=LOCAL | wanted)).json().get("code")
            for wanted in ({"text": "the contact centre"}, {"text": "so (sad"}, {"text": "a+"})
        }
        assert codes == {"phrase_too_wide", "phrase_unusable"}
        assert (await joan.post(PHRASES, json=wide | {"level": "worry"})).status_code == 201
    assert (await sql(services, "SELECT count(*) AS n FROM crisis_phrase"))[0].n == 1


def test_phrases_are_read_as_texts_are() -> None:
    assert phrasebook.as_read("I don’t wanna self-harm {2}[don't]") == "i do not want to self harm {2}[don't]"
    odd = Phrase(CrisisKind.DANGER, Level.WORRY, "gone to samarra")
    broken = Phrase(CrisisKind.DANGER, Level.WORRY, "{a_slot_of_yesterday} gone")
    changes = Changes((odd, broken))
    assert [one.recogniser for one in screen("He has gone to Samarra", "GB", changes)] == ["danger"]
    assert [one.recogniser for one in screen("I want to die", "GB", changes)] == ["suicide"]


async def test_an_administrator_tries_and_adds_a_phrase_on_the_page(app: FastAPI, services: Services) -> None:
    await make.board(services)
    heron = (await make.member(services, "heron")).handle
    await make.post(services, heron, await make.thread(services, heron, "new-here"), CRY)
    path = "/moderation/phrases"
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        page = await joan.get(path)
        tried = await form(joan, page, f"{path}/trial", **LOCAL)
        assert "1 of the newest 2 posts" in text_of(tried.text)
        assert (await form(joan, page, path, **(LOCAL | {"text": "so (sad"}))).status_code == 422
        assert (await form(joan, page, path, **LOCAL)).status_code == 303
        shown = await joan.get(path)
        assert (await form(joan, shown, f"{path}/off")).status_code == 303
        read = await suzie.get(path)
        assert "switched off" in text_of(read.text)
        assert f'action="{path}' not in read.text


async def test_a_change_that_was_begun_first_and_made_second_counts(app: FastAPI, services: Services) -> None:
    later = "UPDATE crisis_phrase SET changed_at = now() + interval '1 minute' RETURNING 1"
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        assert (await joan.post(PHRASES, json=LOCAL | {"text": "gone to the weir"})).status_code == 201
        await sql(services, later)
        await help_for(services, CRY)  # what is there is known
        assert (await joan.post(PHRASES, json=LOCAL)).status_code == 201
        assert await help_for(services, CRY) == [("suicide", "acute")]
