"""What stands on a page only now and then: the states that people seldom come to, with the words for each."""

from datetime import timedelta
from json import dumps
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from forum.content.search.spelling import collect_words
from forum.core import clock
from forum.core.settings import Settings
from forum.core.weekly_hours import WEEK
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.web.support import form, says

API = "/api/v1"


async def test_an_account_says_all_that_is_open_about_it(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    async with make.signed_in(app, "heron", verified=False) as heron:
        await says(heron, "/me", "You have not said yet that you keep to the house rules", "not confirmed your e-mail")
        await says(heron, "/me/mails", "You can get mails once you have.")
        await says(heron, "/me/email", "You have not confirmed it yet.")
        await says(heron, "/boards/new-here/new", "Have the mail sent again")
    await make.member(services, "nell")
    await make.sanction(services, "nell", Standing.SILENCED)
    async with make.signed_in(app, "nell") as nell:
        await says(nell, "/me", "You cannot write at the moment. You can go on reading.")
        await says(nell, "/boards/new-here", "You cannot write at the moment")
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await says(wren, "/me/rules", "The house rules say how we treat each other here.")
        assert (await wren.put(f"{API}/me/rules-acceptance", json={"edition": 1})).is_success
        await says(wren, "/me/rules", "You have read the present rules")
        await scenes.sql(services, "INSERT INTO rules_edition (version, since) VALUES (2, now())")
        await says(wren, "/me/rules", "The rules have changed since you accepted them.")
        await says(wren, "/me", "The house rules have changed.")
        await scenes.sql(
            services,
            "INSERT INTO letter_choice (member_id, mode, at, zone, refusals, stopped_at) "
            "SELECT id, 'daily', '10:00', 'Europe/London', 3, now() FROM member WHERE handle = 'wren'",
        )
        await says(wren, "/me/mails", "We have sent no mails since", "Your mail server refused three of them.")
        thread = await make.thread(services, "wren")
        for mode, words in (
            ("digest", "Of our mails, only the one once a day counts them."),
            ("off", "You are told of nothing"),
        ):
            assert (await wren.put(f"{API}/threads/{thread}/subscription", json={"mode": mode})).is_success
            await says(wren, "/me/subscriptions", words)
        await scenes.sql(services, "UPDATE board SET archived_at = now()")
        assert "Ask something new" not in (await wren.get("/boards/new-here")).text
        await scenes.sql(services, "UPDATE thread SET visibility = 'removed'")
        await says(orla, "/boards/new-here", "Removed")


async def test_a_statement_says_until_when_by_which_law_and_that_it_is_too_late(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    until = (clock.now() + timedelta(days=7)).isoformat()
    silence = {"kind": "silence", "until": until}
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "stepdad") as author:
        async with make.signed_in(app, "magpie") as magpie:
            assert (await scenes.report(magpie, post.id)).status_code == 201
        case = await scenes.a_case(orla, post.id)
        decided = await scenes.decide(
            orla, case, scenes.REDACT, silence, law="Malicious Communications Act 1988", note="As in May."
        )
        assert decided.status_code == 201, decided.text
        own = f"/me/statements/{decided.json()['statement_id']}"
        await says(author, f"/posts/{post.id}/versions", "It is locked away.")
        await says(author, own, "Until ", "The law: Malicious Communications Act 1988")
        await says(orla, f"/moderation/cases/{case['id']}", "For moderators: As in May.", "until ")
        await says(orla, "/moderation/members/stepdad", "until ", "since ")
        lodged = await scenes.appeal(author, decided.json()["statement_id"])
        assert lodged.status_code == 201, lodged.text
        async with make.signed_in(app, "femi", Role.MODERATOR) as femi:
            [waiting] = (await femi.get(f"{API}/moderation/cases")).json()["items"]
            await says(
                femi,
                f"/moderation/cases/{waiting['id']}",
                "The author does not agree with what was decided:",
                "Orla had decided",
            )
            answer = await scenes.hear(femi, waiting["id"], "uphold", version=waiting["version"], rules=[10])
            assert answer.status_code == 201, answer.text
        await says(author, own, "The decision stays.")
        await says(author, "/me/statements", "somebody else looked at it again")


@pytest.mark.parametrize("publication", ["hold_all", "hold_newcomers"])
async def test_a_board_says_that_a_moderator_reads_first(app: FastAPI, services: Services, publication: str) -> None:
    await make.board(services, publication=publication)
    async with make.signed_in(app, "heron", joined=make.NEWCOMER) as heron:
        await says(heron, "/boards/new-here/new", "before others see")


async def test_the_last_moderator_hears_that_nobody_can_decide(app: FastAPI, services: Services) -> None:
    """The only one who could decide is the one whom it is about."""
    await scenes.house_rules(services)
    await make.board(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        post = await make.post(services, "orla", thread, scenes.RUDE)
        assert (await scenes.report(heron, post.id)).status_code == 201
        assert (await orla.get("/moderation")).status_code == 200
        await says(heron, "/me/reports", "report")
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        await make.member(services, "femi", boards=("new-here",))
        await says(joan, "/admin/people/femi", "Moderator of these boards: New-Here")
        await scenes.sql(services, "UPDATE member SET email_verified_at = NULL WHERE handle = 'heron'")
        await says(joan, "/admin/people", "Address not confirmed")
        await says(joan, "/admin/people/heron", "Not confirmed")
        assert "They lost their mailbox" not in (await joan.get("/admin/people/joan")).text


async def test_what_was_undone_and_what_is_over_says_so(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
        make.signed_in(app, "stepdad") as author,
    ):
        decided = await scenes.decided(app, orla, post.id, scenes.REDACT, scenes.WARN)
        assert (await scenes.appeal(author, decided["statement_id"])).status_code == 201
        [waiting] = (await femi.get(f"{API}/moderation/cases")).json()["items"]
        assert (await scenes.hear(femi, waiting["id"], "overturn", version=waiting["version"])).status_code == 201
        await says(author, f"/me/statements/{decided['statement_id']}", "The decision was undone.")
        await says(orla, "/moderation/members/stepdad", "(undone ")
        talks = f"{API}/moderation/cases/{decided['case_id']}/talks"
        begun = await orla.post(talks, json={"text": "Are you well?", "signed": True})
        assert begun.status_code == 201, begun.text
        talk = begun.json()["talk_id"]
        assert (await orla.put(f"{API}/moderation/talks/{talk}/closure")).is_success
        await says(author, "/me/talks", "closed")
        await says(author, f"/me/talks/{talk}", "Orla", "Are you well?")
        await says(orla, f"/moderation/cases/{decided['case_id']}", "closed")


# What only SQL can bring about in a test: time that went by, an old board, a mailbox that was lost.
LOST = (
    "INSERT INTO lost_mailbox (member_id, email, proposed_at, agreed_at, due_at) "
    "SELECT id, 'new@example.org', now(), now(), now() + interval '7 days' FROM member WHERE handle = 'wren'"
)
LEAVES = (
    "INSERT INTO departure (member_id, kind, asked_at, due_at) "
    "SELECT id, 'leave', now(), now() + interval '1 day' FROM member WHERE handle = 'heron'"
)
OLD = "INSERT INTO old_login (member_id, may_reset_by_mail) SELECT id, false FROM member WHERE handle = 'heron'"
ALWAYS = [
    {"weekdays": list(WEEK), "opens": "00:00", "closes": "12:00"},
    {"weekdays": list(WEEK), "opens": "12:00", "closes": "00:00"},
]
PASSKEY = (
    "INSERT INTO passkey (id, member_id, user_handle, credential_id, public_key, sign_count, backed_up, name, "
    "created_at, used_at) SELECT gen_random_uuid(), id, 'h', 'c', 'k', 0, false, 'My phone', now(), now() "
    "FROM member WHERE handle = 'wren'"
)


async def test_an_account_says_what_is_on_its_way_and_what_was_used(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron", verified=False) as heron, make.signed_in(app, "wren") as wren:
        await says(heron, "/me/rules", "There are no rules yet.")
        await says(heron, "/", "Boards")
        await scenes.sql(services, OLD)
        await says(heron, "/me", "the one that you had on your old board")
        await says(heron, "/me/email", "You had not been on your old board for two years")
        await scenes.sql(services, LOST)
        await says(wren, "/me", "Another e-mail address is to take the place of yours.")
        await says(wren, "/me/email", "the address new@example.org takes its place")
        await scenes.sql(services, PASSKEY)
        await says(wren, "/me/passkeys", "My phone", "last used")
        [(passkey,)] = await scenes.sql(services, "SELECT id FROM passkey")
        wrong = await form(wren, await wren.get(f"/me/passkeys/{passkey}"), f"/me/passkeys/{passkey}", name="")
        assert (wrong.status_code, "Look again: " in wrong.text) == (422, True)
        assert (await wren.put(f"{API}/me/departure", json={"kind": "leave"})).is_success
        await says(wren, "/me/departure", "Your posts will stay, as those of a former member.")
        await scenes.sql(services, "UPDATE departure SET waits_since = now()")
        await says(wren, "/me/departure", "Your account cannot be closed yet")
        thread = await make.thread(services, "heron")
        draft = {"body_markdown": "On this phone", "version": 0}
        assert (await wren.put(f"{API}/me/drafts/threads/{thread}", json=draft)).is_success
        await scenes.sql(services, "UPDATE draft SET other_words = 'On the other one'")
        await says(wren, "/me/drafts", "perhaps on another device", "On the other one")
        await scenes.sql(services, "UPDATE thread SET visibility = 'removed'")
        await says(wren, "/me/drafts", "Where you can no longer read")
        await make.sanction(services, "wren", Standing.REVIEWED)
        await says(wren, "/me", "a moderator reads it before it appears")
        await says(wren, "/boards/new-here/new", "a moderator reads what you write before others see it")


async def test_looking_after_a_forum_begins_with_empty_pages(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        await says(joan, "/moderation/rules", "There are no rules yet.")
        await says(joan, "/admin/boards", "There are no boards yet.")
        await says(joan, "/admin/advisers", "There is no adviser yet.")
        await says(joan, "/admin/refused-sign-ins", "No sign-in was refused.")
        for path in ("messages", "reports", "complaints"):
            assert (await joan.get(f"/moderation/{path}")).status_code == 200
        await make.board(services)
        await make.hours(services, "hold_newcomers")
        await says(joan, "/admin/boards/new-here/hours", "Hours that it has", "Have it always open")
        await make.hours(services, "hold_newcomers", in_days=0, week=ALWAYS)
        await says(joan, "/boards/new-here/new", "Somebody looks after this board now")
        await make.member(services, "heron")
        assert (await joan.put(f"{API}/members/heron/legal-hold", json={"reason": "police"})).is_success
        await scenes.sql(services, LEAVES)
        await says(joan, "/admin/people/heron", "They wanted to be gone on")
        await says(joan, "/admin/holds", "Heron", "wanted to be gone")


async def test_a_report_of_a_year_has_numbers_ranges_and_a_median(services: Services, guest: httpx.AsyncClient) -> None:
    year = clock.now().year - 1
    sections = [
        {"counted": "reports", "counts": [["rule", 5]], "least": 5, "most": 5},
        {"counted": "rules", "counts": [["10", None]], "least": 1, "most": 4},
        {"counted": "calls", "counts": [], "least": 0, "most": 0},
    ]
    kept = (
        "INSERT INTO transparency_year (year, sections, median_minutes, kept_at) VALUES (:year, :sections, 12, now())"
    )
    await scenes.sql(
        services, kept.replace(":sections", "CAST(:sections AS jsonb)"), year=year, sections=dumps(sections)
    )
    await says(guest, f"/transparency/{year}", "Rule 10", "fewer than 5", "1 to 4", "within 12 minutes", "None.")


async def test_advisers_of_two_organisations_see_whose_thread_it_is(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", body="What can I do?")
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie, make.signed_in(app, "dev", Role.ADVISER):
        of_dev = "(SELECT id FROM member WHERE handle = 'dev')"
        await scenes.sql(services, f"UPDATE adviser SET organisation = 'Kin Advice' WHERE member_id = {of_dev}")
        page = await suzie.get(f"/advising/threads/{thread}")
        left = await form(suzie, page, f"/advising/threads/{thread}/notes", text="Her hearing is on Monday.")
        assert left.status_code == 303
        claimed = await form(suzie, page, f"/advising/threads/{thread}/claim")
        assert claimed.status_code == 303
        await says(suzie, f"/advising/threads/{thread}", "You keep this thread until", "Her hearing is on Monday.")
        await says(suzie, "/advising?organisation=Kin%20Advice", "All organisations", "Show those of all boards")


async def test_pages_of_a_thread_say_what_became_of_its_words(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.board(services, "court")
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", title="A first conference", body="The social worker was late.")
    post = await make.post(services, "heron", thread, "The conference was hard", content_warning="about loss")
    await run_due_jobs(services, clock.now())
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        await says(heron, f"/posts/{post.id}/reactions", "Nobody at the moment.")
        await says(heron, f"/posts/{post.id}/versions", "Before you read: about loss")
        await says(orla, f"/threads/{thread}/care", "The new board", "Court")
        assert (await wren.put(f"{API}/posts/{post.id}/reactions/helpful")).is_success
        await says(wren, f"/threads/{thread}", "This helps you.")
        answering = await suzie.get(f"/posts/{post.id}/endorsement")
        assert (await form(suzie, answering, f"/posts/{post.id}/endorsement")).status_code == 303
        await says(suzie, f"/posts/{post.id}/endorsement", "Take it back")
        ignoring = await form(wren, await wren.get("/members/heron/ignore"), "/members/heron/ignore")
        assert ignoring.status_code == 303
        await says(wren, "/members/heron/ignore", "You ignore them")
        looking = await wren.get("/search")
        found = await form(wren, looking, "/searches", query="conference")
        await says(wren, found.headers["Location"], "A post by somebody whom you ignore", "about loss")
        nothing = await form(wren, looking, "/searches", query="zebra", author="heron")
        await says(wren, nothing.headers["Location"], "You look only in some places.")
        await says(wren, f"/posts/{post.id}/report", "Before you read: about loss")
        await scenes.sql(services, f"UPDATE post SET visibility = 'withdrawn' WHERE id = {post.id}")
        await says(wren, f"/threads/{thread}/reply?to=2", "Its words are not here any more.")
        await make.sanction(services, "wren", Standing.SILENCED)
        for page in (f"/threads/{thread}", f"/threads/{thread}/reply"):
            await says(wren, page, "You cannot write at the moment")


async def test_a_case_says_what_was_tried_and_taken_before(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    await make.board(services, "court")
    await make.member(services, "stepdad")
    thread = await make.thread(services, "stepdad", body=scenes.RUDE)
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
        make.signed_in(app, "stepdad") as author,
        make.signed_in(app, "magpie") as magpie,
    ):
        titles = f"{API}/threads/{thread}"
        named = {"version": (await author.get(titles)).json()["version"], "title": "A worker"}
        assert (await author.patch(titles, json=named)).status_code == 200
        [post] = await scenes.first_page(orla, thread)
        assert (await scenes.report(magpie, post["id"], title_revision=2)).status_code == 201
        case = await scenes.a_case(orla, post["id"])
        path = f"/moderation/cases/{case['id']}"
        await says(orla, path, "Title 1")
        wanted = {"measures": ["edit", "retitle", "move"], "reason": ""}
        wrong = await form(orla, await orla.get(path), f"{path}/preview", **wanted)
        assert (wrong.status_code, wrong.text.count('<details class="more-of" open>')) == (422, 3)
        assert (await scenes.decide(orla, case, scenes.DISMISS, title_revision=2)).status_code == 201
        [told] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        assert (await magpie.post(f"{API}/reports/{told['id']}/appeal", json={"text": "Read it again."})).is_success
        [again] = (await femi.get(f"{API}/moderation/cases")).json()["items"]
        await says(femi, f"/moderation/cases/{again['id']}", "does not agree that nothing was done")
        seen = {"version": again["version"], "revision": again["post_revision"], "title_revision": 2, "rules": [10]}
        heard = await scenes.hear(femi, again["id"], "change", scenes.REMOVE, **seen)
        assert heard.status_code == 201, heard.text
        await says(magpie, "/me/reports", "Something else was decided instead.")


async def test_a_name_that_was_taken_is_told_and_heard_again(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "wren") as wren,
    ):
        complaint = {"category": "personal_information", "note": "It is hers.", "rules": []}
        reported = await wren.post(f"{API}/members/magpie/reports", json=complaint)
        assert reported.status_code == 201, reported.text
        await says(wren, "/me/reports", "The name “Magpie”")
        [case] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        await says(orla, f"/moderation/cases/{case['id']}", "The name then: Magpie")
        await says(orla, f"/moderation/together?case={case['id']}", "About Magpie")
        rename = {"kind": "rename", "name": "A swift", "handle": "neutral"}
        decided = await scenes.decide(orla, case, rename)
        assert decided.status_code == 201, decided.text
        [own] = (await magpie.get(f"{API}/me/statements")).json()["items"]
        await says(magpie, f"/me/statements/{own['id']}", "You were “Magpie”.", "It is “member-")
        assert (await scenes.appeal(magpie, own["id"])).status_code == 201
        [again] = (await femi.get(f"{API}/moderation/cases")).json()["items"]
        await says(femi, f"/moderation/cases/{again['id']}", "Names that were taken: Magpie, magpie")


async def test_lists_of_moderators_say_what_is_late_and_what_is_left_to_others(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    about = {"post": "The one about the car", "capacity": "named", "text": "It is about me."}
    illegal = {**about, "category": "illegal", "illegal_kind": "harassment"}
    assert (await guest.post(f"{API}/reports", json=illegal)).is_success
    await run_due_jobs(services, clock.now())
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "ada", boards=("new-here",)) as ada,
    ):
        said = {"about": "duties", "text": "I cannot find your rules."}
        assert (await magpie.post(f"{API}/complaints", json=said)).is_success
        await scenes.sql(services, "UPDATE public_report SET filed_at = now() - interval '90 days', due_at = now()")
        await scenes.sql(services, "UPDATE service_complaint SET made_at = now() - interval '90 days', due_at = now()")
        await says(joan, "/moderation/reports", "Was due")
        await says(joan, "/moderation/complaints", "Was due", "Magpie")
        [(complaint,)] = await scenes.sql(services, "SELECT id FROM service_complaint")
        await says(joan, f"/moderation/complaints/{complaint}", "Magpie")
        await says(ada, "/moderation/templates", "A new template")
        page = await orla.get("/moderation/own-safety")
        kept = await form(orla, page, "/moderation/own-safety", left_out=["risk"])
        assert kept.status_code == 303, kept.text
        await says(orla, "/moderation/own-safety", "Read by")


async def test_an_invitation_says_which_role_it_is_to(app: FastAPI, services: Services) -> None:
    await make.board(services)
    speaks = "role = 'adviser', board_id = NULL, title = 'Online adviser', organisation = 'Kin Advice'"
    roles = {
        "role = 'moderator'": "The role: Moderator",
        "board_id = (SELECT id FROM board)": "The role: Moderator of the board “New-Here”",
        speaks: "The role: Adviser: Online adviser, Kin Advice",
        "role = 'trusted_flagger', title = NULL, organisation = NULL": "The role: Trusted flagger",
        "role = 'safeguarding_lead'": "The role: Safeguarding lead",
        "role = 'administrator'": "The role: Administrator",
    }
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan, make.signed_in(app, "heron") as heron:
        wish = {"email": "heron@example.org", "role": "moderator"}
        assert (await joan.post(f"{API}/invitations", json=wish)).status_code == 201
        for change, words in roles.items():
            await scenes.sql(services, f"UPDATE invitation SET {change}")
            await says(heron, "/invitations", words)


async def test_whoever_writes_reads_what_would_become_of_their_words(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie", title="What happens at a first conference?")
    await run_due_jobs(services, clock.now())
    reply, opening = f"/threads/{thread}/reply", "/boards/new-here/new"
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:

        async def look(path: str, *words: str, **typed: str) -> None:
            sent = await form(heron, await heron.get(path), path, do="look", **typed)
            await says(heron, sent.headers["Location"], *words)

        names = "My social worker Emma Smith never rings back."
        await look(reply, "You can leave them as they are.", body_markdown=names)
        waits = "As they are, they wait for a moderator before others see them."
        await look(reply, waits, body_markdown="He goes to Greenfield Primary School.")
        for said in ("My boy is 6 and he cries at every contact.", "We are in Bristol."):
            await make.post(services, "heron", thread, said)
        together = "It is put together from: an age, a town or a council"
        await look(reply, together, body_markdown="The social worker is Emma Smith, does anybody know her?")
        like_it = ("Threads that may help too", "What happens at a first conference?")
        await look(opening, *like_it, title="My first child protection conference", body_markdown="It is on Monday.")
        await make.sanction(services, "heron", Standing.SILENCED)
        await says(heron, reply, "You cannot write at the moment.", "What you wrote is kept.")
        await scenes.sql(services, "UPDATE thread SET visibility = 'held'")
        await says(orla, "/boards/new-here", "Waits for a moderator")


async def test_a_search_says_what_to_look_for_instead_and_goes_on(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", body="Hello")
    for number in range(24):
        handle = ("heron", "magpie", "wren", "ada")[number % 4]
        if 0 < number < 4:
            await make.member(services, handle)
        await make.post(services, handle, thread, f"Our assessment, part {number}")
    await run_due_jobs(services, clock.now())
    async with services.database.work() as session:
        await collect_words(session, {}, clock.now())

    async def look(query: str, *words: str, **more: str) -> None:
        sent = await form(guest, await guest.get("/search"), "/searches", query=query, **more)
        await says(guest, sent.headers["Location"], *words)

    await look("assessment", "Searched for: assessment", "Go on")
    await look("assesment", "We found no post", "Look for “assessment” instead", board="new-here")
    await look("the", "These words are in almost every post.")


async def test_who_has_a_role_a_key_or_a_new_address_reads_what_that_means(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "ada", Role.MODERATOR) as ada:
        await scenes.sql(services, PASSKEY)
        await scenes.sql(
            services, "INSERT INTO totp (member_id, since, secret, last_step) SELECT id, now(), 'A', 0 FROM member"
        )
        await says(wren, "/me/second-factor", "Move to another app or phone", "Remove the app")
        await scenes.sql(services, "UPDATE member_session SET second_factor = false")
        await says(ada, "/me", "You have a role here. It counts once you have signed in with a second step.")


async def test_whoever_was_reported_and_reported_hears_what_came_of_it(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    await make.board(services, "court")
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
    ):
        asked = await scenes.report(magpie, post.id)
        assert asked.status_code == 201
        case = await scenes.a_case(orla, post.id)
        for outcome, measure in ((scenes.WARN, "Something was done about it."), (scenes.DISMISS, "left it as it is.")):
            talk = f"{API}/moderation/cases/{case['id']}/talks"
            message = (await orla.post(talk, json={"text": "You again."})).json()
            wrong = {"message_id": message["id"], "text": "She laughs at me."}
            assert (await stepdad.post(f"{API}/talks/{message['talk_id']}/complaints", json=wrong)).status_code == 201
            [about] = (await joan.get(f"{API}/moderation/cases?kind=member")).json()["items"]
            await says(
                joan, f"/moderation/cases/{about['id']}", "About this message:", "You again.", "She laughs at me."
            )
            settled = await scenes.decide(joan, about | {"post_revision": None}, outcome)
            assert settled.status_code == 201, settled.text
            await says(stepdad, "/me/complaints", measure)


async def test_where_moderators_are_not_named_a_notice_names_none(settings: Settings, services: Services) -> None:
    quiet = settings.model_copy(update={"names_moderators": False})
    post = await scenes.a_post(services)
    gone = await make.post(services, "stepdad", post.thread_id, scenes.RUDE)
    back = await make.post(services, "stepdad", post.thread_id, "I should not have said that.")
    async with (
        make.application(quiet) as app,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
    ):
        for id, measure in ((post.id, scenes.REDACT), (gone.id, scenes.REMOVE)):
            decided = await scenes.decided(app, orla, id, measure)
        read = "Changed by a moderator. Read rule 10", "Removed by a moderator. Read rule 10"
        await says(magpie, f"/threads/{post.thread_id}", *read)
        assert (await stepdad.delete(f"{API}/posts/{back.id}")).is_success
        await says(magpie, f"/posts/{back.id}/report", "Its author took it back. Moderators can still read it.")
        own = f"/me/statements/{decided['statement_id']}"
        await scenes.sql(services, "ALTER TABLE statement DISABLE TRIGGER statement_keeps_rows")
        await scenes.sql(
            services, "UPDATE statement SET issued_at = issued_at - interval '1 year', appeal_until = now()"
        )
        await says(stepdad, own, "The time to ask for a second look is over.")


async def test_what_changed_while_somebody_was_away_is_told(app: FastAPI, services: Services) -> None:
    """A thread that was changed meanwhile, and a decision about several posts."""
    post = await scenes.a_post(services)
    another = await make.post(services, "stepdad", post.thread_id, scenes.RUDE)
    await make.board(services, "court")
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        care = f"/threads/{post.thread_id}/care"
        page = await orla.get(care)
        await scenes.sql(services, "UPDATE thread SET version = version + 1")
        stale = await form(orla, page, f"/threads/{post.thread_id}/move", board="court")
        assert '<option value="court" selected>' in stale.text
        many = {
            "posts": [{"id": one.id, "revision": 1} for one in (post, another)],
            "measures": [scenes.REMOVE],
            "rules": [10],
            "reason": "No adverts here.",
        }
        assert (await orla.post(f"{API}/moderation/members/stepdad/decisions", json=many)).status_code == 201
        [told] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        await says(stepdad, f"/me/statements/{told['id']}", "Your post 1, Your post 2")


async def test_help_says_who_is_on_call_and_which_line_is_closed(settings: Settings, services: Services) -> None:
    hour = (clock.now().astimezone(ZoneInfo("Europe/London")).hour + 12) % 24
    lines = settings.data / "lines.toml"
    lines.write_text(
        '[[lines]]\nname = "Day line"\ntelephone = "0800 123"\nhours = "An hour a day"\n'
        f'open = ["{hour:02}:00-{hour:02}:59"]\nkinds = ["danger", "suicide"]\n'
    )
    own = settings.model_copy(update={"help_lines": lines})
    await make.board(services)
    async with (
        make.application(own) as app,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "heron") as heron,
    ):
        assert (await orla.put(f"{API}/moderation/on-call/here", json={"hours": 2})).is_success
        words = {"title": "At home", "body_markdown": "I am scared of my husband."}
        opened = (await heron.post(f"{API}/boards/new-here/threads", json=words)).json()
        read = "closed now", "Somebody is on call here now, for members who may be in danger."
        await says(heron, f"/posts/{opened['first_post']['id']}/help", *read)
