"""Mail: put down with what wants it, written when it is sent, tried for three days, and silent about everybody."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication import email_addresses
from forum.core import clock, jobs
from forum.core.database import Prepared, new_id
from forum.core.jobs import Job, Payload
from forum.core.settings import Settings
from forum.http.services import Services
from forum.mail import outbox, smtp, templates, tokens
from forum.mail.outbox import SEND, MailSender
from forum.mail.smtp import TRANSPORT_ERRORS
from forum.mail.tables import Mail, MailedLink, MailKind
from forum.members.tables import Member
from tests.forum.core.test_jobs import QUICK
from tests.support import mailbox, make
from tests.support.jobs import run_errand

SENDER = "post@charity.example"
ALL_LETTERS = [letter for letter in vars(templates).values() if isinstance(letter, templates.MailTemplate)]


class PostOffice:
    """What an SMTP server does with what it gets."""

    def __init__(self) -> None:
        self.came: list[Envelope] = []
        self.passwords: list[Any] = []
        self.answers: list[str] = []  # the next ones, in the place of "250 OK"

    def letters(self) -> list[EmailMessage]:
        """No property: the library looks at all of ours for each connection."""
        return [mailbox.read(envelope.content or b"") for envelope in self.came]

    async def handle_RCPT(  # noqa: N802 (the library's name)
        self, _server: SMTP, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.came.append(envelope)
        return "250 OK"

    def authenticate(self, _server: SMTP, _session: Any, _envelope: Any, _mechanism: str, said: Any) -> AuthResult:
        assert isinstance(said, LoginPassword)
        self.passwords.append((said.login, said.password))
        return AuthResult(success=True)


@asynccontextmanager
async def smtp_server(office: PostOffice, **options: Any) -> AsyncIterator[int]:
    """A real SMTP server in this process; gives its port."""
    options = {"enable_SMTPUTF8": True, "hostname": "mx.example", **options}
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(office, **options), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
async def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
async def posted(office: PostOffice, settings: Settings) -> AsyncIterator[Settings]:
    """Settings whose mails reach the office."""
    async with smtp_server(office) as port:
        yield with_mail(settings, f"smtp://127.0.0.1:{port}?tls=off")


def with_mail(settings: Settings, url: str) -> Settings:
    known = settings.model_dump(exclude_none=True)
    return Settings(**{**known, "mail_from": SENDER, "smtp_url": url, "public_url": "https://forum.example/"})


async def ask(services: Services, kind: MailKind = MailKind.PASSWORD_RESET, handle: str = "heron") -> UUID:
    """Put a mail down; which one."""
    async with services.database.work() as session:
        member = (await session.execute(select(Member).where(col(Member.handle) == handle))).scalar_one()
        await outbox.enqueue(session, kind, clock.now(), member_id=member.id, email=member.email)
        newest = select(col(Mail.id)).order_by(col(Mail.id).desc()).limit(1)
        return (await session.execute(newest)).scalar_one()


async def send(services: Services, settings: Settings, mail: UUID, at: datetime | None = None) -> None:
    """Do the job of a mail."""
    await run_errand(services.database, MailSender(settings, {}), {"mail": str(mail)}, at or clock.now())


async def kept(services: Services, table: Any) -> list[Any]:
    async with services.database.work() as session:
        return list((await session.execute(select(table))).scalars())


async def again(services: Services) -> list[datetime]:
    """When the jobs that wait may be done."""
    rows = await services.database.reader.rows(Prepared(text("SELECT execute_after FROM jobs.queue ORDER BY id")))
    return [row.execute_after for row in rows]


async def subjects(services: Services, settings: Settings, office: PostOffice, at: datetime) -> list[str]:
    """Send everything that waits at this time; what came."""
    office.came.clear()
    for mail in await kept(services, Mail):
        await send(services, settings, mail.id, at)
    return sorted(letter["Subject"] for letter in office.letters())


# Sent


async def test_a_mail_is_sent_by_a_worker_and_then_gone(
    services: Services, posted: Settings, office: PostOffice
) -> None:
    await make.member(services, "heron")
    await ask(services)
    stop = asyncio.Event()
    handlers = {SEND: MailSender(posted, {})}
    working = asyncio.create_task(
        jobs.work(services.database.autocommit, services.database.work, handlers, stop, pace=QUICK)
    )
    async with asyncio.timeout(30):
        while await kept(services, Mail):  # noqa: ASYNC110 (the worker makes it so)
            await asyncio.sleep(0.02)
    stop.set()
    await working
    [envelope], [letter] = office.came, office.letters()
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["heron@example.org"])
    assert (letter["From"], letter["To"]) == (SENDER, "heron@example.org")
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"].endswith("@charity.example>")
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]


async def test_a_mail_goes_when_its_transaction_is_rolled_back(services: Services) -> None:
    made = await make.member(services, "heron")

    async def change_ones_mind() -> None:
        async with services.database.work() as session:
            await outbox.enqueue(session, MailKind.PASSWORD_RESET, clock.now(), member_id=made.id, email=made.email)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await change_ones_mind()
    assert (await kept(services, Mail), await again(services)) == ([], [])


async def test_its_link_is_told_once_and_kept_as_a_digest(
    services: Services, posted: Settings, office: PostOffice
) -> None:
    await make.member(services, "heron")
    await send(services, posted, await ask(services))
    [letter], [link] = office.letters(), await kept(services, MailedLink)
    base = "https://forum.example/password-resets#"
    token = mailbox.words(letter).partition(base)[2].split()[0]
    assert len(token) == 43
    assert mailbox.words(letter).count(base + token) == 3  # as text, as an anchor, and what it says
    assert link.token_digest == tokens.digest(token)
    assert (base + token).encode() in (office.came[0].content or b"")  # in one piece, to be copied


class ImpatientMember(PostOffice):
    """Somebody who follows a link the moment that its mail is there."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self.found = 0

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        said = await super().handle_DATA(server, session, envelope)
        token = mailbox.words(self.letters()[-1]).partition("#")[2].split()[0]
        async with make.work(self._services) as work:
            await email_addresses.confirm_address(work, token)
        self.found += 1
        return said


async def test_a_link_works_when_it_arrives(services: Services, settings: Settings) -> None:
    await make.member(services, "heron", verified=False)
    member = ImpatientMember(services)
    async with smtp_server(member) as port:
        await send(
            services,
            with_mail(settings, f"smtp://127.0.0.1:{port}?tls=off"),
            await ask(services, MailKind.VERIFY_ADDRESS),
        )
    assert (member.found, await kept(services, Mail)) == (1, [])


@pytest.mark.parametrize("letter", ALL_LETTERS, ids=lambda letter: letter.subject)
def test_no_mail_tells_where_it_is_from_or_loads_anything(letter: templates.MailTemplate) -> None:
    made = templates.compose(letter, SENDER, "heron@example.org", clock.now(), "https://x.example/a#b&c")
    assert not [word for word in ("forum", "post", "thread", "support", "famil") if word in mailbox.words(made).lower()]
    assert made["From"] == SENDER
    html = made.get_body(("html",))
    assert html is not None
    assert not [tag for tag in ("<img", "<link", "<style", "<script", "src=") if tag in html.get_content()]
    assert "a#b&amp;c" in html.get_content()


async def test_it_says_neither_pseudonym_nor_name_nor_password(
    services: Services, posted: Settings, office: PostOffice
) -> None:
    await make.member(services, "quiet-heron")
    async with services.database.work() as session:
        await session.execute(update(Member).values(email="jane@example.org", name="Quetzal"))
    await send(services, posted, await ask(services, handle="quiet-heron"))
    said = (office.came[0].content or b"").decode().lower()
    assert "jane@example.org" in said
    assert not [word for word in ("heron", "quetzal", posted.name.lower()) if word in said]


async def test_an_address_in_any_script_gets_its_mail(
    services: Services, posted: Settings, office: PostOffice, tmp_path: Path
) -> None:
    await make.member(services, "heron")
    async with services.database.work() as session:
        await session.execute(update(Member).values(email="jörg@bücher.example"))
    await send(services, posted, await ask(services))
    assert office.came[0].rcpt_tos == ["jörg@bücher.example"]
    letter = templates.compose(templates.TEST, SENDER, "jörg@bücher.example", clock.now())
    await smtp.choose_transport(Settings(data=tmp_path)).deliver(letter)
    [file] = (tmp_path / "mailbox").glob("*.eml")
    assert mailbox.read(file.read_bytes())["To"] == "jörg@bücher.example"


@pytest.mark.parametrize("how", ["its member is gone", "it was asked for by nobody", "it waited too long"])
async def test_a_mail_that_nobody_needs_is_not_sent(
    services: Services, posted: Settings, office: PostOffice, how: str
) -> None:
    await make.member(services, "heron")
    mail = await ask(services)
    late = clock.now() + timedelta(hours=7) if how == "it waited too long" else clock.now()
    async with services.database.work() as session:
        if how == "its member is gone":
            await session.execute(delete(Member))
        if how == "it was asked for by nobody":
            await session.execute(update(Mail).values(member_id=None, email=None))
    await send(services, posted, mail, late)
    assert (office.came, await kept(services, Mail), await kept(services, MailedLink)) == ([], [], [])


async def test_a_mail_to_nobody_is_put_down_like_any_other(services: Services) -> None:
    async with services.database.work() as session:
        await outbox.enqueue(session, MailKind.PASSWORD_RESET, clock.now(), member_id=None, email=None)
    assert len(await kept(services, Mail)) == len(await again(services)) == 1


# Not sent


async def test_a_mail_that_cannot_be_sent_is_tried_again_with_growing_pauses_for_three_days(
    services: Services, posted: Settings, office: PostOffice, caplog: pytest.LogCaptureFixture
) -> None:
    await make.member(services, "heron")
    mail, at, pauses = await ask(services, MailKind.ADDRESS_CHANGE), clock.now(), []
    begun = at
    with caplog.at_level(logging.DEBUG):
        while not (await kept(services, Mail))[0].given_up_at:
            office.answers = ["451 heron@example.org: not now"]
            before = len(await again(services))
            await send(services, posted, mail, at)
            if len(await again(services)) > before:
                pauses.append(outbox.pause_after(len(pauses) + 1))
                at += pauses[-1]
    assert pauses[:4] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert all(short <= long for short, long in pairwise(pauses))
    assert timedelta(days=2.7) < at - begun < timedelta(days=3)
    [left] = await kept(services, Mail)
    assert (left.failures, left.failure) == (len(pauses) + 1, "SMTPRecipientsRefused 451")
    assert await kept(services, MailedLink) == []
    ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # the server's
    assert not [line for line in ours if "heron" in line]
    async with services.database.work() as session:
        [row] = (await session.execute(outbox.select_unsent())).all()
    assert (row.handle, row.kind) == ("heron", "address_change")


async def test_the_next_try_is_put_down_for_later(services: Services, posted: Settings, office: PostOffice) -> None:
    await make.member(services, "heron")
    mail, now = await ask(services), clock.now()
    office.answers = ["451 not now"]
    await send(services, posted, mail, now)
    [_, later] = await again(services)
    assert abs(later - now - timedelta(minutes=1)) < timedelta(seconds=1)
    await send(services, posted, mail, later)
    assert len(office.came) == 1
    assert await kept(services, Mail) == []


async def test_an_address_that_does_not_exist_is_tried_once(
    services: Services, posted: Settings, office: PostOffice
) -> None:
    await make.member(services, "heron")
    office.answers = ["550 no such user"]
    await send(services, posted, await ask(services))
    [left] = await kept(services, Mail)
    assert left.given_up_at
    assert len(await again(services)) == 1  # the one that was just done


async def test_a_server_that_is_not_there_is_tried_again(services: Services, settings: Settings) -> None:
    await make.member(services, "heron")
    await send(services, with_mail(settings, "smtp://127.0.0.1:1?tls=off"), await ask(services))
    [left] = await kept(services, Mail)
    assert (left.failures, left.failure, left.given_up_at) == (1, "SMTPConnectError", None)


async def test_what_was_given_up_is_kept_for_a_month_and_links_until_they_run_out(services: Services) -> None:
    made, now = await make.member(services, "heron"), clock.now()
    async with services.database.work() as session:
        for days in (31, 29):
            put_down, ago = now - timedelta(days=40), now - timedelta(days=days)
            about = {"kind": MailKind.PASSWORD_RESET, "member_id": made.id, "email": made.email}
            session.add(Mail(**about, put_down_at=put_down, given_up_at=ago, failures=days))
            session.add(
                MailedLink(**about, token_digest=new_id().bytes, asked_at=ago, expires_at=ago + timedelta(days=30))
            )
        await session.flush()
        await outbox.delete_expired(session, now)
    assert [mail.failures for mail in await kept(services, Mail)] == [29]
    assert [link.expires_at > now for link in await kept(services, MailedLink)] == [True]


# Ways out


async def test_a_password_and_a_mail_travel_over_tls_only(settings: Settings, office: PostOffice) -> None:
    """A server that offers no STARTTLS gets neither, unless it was said that it need not."""
    letter = templates.compose(templates.TEST, SENDER, "heron@example.org", clock.now())
    options = {"authenticator": office.authenticate, "auth_require_tls": False}
    async with smtp_server(office, **options) as port:
        with pytest.raises(TRANSPORT_ERRORS):
            await smtp.choose_transport(with_mail(settings, f"smtp://forum:p%40ss@127.0.0.1:{port}")).deliver(letter)
        assert (office.passwords, office.came) == ([], [])
        allowed = with_mail(settings, f"smtp://forum:p%40ss@127.0.0.1:{port}?tls=off")
        await smtp.choose_transport(allowed).deliver(letter)
    assert office.passwords == [(b"forum", b"p@ss")]
    assert len(office.came) == 1


async def test_without_a_server_mails_are_files_for_nobody_else_to_read(services: Services, settings: Settings) -> None:
    await make.member(services, "heron")
    await send(services, settings, await ask(services))
    [file] = (settings.data / "mailbox").iterdir()
    assert file.suffix == ".eml"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "http://127.0.0.1:8000/password-resets#" in mailbox.words(mailbox.read(file.read_bytes()))


# A server that hangs


class HangingOffice(PostOffice):
    """An SMTP server that says nothing when it is told where a mail goes, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.go_on = asyncio.Event()

    async def handle_RCPT(  # noqa: N802 (the library's name)
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        self.asked += 1
        await self.go_on.wait()
        return await super().handle_RCPT(server, session, envelope, address, options)


async def test_nothing_waits_for_a_mail_server_that_hangs(services: Services, settings: Settings) -> None:
    office, note, done = HangingOffice(), Job("note"), []

    async def take_note(_session: AsyncSession, payload: Payload, _now: datetime) -> None:
        done.append(payload["id"])

    for number in range(10):
        await make.member(services, f"heron{number}")
        await ask(services, MailKind.VERIFY_ADDRESS if number % 2 else MailKind.ADDRESS_CHANGE, f"heron{number}")
    stop = asyncio.Event()
    async with smtp_server(office) as port, asyncio.timeout(60):
        handlers = {SEND: MailSender(with_mail(settings, f"smtp://127.0.0.1:{port}?tls=off"), {}), note: take_note}
        working = asyncio.create_task(
            jobs.work(services.database.autocommit, services.database.work, handlers, stop, pace=QUICK)
        )
        while office.asked < outbox.AT_ONCE:  # noqa: ASYNC110 (the worker makes it so)
            await asyncio.sleep(0.02)
        reader = services.database.reader
        hung_at = (await reader.row(Prepared(text("SELECT clock_timestamp() AS hung_at")))).hung_at
        async with services.database.work() as session:
            for number in range(20):
                await jobs.enqueue(session, note, {"id": str(number)})
        while len(done) < 20:  # noqa: ASYNC110 (the worker makes it so)
            await asyncio.sleep(0.02)
        # A worker that looks for jobs has a transaction at times; none is as old as the mails that hang.
        old = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND xact_start < :hung_at"
        assert await reader.rows(Prepared(text(old)), hung_at=hung_at) == []
        assert (office.asked, office.came) == (outbox.AT_ONCE, [])
        office.go_on.set()
        while await kept(services, Mail):  # noqa: ASYNC110 (the worker makes it so)
            await asyncio.sleep(0.02)
        stop.set()
        await working
    assert len(office.came) == 5  # the others had verified their address long ago


class ThoughtfulOffice(PostOffice):
    """An SMTP server that has the words of a mail, and takes long to say that it takes them."""

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802 (its name)
        await asyncio.sleep(1.5)
        return await super().handle_DATA(server, session, envelope)


async def test_a_server_that_thinks_about_the_words_for_long_gets_them_once(
    services: Services, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "PATIENCE", 1)
    office = ThoughtfulOffice()
    await make.member(services, "heron")
    async with smtp_server(office) as port:
        await send(services, with_mail(settings, f"smtp://127.0.0.1:{port}?tls=off"), await ask(services))
    assert (len(office.came), await kept(services, Mail)) == (1, [])


# So many to one address


@pytest.fixture
def five(posted: Settings) -> Settings:
    return posted.model_copy(update={"mail_limit": Settings().mail_limit})


async def test_five_a_day_go_to_one_mailbox_whoever_asks_and_the_rest_waits_for_the_next_day(
    services: Services, five: Settings, office: PostOffice
) -> None:
    for handle, email in (
        ("heron", "heron@example.org"),
        ("bittern", "Heron@Example.org"),
        ("egret", "heron+a@example.org"),
    ):
        await make.member(services, handle, verified=False)
        async with services.database.work() as session:
            await session.execute(update(Member).where(col(Member.handle) == handle).values(email=email))
        for kind in (MailKind.VERIFY_ADDRESS, MailKind.PASSWORD_RESET):
            await ask(services, kind, handle)
    await ask(services, MailKind.DEPARTURE, "heron")  # to an address that its member has not verified
    now = clock.now()
    assert len(await subjects(services, five, office, now)) == 5
    assert await subjects(services, five, office, now) == []
    assert len(await kept(services, MailedLink)) == 5
    assert max(await again(services)) > now + timedelta(hours=23)
    await make.member(services, "curlew")
    await ask(services, MailKind.PASSWORD_RESET, "curlew")
    assert len(await subjects(services, five, office, now)) == 1  # another mailbox has its own five
    async with services.database.work() as session:
        await session.execute(text("UPDATE throttle_count SET ends_at = now()"))
    assert await subjects(services, five, office, now + timedelta(days=1)) == ["About your account"]
    assert await kept(services, Mail) == []  # the link to a new password is of no use any more


async def test_what_tells_of_a_change_comes_though_a_stranger_used_the_five_up(
    services: Services, five: Settings, office: PostOffice
) -> None:
    await make.member(services, "heron")
    for _ in range(7):
        await ask(services, MailKind.PASSWORD_RESET)
    for kind in (MailKind.ADDRESS_CHANGE, MailKind.SIGN_IN_CHANGED, MailKind.DEPARTURE):
        await ask(services, kind)
    came = await subjects(services, five, office, clock.now())
    assert came == ["About your account"] * 3 + ["The link that you asked for"] * 5


async def test_a_mail_that_could_not_be_sent_is_not_counted(
    services: Services, five: Settings, office: PostOffice
) -> None:
    await make.member(services, "heron")
    for _ in range(5):
        await ask(services)
    office.answers = ["451 Later"] * 5
    now = clock.now()
    assert await subjects(services, five, office, now) == []
    assert len(await subjects(services, five, office, now)) == 5


async def test_a_mail_that_waited_three_days_for_its_turn_is_dropped(
    services: Services, five: Settings, office: PostOffice
) -> None:
    await make.member(services, "heron", verified=False)
    for _ in range(6):
        await ask(services, MailKind.VERIFY_ADDRESS)
    later = clock.now() + timedelta(days=2, hours=12)
    assert len(await subjects(services, five, office, later)) == 5
    assert await kept(services, Mail) == []
