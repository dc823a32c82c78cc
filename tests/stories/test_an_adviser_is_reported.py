"""An adviser is reported and warned by an administrator, and never learns who reported; over HTTP only."""

from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API

REASON = "You told her what to sign. Say where she can ask instead."


async def test_an_adviser_is_warned_by_an_administrator_and_never_learns_who_reported(
    app: FastAPI, services: Services
) -> None:
    await make.member(services, "ada", Role.ADVISER, Role.MODERATOR)
    post = await scenes.a_post(services, "Just sign it, it makes no difference.", author="ada")
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "ada") as ada,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
    ):
        told = await scenes.report(magpie, post.id, note="She is in no position to say that.")
        assert (told.status_code, told.json()["deciders"]) == (201, "moderator")

        # The moderator may decide about the words; only an administrator, who sees the case too, about a colleague.
        case = await scenes.a_case(suzie, post.id)
        note = await suzie.post(f"{API}/moderation/cases/{case['id']}/notes", json={"text": "For you to decide."})
        assert note.status_code == 201
        refused = await scenes.decide(suzie, case, scenes.WARN)
        assert (refused.status_code, refused.json()["code"]) == (403, "author_is_staff")
        seen = await scenes.a_case(boss, post.id)
        assert [one["by"]["handle"] for one in seen["reported"]] == ["magpie"]
        assert [one["text"] for one in seen["notes"]] == ["For you to decide."]
        assert (await ada.get(f"{API}/moderation/cases")).json()["items"] == []
        assert (await ada.get(f"{API}/moderation/cases/{case['id']}")).status_code == 404

        assert (await scenes.decide(boss, seen, scenes.WARN, reason=REASON)).status_code == 201
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        assert (mine["outcome"], mine["deciders"]) == ("upheld", None)

        # Ada reads why, appeals, and reads what came of it; the rest is not hers.
        [statement] = (await ada.get(f"{API}/me/statements")).json()["items"]
        assert (statement["reason"], statement["initiative"]) == (REASON, "report")
        assert (await scenes.appeal(ada, statement["id"])).json()["hearers"] == "moderator"
        hearing = await scenes.a_case(suzie, post.id, "appeal")
        assert (await ada.get(f"{API}/moderation/cases/{hearing['id']}")).status_code == 404
        assert (await scenes.hear(suzie, hearing["id"], "uphold")).status_code == 201
        read = [
            (await ada.get(f"{API}{path}")).text
            for path in (
                "/me/statements",
                "/me/notifications",
                "/me/reports",
                "/moderation/cases",
                "/moderation/log?limit=100",
                "/moderation/members/ada",
                "/moderation/members/magpie",
                f"/posts/{post.id}",
                f"/threads/{post.thread_id}/posts",
            )
        ]
        assert "Magpie" not in str([text for text in read if '"handle":"magpie"' not in text or "reports" not in text])
        for words in ("no position", "For you to decide", case["id"], hearing["id"], "case.decided", "appeal.heard"):
            assert words not in str(read), words
        assert (await ada.get(f"{API}/moderation/members/magpie")).json()["reports"] == {
            "upheld": 0,
            "dismissed": 0,
            "waiting": 0,
        }
