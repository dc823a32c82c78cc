"""Twenty moderators, two processes, everybody at once: each case is decided once, and every loser knows by whom.

The ordinary run has 40 cases and ends when all are decided; FORUM_TEST_RACE_SECONDS=30 has 200, and goes on for
so long, so that there are many more losers.
"""

import asyncio
import logging
import os
import random
import time
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import func, select, text
from sqlmodel import col

from forum.content.posts.tables import Post
from forum.core import audit, clock
from forum.core.audit import AuditEntry
from forum.http.services import Services
from forum.members.tables import Role, Sanction
from forum.notifications import inbox
from forum.notifications.inbox import Notification
from moderation import reports, rules
from moderation.case_priority import Category
from moderation.cases import Case, CaseClaim
from moderation.decisions import Decision
from moderation.measures.tables import AppliedMeasure
from moderation.reports import Complaint, Report
from moderation.statements import Statement
from tests.support import make
from tests.support.running import Forum, started

log = logging.getLogger(__name__)

API = "/api/v1"
SECONDS = float(os.environ.get("FORUM_TEST_RACE_SECONDS", "0"))
MODERATORS, AUTHORS, IN_A_THREAD = 20, 4, 10
CASES = 200 if SECONDS else 40
INSULT = "an old toad"
ON = "And so on."


class Race:
    """Moderators who all reach for the worst cases, and authors who edit and reply meanwhile."""

    def __init__(self, forum: Forum, cases: list[UUID], posts: list[int], threads: list[int]) -> None:
        self.forum = forum
        self.cases = [str(case) for case in cases]
        self.posts = posts
        self.threads = threads
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.won: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.lost: list[tuple[str, dict[str, Any]]] = []
        self.recused: set[tuple[str, str]] = set()
        self.began = time.monotonic()

    @property
    def is_over(self) -> bool:
        return len(self.won) == CASES and time.monotonic() - self.began > SECONDS

    async def run(self, moderators: list[dict[str, str]], authors: list[dict[str, str]]) -> None:
        self.began = time.monotonic()
        async with asyncio.timeout(SECONDS + 300), asyncio.TaskGroup() as group:
            for number, headers in enumerate(moderators):
                group.create_task(self._moderate(headers, random.Random(number)))
            for number, headers in enumerate(authors):
                group.create_task(self._talk(headers, random.Random(1000 + number)))

    async def _moderate(self, headers: dict[str, str], dice: random.Random) -> None:
        async with self.forum.client(headers) as http:
            me = (await http.get(f"{API}/me")).json()["name"]
            while not self.is_over:
                for case in await self._reach_for(http, dice):
                    ways = (
                        self._claim_and_decide,
                        self._decide_at_once,
                        self._double_click,
                        self._let_go,
                        self._take_over,
                    )
                    await dice.choices(ways, weights=(6, 3, 2, 1, 1))[0](http, me, case, dice)

    async def _reach_for(self, http: httpx.AsyncClient, dice: random.Random) -> list[str]:
        """Two of the worst, as everybody does, and one whose page was left open."""
        page = await self._send(http, "GET", "queue", f"{API}/moderation/cases?limit=8")
        waiting = [case["id"] for case in page.json()["items"]]
        return [*dice.sample(waiting, min(2, len(waiting))), dice.choice(self.cases)]

    async def _claim_and_decide(self, http: httpx.AsyncClient, me: str, case: str, dice: random.Random) -> None:
        if await self._claim(http, me, case):
            await self._decide(http, me, case, dice)

    async def _decide_at_once(self, http: httpx.AsyncClient, me: str, case: str, dice: random.Random) -> None:
        await self._decide(http, me, case, dice)

    async def _double_click(self, http: httpx.AsyncClient, me: str, case: str, dice: random.Random) -> None:
        await self._decide(http, me, case, dice, clicks=2)

    async def _let_go(self, http: httpx.AsyncClient, me: str, case: str, dice: random.Random) -> None:
        """Let go of it, or step back for good, and in another window decide it at the same moment."""
        if await self._claim(http, me, case):
            gone = "claim" if dice.random() < 0.8 else "recusal"
            if gone == "recusal":
                self.recused.add((me, case))
            leave = self._send(
                http, "DELETE" if gone == "claim" else "PUT", gone, f"{API}/moderation/cases/{case}/{gone}"
            )
            answer, _ = await asyncio.gather(leave, self._decide(http, me, case, dice))
            assert answer.status_code == 204, answer.text

    async def _take_over(self, http: httpx.AsyncClient, me: str, case: str, dice: random.Random) -> None:
        if await self._claim(http, me, case, json={"reason": "Her shift is over."}):
            await self._decide(http, me, case, dice)

    async def _claim(self, http: httpx.AsyncClient, me: str, case: str, **body: Any) -> bool:
        answer = await self._send(http, "PUT", "claim", f"{API}/moderation/cases/{case}/claim", **body)
        return self._is_won(answer, me, case, 200)

    async def _decide(
        self, http: httpx.AsyncClient, me: str, case: str, dice: random.Random, *, clicks: int = 1
    ) -> None:
        screen = (await self._send(http, "GET", "case", f"{API}/moderation/cases/{case}")).json()
        measures = _measures(screen, dice)
        verdict = {
            "version": screen["version"],
            "revision": screen["post_revision"],
            "measures": measures,
            "rules": [10],
            "reason": "You called her a name.",
        }
        path = f"{API}/moderation/cases/{case}/decisions"
        sent = [self._send(http, "POST", "decide", path, json=verdict) for _ in range(clicks)]
        for answer in await asyncio.gather(*sent):
            if self._is_won(answer, me, case, 201):
                self.won[case].append(answer.json() | {"by": me, "kinds": [kind["kind"] for kind in measures]})

    def _is_won(self, answer: httpx.Response, me: str, case: str, status: int) -> bool:
        if answer.status_code == status:
            return True
        if answer.status_code == 403:
            assert (me, case) in self.recused, answer.text
        else:
            assert answer.status_code == 409, answer.text
            self.lost.append((case, answer.json()))
        return False

    async def _talk(self, headers: dict[str, str], dice: random.Random) -> None:
        """Edit one's posts and reply, as people do while they are moderated."""
        async with self.forum.client(headers) as http:
            while not self.is_over:
                thread, post = dice.choice(self.threads), dice.choice(self.posts)
                said = {"body_markdown": f"> She is {INSULT}\n\nI would not say {INSULT}."}
                reply = await self._send(http, "POST", "reply", f"{API}/threads/{thread}/posts", json=said)
                assert reply.status_code in {201, 403, 409}, reply.text
                seen = (await self._send(http, "GET", "post", f"{API}/posts/{post}")).json()
                # What a moderator changed is left alone: an edit of that waits, and opens its case again.
                if seen["visibility"] == "visible" and seen["revision"] == 1 + seen["body_markdown"].count(ON):
                    edit = {"revision": seen["revision"], "body_markdown": f"{seen['body_markdown']}\n{ON}"}
                    edited = await self._send(http, "PATCH", "edit", f"{API}/posts/{post}", json=edit)
                    assert edited.status_code in {200, 403, 409}, edited.text
                await asyncio.sleep(0.05)

    async def _send(self, http: httpx.AsyncClient, method: str, what: str, path: str, **more: Any) -> httpx.Response:
        """Send a request, as a client does: again where the forum is too busy and changed nothing."""
        while True:
            answer = await http.request(method, path, **more)
            self.statuses[what, answer.status_code] += 1
            if answer.status_code != 503 or answer.json()["code"] != "busy":
                break
            await asyncio.sleep(int(answer.headers["retry-after"]))
        assert answer.status_code < 500, (method, path, answer.text)
        return answer


def _measures(screen: dict[str, Any], dice: random.Random) -> list[dict[str, Any]]:
    """What a moderator might do here: every kind of measure comes up, alone or with another."""
    post = next(post for post in screen["context"] if post["id"] == screen["post_id"])
    body = post.get("body_markdown", "")
    start = body.find(INSULT)
    textual: list[dict[str, Any]] = [
        {"kind": "redact", "spans": [[start, start + len(INSULT)]]} if start >= 0 else {"kind": "warn"},
        {"kind": "remove"} if post["visibility"] == "visible" else {"kind": "warn"},
        {"kind": "edit", "body_markdown": "She was late."},
        {"kind": "dismiss"},
    ]
    further: list[dict[str, Any]] = [
        {"kind": "lock"},
        {"kind": "retitle", "title": "About a visit"},
        # For a second: authors shall go on talking.
        {"kind": "silence", "until": (clock.now() + timedelta(seconds=1)).isoformat()},
        {"kind": "move", "board": dice.choice(["new-here", "kinship"])},
    ]
    first = dice.choice(textual)
    chosen = [first] if first["kind"] == "dismiss" or dice.random() < 0.4 else [first, dice.choice(further)]
    dice.shuffle(chosen)
    return chosen


async def test_each_case_is_decided_once_and_every_loser_learns_by_whom_and_when(
    app: FastAPI, services: Services, database_url: str, tmp_path: Path
) -> None:
    async with services.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
    for slug in ("new-here", "kinship"):
        await make.board(services, slug)
    moderators = [await _headers(app, f"keeper{number}", Role.MODERATOR) for number in range(MODERATORS)]
    authors = [await _headers(app, f"heron{number}") for number in range(AUTHORS)]
    await make.member(services, "magpie")
    threads, posts = await _conversations(services)
    cases = await _reported(services, posts)

    async with started(tmp_path, "serve", "--workers", 2, FORUM_DATABASE_URL=database_url) as forum:
        await forum.ready()
        race = Race(forum, cases, posts, threads)
        await race.run(moderators, authors)
        took = time.monotonic() - race.began
    log.info(
        "%.1f s, %.0f requests a second; %d lost; %s",
        took,
        race.statuses.total() / took,
        len(race.lost),
        sorted(race.statuses.items()),
    )

    assert {case: len(won) for case, won in race.won.items()} == dict.fromkeys(race.cases, 1)
    names = {f"Keeper{number}" for number in range(MODERATORS)} | {f"Heron{number}" for number in range(AUTHORS)}
    decided_already = 0
    for case, problem in race.lost:
        assert problem["changed_by"]["name"] in names, problem
        assert problem["changed_at"], problem
        if problem["detail"] == "This case is decided already.":
            decided_already += 1
            [winner] = race.won[case]
            assert (problem["changed_by"]["name"], problem["changed_at"]) == (winner["by"], winner["decided_at"])
    assert decided_already
    await _look_into_the_database(services, race)


async def _look_into_the_database(services: Services, race: Race) -> None:
    kinds = Counter(kind for [won] in race.won.values() for kind in won["kinds"])
    told = sum(won["statement_id"] is not None for [won] in race.won.values())
    settled = col(Notification.kind) == inbox.NotificationKind.REPORT_SETTLED
    async with services.database.work() as session:
        per_case = await session.execute(select(col(Decision.case_id), func.count()).group_by(col(Decision.case_id)))
        assert {str(case): count for case, count in per_case.all()} == dict.fromkeys(race.cases, 1)
        states = (await session.execute(select(col(Case.state), func.count()).group_by(col(Case.state)))).all()
        assert [tuple(row) for row in states] == [("decided", CASES)]
        applied = select(col(AppliedMeasure.kind), func.count()).group_by(col(AppliedMeasure.kind))
        assert Counter(dict(row for row in (await session.execute(applied)).all())) == kinds
        assert await session.scalar(select(func.count()).select_from(Sanction)) == kinds["silence"]
        assert await session.scalar(select(func.count()).select_from(Statement)) == told
        assert await session.scalar(select(func.count()).select_from(CaseClaim)) == 0
        assert await session.scalar(select(func.count()).where(col(Report.outcome).is_(None))) == 0
        per_report = select(col(Notification.subject_id), func.count()).where(settled)
        counted = (await session.execute(per_report.group_by(col(Notification.subject_id)))).all()
        assert [count for _, count in counted] == [1] * CASES
        decisions = select(func.count()).where(col(AuditEntry.act) == "case.decided")
        assert await session.scalar(decisions) == CASES
        await audit.verify(session)
        deadlocks = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert await session.scalar(deadlocks) == 0


async def _headers(app: FastAPI, handle: str, *roles: Role) -> dict[str, str]:
    async with make.signed_in(app, handle, *roles) as http:
        return {"Authorization": http.headers["Authorization"]}


async def _conversations(services: Services) -> tuple[list[int], list[int]]:
    """Threads in which everybody repeats everybody's insult, in quotes and out: the ids of threads and posts.

    Each thread has words of its own in it, so that a decision locks one thread and not all of them.
    """
    threads, posts = [], []
    for visit in range(CASES // IN_A_THREAD):
        body = f"She is {INSULT}, visit{visit} or not, all of her."
        threads.append(await make.thread(services, "heron0", title="A visit", body=body))
        for number in range(1, IN_A_THREAD):
            said = f"> @heron0 #1\n> {body}\n\nYes, {INSULT.upper()} is what I call it, {number}."
            await make.post(services, f"heron{number % AUTHORS}", threads[-1], said)
    async with services.database.work() as session:
        posts = list((await session.execute(select(col(Post.id)).order_by(col(Post.id)))).scalars().all())
    return threads, posts


async def _reported(services: Services, posts: list[int]) -> list[UUID]:
    """Report each post; the ids of the cases."""
    reporter, complaint = await make.viewer(services, "magpie"), Complaint(Category.RULE, 1, (10,))
    async with services.transactions(clock.now()).begin() as work:
        return [
            (await reports.save_report(work, reporter, await work.session.get_one(Post, post), complaint)).case_id
            for post in posts
        ]
