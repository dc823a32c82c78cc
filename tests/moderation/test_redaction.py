"""Redaction: which characters go, what stands in their place, and who can still read them."""

from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from forum.content import markup
from forum.content.posts.lengths import BODY_MAX
from forum.content.words import Span
from forum.core import side_process
from forum.core.errors import Invalid
from forum.http.services import Services
from forum.members.tables import Role
from moderation import redaction
from moderation.redaction import MaskedText, Removal
from tests.support import make, scenes

MARK = "[removed: rule 10]"
TOAD = "a lying toad"


@pytest.mark.parametrize(
    ("rules", "marker"),
    [
        ((10,), "[removed: rule 10]"),
        ((10, 3), "[removed: rules 3 and 10]"),
        ((3, 1, 10, 3), "[removed: rules 1, 3 and 10]"),
        ((), "[removed]"),
    ],
)
def test_the_marker_names_the_rules(rules: tuple[int, ...], marker: str) -> None:
    assert redaction.marker(rules) == marker


@pytest.mark.parametrize(
    ("text", "spans", "left"),
    [
        ("a liar she is", [(2, 6)], f"a {MARK} she is"),
        ("liar", [(0, 4)], MARK),
        ("one two three", [(8, 13), (0, 3)], f"{MARK} two {MARK}"),
        ("onetwo", [(0, 3), (3, 6)], MARK + MARK),
        ("😟😟 toad", [(3, 7)], f"😟😟 {MARK}"),
        ("👨‍👩‍👧 toad", [(6, 10)], f"👨‍👩‍👧 {MARK}"),
        ("e\u0301 toad", [(3, 7)], f"e\u0301 {MARK}"),
        ("שלום toad", [(5, 9)], f"שלום {MARK}"),
    ],
)
def test_spans_count_code_points(text: str, spans: list[Span], left: str) -> None:
    assert redaction.redacted(text, spans, MARK) == left


@pytest.mark.parametrize("spans", [[(0, 0)], [(3, 2)], [(0, 5)], [(4, 5)], [(0, 2), (1, 3)], [(1, 2), (1, 2)]])
def test_a_span_that_is_empty_outside_or_overlaps_is_refused(spans: list[Span]) -> None:
    with pytest.raises(Invalid):
        redaction.redacted("toad", spans, MARK)


@pytest.mark.parametrize(
    ("text", "phrases", "left"),
    [
        ("She is a lying toad.", ["a lying toad"], f"She is {MARK}."),
        ("She is a **lying**\n> _toad_.", ["a lying toad"], f"She is {MARK}_."),
        ("She is a ly\u200bing toad.", ["A LYING TOAD"], f"She is {MARK}."),
        ("A toad, a toad.", ["a toad"], f"A toad, {MARK}."),  # as it was copied: the other begins a sentence
        ("one two three", ["one two", "two three", ""], MARK),
        ("nothing", ["", "  "], "nothing"),
    ],
)
def test_words_are_found_as_somebody_copied_them(text: str, phrases: list[str], left: str) -> None:
    assert redaction.redacted(text, redaction.spans_of_words(text, phrases), MARK) == left


def test_words_that_stand_in_several_places_go_only_when_all_shall() -> None:
    with pytest.raises(Invalid, match="2 times"):
        redaction.spans_of_words("toad toad", ["toad"])
    assert redaction.spans_of_words("toad toad", ["toad"], everywhere=True) == [(0, 4), (5, 9)]
    with pytest.raises(Invalid, match="do not stand"):
        redaction.spans_of_words("toad", ["frog"])
    with pytest.raises(Invalid, match="At most 100"):
        redaction.spans_of_words("toad", ["toad"] * 101)


@given(text=st.text(min_size=1, max_size=60), data=st.data())
def test_what_is_not_redacted_stays_as_it_was(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    assert redaction.redacted(text, [(start, end)], MARK) == text[:start] + MARK + text[end:]
    assert redaction.excerpts(text, [(start, end)]) == [text[start:end]]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("> she is a lying toad\n\nNo.", f"> she is {MARK}\n\nNo."),
        ("> she is a lying\n> toad\n\nNo.", f"> she is {MARK}\n\nNo."),
        ("A LYING  TOAD?", f"{MARK}?"),
        ("a lying frog", "a lying frog"),
    ],
)
def test_a_quote_of_the_words_is_marked_too(text: str, left: str) -> None:
    assert redaction.without_repeats(MaskedText.unmasked(text), ["a lying toad"], MARK).text == left


def test_what_was_taken_is_looked_for_in_the_whole_whatever_others_took_of_it() -> None:
    said = "One amber two birch three cedar four."
    quote = MaskedText.unmasked(f"> {said}\n\nNo.")
    marked = quote.without([(6, 11)], "[removed: rule 3]")
    removal = Removal([(said, [(0, len(said))])], MARK, [said])
    assert removal.apply(marked).text == f"> {MARK}\n\nNo."
    assert removal.apply(removal.apply(quote)) == removal.apply(quote)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{TOAD} and {TOAD}" + "x" * 19_950, f"{MARK} and {MARK}" + "x" * 19_950),
        (f"{TOAD} and {TOAD}" + " x" * 9_980, f"{MARK}" + " x" * 9_980),
        (f"{TOAD}" + " x" * 9_994, MARK),
    ],
    ids=["it fits", "what is between goes too", "all of it goes"],
)
def test_no_copy_is_too_long_for_the_marks(text: str, left: str) -> None:
    assert len(text) <= BODY_MAX
    assert Removal([(TOAD, [(0, len(TOAD))])], MARK, [TOAD]).apply_to_text(text) == left


def test_a_mark_is_nobodys_words() -> None:
    said = f"One {MARK} two three"
    removal = Removal([(said, [(0, len(said))])], MARK, [])
    assert removal.apply_to_text(f"> {MARK}\n> one two three") == f"> {MARK}\n> {MARK}"


@pytest.mark.parametrize(
    "around",
    [
        "{}(http://evil.example)",
        "{}[1]\n\n[1]: http://evil.example",
        "{}: http://evil.example\n\nand {}",
        "![x]{}(http://evil.example)",
        "{}{{http://evil.example}}",
    ],
)
def test_the_marker_is_never_read_as_a_link(around: str) -> None:
    html = markup.parse(around.format(MARK, MARK)).html()
    assert MARK in html
    assert f"{MARK}</a>" not in html


@pytest.mark.parametrize(
    "around",
    [
        "[{}](http://x.example)",
        "[{}](<http://x.example> 'title')",
        "[see {} here](http://x.example)",
        "[[{}]](http://x.example)",
        "[**{}**](http://x.example)",
        "[`{}`](http://x.example)",
        "![{}](http://x.example)",
        "[![{}](http://y.example)](http://x.example)",
        "[{}][1]\n\n[1]: http://x.example",
        "[{}]: http://x.example",
        "[{}] (http://x.example)",
        "[{}](javascript:alert)",
        "\\[{}](http://x.example)",
        "[one](http://x.example) {} [two](http://y.example)",
    ],
)
def test_a_marker_inside_a_links_text_is_literal_and_makes_nothing_clickable(around: str) -> None:
    said = around.format("toad")
    start = said.index("toad")
    html = markup.parse(redaction.redacted(said, [(start, start + 4)], MARK)).html()
    # The author's own link stays, with the marker in its words: nothing else is a link, or is missing.
    plain = html.replace('<span class="removed">', "").replace("</span>", "")
    assert plain == markup.parse(said).html().replace("toad", MARK)


async def test_the_sealed_original_is_for_moderators_of_that_board_and_each_reading_is_recorded(
    app: FastAPI, services: Services
) -> None:
    await make.board(services, "court")
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decided(app, suzie, post.id, scenes.REDACT)
        listed = (await suzie.get(f"{scenes.API}/posts/{post.id}/revisions")).json()["items"]
        assert (listed[0]["number"], listed[0]["sealed"], listed[0]["body_markdown"]) == (1, True, None)
        for reading in (1, 2):
            opened = await suzie.get(f"{scenes.API}/posts/{post.id}/revisions/1")
            assert opened.json()["body_markdown"] == scenes.RUDE
            log = (await suzie.get(f"{scenes.API}/moderation/log?act=revision.read")).json()["items"]
            assert [entry["by"]["handle"] for entry in log] == ["suzie"] * reading
            assert log[0]["subject_id"] == str(post.id)
    refused = {"stepdad": 403, "heron": 403}
    for handle, status in refused.items():
        async with make.signed_in(app, handle) as member:
            assert (await member.get(f"{scenes.API}/posts/{post.id}/revisions/1")).status_code == status
    async with make.signed_in(app, "other", boards=("court",)) as other:
        assert (await other.get(f"{scenes.API}/posts/{post.id}/revisions/1")).status_code == 403


async def test_the_author_reads_in_no_revision_what_was_redacted(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        edit = {"revision": 1, "body_markdown": scenes.RUDE + " So."}
        assert (await stepdad.patch(f"{scenes.API}/posts/{post.id}", json=edit)).status_code == 200
        made = await scenes.decided(app, suzie, post.id, scenes.REDACT)
        revisions = (await stepdad.get(f"{scenes.API}/posts/{post.id}/revisions")).json()["items"]
        assert [one["sealed"] for one in revisions] == [True, True, False]
        assert "toad" not in str(revisions)

        await scenes.appeal(stepdad, made["statement_id"])
        async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
            case = await scenes.a_case(orla, post.id, "appeal")
            assert (await scenes.hear(orla, case["id"], "overturn")).status_code == 201
        revisions = (await stepdad.get(f"{scenes.API}/posts/{post.id}/revisions")).json()["items"]
        assert [one["sealed"] for one in revisions] == [False] * 4
        assert revisions[-1]["body_markdown"] == edit["body_markdown"]


async def test_what_the_author_wrote_since_is_kept_when_a_redaction_is_overturned(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        made = await scenes.decided(app, suzie, post.id, scenes.REDACT)
        newer = {"revision": 2, "body_markdown": "She did not listen."}
        assert (await stepdad.patch(f"{scenes.API}/posts/{post.id}", json=newer)).status_code == 200
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post.id), scenes.PUBLISH)).status_code == 201
        await scenes.appeal(stepdad, made["statement_id"])
        async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
            case = await scenes.a_case(orla, post.id, "appeal")
            assert (await scenes.hear(orla, case["id"], "overturn")).status_code == 201
        now = (await stepdad.get(f"{scenes.API}/posts/{post.id}")).json()
        assert (now["body_markdown"], now["notice"]) == ("She did not listen.", None)
        revisions = (await stepdad.get(f"{scenes.API}/posts/{post.id}/revisions")).json()["items"]
        assert revisions[0]["body_markdown"] == scenes.RUDE


async def test_our_mark_stays_through_the_authors_edit_and_a_typed_one_is_text(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    ours, typed = f'<span class="removed">{MARK}</span>', f"\\{MARK}"
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        await scenes.decided(app, suzie, post.id, scenes.REDACT)
        redacted = (await stepdad.get(f"{scenes.API}/posts/{post.id}")).json()
        assert redacted["body_html"].count(ours) == 1
        body = f"{redacted['body_markdown']} {MARK} And she {MARK}."
        edit = {"revision": redacted["revision"], "body_markdown": body}
        # So soon after a moderator changed it, the edit waits.
        edited = (await stepdad.patch(f"{scenes.API}/posts/{post.id}", json=edit)).json()["waiting"]
        assert edited["body_html"].count(ours) == 1
        assert edited["body_html"].count(MARK) == 3
        assert edited["body_markdown"] == f"{redacted['body_markdown']} {typed} And she {typed}."
        again = edit | {"body_markdown": edited["body_markdown"]}
        same = (await stepdad.patch(f"{scenes.API}/posts/{post.id}", json=again)).json()["waiting"]
        assert same["body_html"] == edited["body_html"]
        for path, sent in (
            (f"threads/{post.thread_id}/posts", {"body_markdown": MARK}),
            ("previews", {"body_markdown": MARK}),
        ):
            answer = await stepdad.post(f"{scenes.API}/{path}", json=sent)
            assert answer.json()["body_html"] == f'<p dir="auto">{MARK}</p>\n'
        longest = MARK + "x" * (20_000 - len(MARK))
        answer = await stepdad.post(f"{scenes.API}/threads/{post.thread_id}/posts", json={"body_markdown": longest})
        assert (answer.status_code, answer.json()["code"]) == (422, "too_long")


async def test_an_edit_by_a_moderator_leaves_something_that_can_be_seen(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        await scenes.report(magpie, post.id)
        case = await scenes.a_case(suzie, post.id)
        answer = await scenes.decide(suzie, case, {"kind": "edit", "body_markdown": "&#8203;"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/measures")


async def test_long_words_that_go_are_looked_for_in_other_posts_beside_the_event_loop(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, run = list[str](), side_process.run

    async def note(function: Any, *arguments: Any, **named: Any) -> Any:
        asked.append(function.__name__)
        return await run(function, *arguments, **named)

    monkeypatch.setattr(side_process, "run", note)
    lines = [f"On day {number} she was a lying toad again." for number in range(400)]
    post = await scenes.a_post(services, "\n".join(lines))
    quoted = "\n".join(f"> {line}" for line in lines[:300])
    repeat = await make.post(services, await scenes.known(services, "magpie"), post.thread_id, f"{quoted}\n\nNo.")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        made = await scenes.decided(app, suzie, post.id, scenes.REMOVE, reporter="heron")
        marked = (await suzie.get(f"{scenes.API}/posts/{repeat.id}")).json()["body_markdown"]
        assert set(marked.split("\n")) == {f"> {MARK}", "", "No."}
        await scenes.appeal(stepdad, made["statement_id"])
        async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
            case = await scenes.a_case(orla, post.id, "appeal")
            assert (await scenes.hear(orla, case["id"], "overturn")).status_code == 201
        again = (await suzie.get(f"{scenes.API}/posts/{repeat.id}")).json()["body_markdown"]
        assert again == f"{quoted}\n\nNo."
    assert {"digests_of_removal", "apply"} <= set(asked)


async def test_a_redaction_over_http_counts_code_points_behind_an_emoji(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services, "😟😟 what a toad 👨‍👩‍👧")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decided(app, suzie, post.id, {"kind": "redact", "spans": [[10, 14]]})
        assert (await suzie.get(f"{scenes.API}/posts/{post.id}")).json()[
            "body_markdown"
        ] == f"😟😟 what a {MARK} 👨‍👩‍👧"


def test_of_one_sentence_that_comes_again_and_again_all_is_replaced_rather_than_compared_for_seconds() -> None:
    before, after = "I am so tired of it. " * 900, "We are so tired of it. " * 900
    assert redaction.replaced(before, after) == [(0, len(before) - 2)]
    assert redaction.replaced("I am so tired of it.", "We are so tired of it.") == [(0, 4)]
