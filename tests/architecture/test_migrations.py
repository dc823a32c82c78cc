"""Migrations: up from nothing, up from each earlier revision with data in it, and down again."""

import asyncio
import inspect
import os
import sys
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from forum.core import database, embedded_postgres
from tests.conftest import database_called

REVISIONS = [script.revision for script in ScriptDirectory(str(database.MIGRATIONS)).walk_revisions()][::-1]


def test_files_are_called_as_the_migrations_in_them() -> None:
    assert sorted(database.known_migrations()) == REVISIONS


FIRST = [
    "INSERT INTO rules_edition (version, since) VALUES (1, now())",
    "INSERT INTO rule (number, version, edition, title, text) VALUES (10, 1, 1, 'Respect', 'Be kind.')",
    "INSERT INTO member (id, handle, skeleton, name, name_skeleton, email, password_hash, staff_password, "
    "rules_version, joined_at) VALUES ('018f0000-0000-7000-8000-000000000001', 'heron', 'heron', "
    "'Heron', 'heron', 'heron@example.org', '$argon2id$', true, 1, now())",
    "INSERT INTO role_grant (id, member_id, role, given_at) VALUES (gen_random_uuid(), "
    "'018f0000-0000-7000-8000-000000000001', 'moderator', now())",
    "INSERT INTO board (slug, name, section, position, description, help_markdown, help_html, readers, openers, "
    "repliers, indexable, advised, made_at) VALUES ('court', 'Court', 'Help', 1, '', '', '', '{everyone}', "
    "'{member}', '{member}', false, true, now())",
    "INSERT INTO thread (board_id, author_id, title, state, pinned, visibility, version, opened_at, changed_at, "
    "last_number, posts, participants, last_post_number, last_post_at, last_post_by, adviser_replies) "
    "SELECT id, '018f0000-0000-7000-8000-000000000001', 'What now?', 'open', false, 'visible', 1, now(), now(), "
    "1, 1, 1, 1, now(), '018f0000-0000-7000-8000-000000000001', 0 FROM board",
    "INSERT INTO post (thread_id, number, author_id, voice, visibility, body_markdown, body_html, revision, "
    "created_at) SELECT id, 1, author_id, 'member', 'visible', 'Hello', '<p>Hello</p>', 2, now() FROM thread",
    "INSERT INTO post_revision (post_id, number, body_markdown, body_html, written_at) "
    "SELECT id, 1, 'Helo', '<p>Helo</p>', now() FROM post",
    "INSERT INTO audit_entry (number, at, act, subject_kind, subject_id, details, previous, digest) "
    "VALUES (1, now(), 'role.granted', 'member', '018f0000-0000-7000-8000-000000000001', '{}', '', '')",
]
SECOND = [
    *FIRST,
    "INSERT INTO moderation_case (id, kind, post_id, state, category, reports, priority, version, opened_at, "
    "due_at, decided_at, decided_revision, changed_at) SELECT '018f0000-0000-7000-8000-000000000002', 'post', id, "
    "'decided', 'rule', 1, -485, 2, now(), now(), now(), 2, now() FROM post",
    "INSERT INTO report (id, case_id, post_id, revision, reporter_id, category, rules, note, filed_at, outcome, "
    "settled_at) SELECT gen_random_uuid(), id, post_id, 2, '018f0000-0000-7000-8000-000000000001', 'rule', '{10}', "
    "'', now(), 'dismissed', now() FROM moderation_case",
]
THIRD = [*SECOND, "UPDATE moderation_case SET barred_id = (SELECT id FROM member)"]
FOURTH = [
    *THIRD,
    "INSERT INTO finding (case_id, revision, kind, recogniser, part, starts, ends) "
    "SELECT id, 1, 'crisis', 'threat', 'body', 0, 4 FROM moderation_case",
]
SIXTH = [
    *FOURTH,
    "INSERT INTO member_session (id, member_id, token_digest, transport, client, created_at, expires_at) "
    "SELECT gen_random_uuid(), id, 'x', 'bearer', 'Firefox', now(), now() + '30 days' FROM member",
    "INSERT INTO mail (id, kind, member_id, email, put_down_at, failures) "
    "SELECT gen_random_uuid(), 'verify_address', id, email, now(), 0 FROM member",
]
SEVENTH = [
    *SIXTH,
    "INSERT INTO totp (member_id, secret, since, last_step) SELECT id, 'ABC', now(), 1 FROM member",
    "INSERT INTO recovery_code (member_id, number, code_hash) SELECT id, 1, '$argon2id$' FROM member",
    "INSERT INTO mail (id, kind, member_id, email, put_down_at, failures) "
    "SELECT gen_random_uuid(), 'sign_in_changed', id, email, now(), 0 FROM member",
]
EIGHTH = [
    *SEVENTH,
    "INSERT INTO mailed_link (token_digest, kind, member_id, email, asked_at, expires_at) "
    "SELECT 'x', 'departure', id, email, now(), now() FROM member",
    "INSERT INTO departure (member_id, kind, asked_at, due_at) SELECT id, 'erase', now(), now() + interval '14 days' "
    "FROM member",
    "INSERT INTO notification (id, member_id, kind, at) "
    "SELECT gen_random_uuid(), id, 'export_ready', now() FROM member",
]
NINTH = [
    *EIGHTH,
    "INSERT INTO refused_sign_in (hour, member_id, reason, times) SELECT now(), id, 'throttled', 3 FROM member",
]

TENTH = [
    *NINTH,
    "INSERT INTO refused_sign_in (hour, member_id, reason, times) SELECT now(), id, 'passkey', 3 FROM member",
]

ELEVENTH = [
    *TENTH,
    "INSERT INTO decision (id, case_id, decided_by, decided_at, case_version, revision, reason) SELECT "
    "'018f0000-0000-7000-8000-000000000003', moderation_case.id, member.id, now(), 2, 2, 'No.' FROM moderation_case, "
    "member",
    "INSERT INTO moderation_case (id, kind, post_id, state, category, reports, priority, version, opened_at, due_at, "
    "changed_at) SELECT '018f0000-0000-7000-8000-000000000004', 'appeal', id, 'open', 'appeal', 0, -420, 1, now(), "
    "now(), now() FROM post",
    "INSERT INTO appeal (id, report_id, decision_id, case_id, appellant_id, text, lodged_at) SELECT "
    "gen_random_uuid(), id, '018f0000-0000-7000-8000-000000000003', '018f0000-0000-7000-8000-000000000004', "
    "reporter_id, 'Yes.', now() FROM report",
]
THIRTEENTH = [
    *ELEVENTH,
    "INSERT INTO member_note (id, member_id, author_id, text, at) SELECT gen_random_uuid(), id, id, '', now() "
    "FROM member",
    "INSERT INTO notification (id, member_id, kind, at) "
    "SELECT gen_random_uuid(), id, 'thread_locked', now() FROM member",
    "INSERT INTO case_alarm (case_id, due_at) SELECT id, due_at FROM moderation_case",
    "INSERT INTO talk (id, case_id, persona_id, side, opened_at) "
    "SELECT gen_random_uuid(), id, subject_persona_id, 'author', now() FROM moderation_case",
    "INSERT INTO talk_message (id, talk_id, persona_id, signed, crisis, text, at) "
    "SELECT gen_random_uuid(), id, persona_id, false, false, 'Yes.', now() FROM talk",
]
FIFTEENTH = [
    *THIRTEENTH,
    "INSERT INTO post_quote (post_id, revision, quoted_post_id, quoted_revision) SELECT id, 2, id, 1 FROM post",
    "INSERT INTO quoted_words (post_id, revision, runs) SELECT id, 2, '{1, 2}' FROM post",
]
EIGHTEENTH = [
    *FIFTEENTH,
    "INSERT INTO guest_repeat (key_digest, body_digest, member_id, made_at) SELECT 'x', 'y', id, now() FROM member",
]
LINKS_USED = [
    *EIGHTEENTH,
    "INSERT INTO mailed_link (token_digest, kind, member_id, email, asked_at, expires_at, used_at) "
    "SELECT 'z', 'verify_address', id, email, now(), now(), now() FROM member",
]

HANDLES_GIVEN_UP = [
    *LINKS_USED,
    "INSERT INTO handle_change (member_id, old_handle) SELECT id, 'grey-heron' FROM member",
]
EDITS_HELD = [
    *HANDLES_GIVEN_UP,
    "INSERT INTO held_edit (post_id, thread_id, body_markdown, body_html, state, held_because, written_at, written_by) "
    "SELECT id, thread_id, '> Hello', '', 'waiting', 'Soon.', now(), author_id FROM post",
]

COMPLAINED = [
    *EDITS_HELD,
    "INSERT INTO talk_message (id, talk_id, moderator_id, signed, crisis, text, at) "
    "SELECT '018f0000-0000-7000-8000-000000000022', id, persona_id, false, false, 'No.', now() FROM talk LIMIT 1",
    "INSERT INTO talk_complaint (id, message_id, case_id, persona_id, text, at) "
    "SELECT gen_random_uuid(), '018f0000-0000-7000-8000-000000000022', case_id, persona_id, 'No.', now() FROM talk "
    "LIMIT 1",
]

THREADS_READ = [
    *COMPLAINED,
    "INSERT INTO read_mark (member_id, thread_id, read_number, read_at) SELECT author_id, id, 1, now() FROM thread",
    "INSERT INTO notification (id, member_id, kind, post_id, at) "
    "SELECT gen_random_uuid(), author_id, 'post_published', id, now() FROM post LIMIT 1",
]

THREADS_FOLLOWED = [
    *THREADS_READ,
    "INSERT INTO subscription (member_id, thread_id, mode, chosen_by, since) "
    "SELECT author_id, id, 'each', 'reply', now() FROM thread",
    "INSERT INTO notification (id, member_id, kind, thread_id, numbers, at) "
    "SELECT gen_random_uuid(), author_id, 'thread_post', id, '{1}', now() FROM thread",
]
LETTERS_CHOSEN = [
    *THREADS_FOLLOWED,
    "INSERT INTO letter_choice (member_id, mode, at, zone, refusals) SELECT id, 'daily', '10:00', 'UTC', 0 FROM member",
    "INSERT INTO mail_due (member_id, due_at) SELECT id, now() FROM member",
    "INSERT INTO off_link (token_digest, member_id, expires_at) SELECT 'off', id, now() FROM member LIMIT 1",
]

IGNORED = [
    *LETTERS_CHOSEN,
    "INSERT INTO ignored (member_id, persona_id, since) SELECT id, id, now() FROM member LIMIT 1",
]

SILENCED = [
    *IGNORED,
    "INSERT INTO sanction (id, member_id, standing, since) SELECT gen_random_uuid(), id, 'silenced', now() "
    "FROM member LIMIT 1",
]

REPORTED_FROM_OUTSIDE = [
    *SILENCED,
    "INSERT INTO public_report (id, token_digest, request_digest, post, capacity, category, text, is_urgent, "
    "is_flagged, is_waiting, filed_at, due_at) "
    "VALUES (gen_random_uuid(), 'token', 'request', 'Somewhere', 'named', 'rule', 'Rude', "
    "false, false, true, now(), now())",
    "INSERT INTO service_complaint (id, token_digest, request_digest, about, text, is_urgent, made_at, due_at) "
    "VALUES (gen_random_uuid(), 'token', 'request', 'duties', 'Where are they?', false, now(), now())",
]

RAISED = [
    *REPORTED_FROM_OUTSIDE,
    "INSERT INTO concern (id, raised_by, raised_at, text, about_staff, review_on, state) "
    "SELECT gen_random_uuid(), id, now(), 'I worry.', false, current_date, 'open' FROM member LIMIT 1",
    "INSERT INTO concern_person (concern_id, persona_id) SELECT concern.id, persona.id FROM concern, persona LIMIT 1",
    "INSERT INTO concern_audit (id, concern_id, actor_id, act, details, at) "
    "SELECT gen_random_uuid(), id, raised_by, 'raised', '{}', now() FROM concern",
]

HANDED_OVER = [
    *RAISED,
    'UPDATE board SET hours = \'{"zone": "Europe/London", "week": [], "closed_on": [], "outside": "publish"}\'',
    "INSERT INTO handover_note (id, board_id, author_id, text, at) SELECT gen_random_uuid(), board.id, member.id, "
    "'She was quiet.', now() FROM board, member LIMIT 1",
]

REVIEWED = [
    *HANDED_OVER,
    "INSERT INTO sanction (id, member_id, standing, since, until) SELECT gen_random_uuid(), id, 'reviewed', now(), "
    "now() + '7 days' FROM member LIMIT 1",
]

# A thread waited that is sorted now.
WAITED = [
    *REVIEWED,
    "UPDATE thread SET waiting_since = now()",
    "INSERT INTO draft (member_id, kind, place_id, version, body_markdown, saved_at) "
    "SELECT id, 'board', 1, 1, 'Hello', now() FROM member WHERE handle = 'heron'",
]

# What a forum of that revision held, in that revision's own columns: each a list of statements.
# A new migration adds the data of the revision before it here.
DATA: dict[str, list[str]] = {
    "0001": FIRST,
    "0002": SECOND,
    "0003": THIRD,
    "0004": FOURTH,
    "0005": FOURTH,
    "0006": SIXTH,
    "0007": SEVENTH,
    "0008": EIGHTH,
    "0009": NINTH,
    "0010": TENTH,
    "0011": ELEVENTH,
    "0012": ELEVENTH,
    "0013": THIRTEENTH,
    "0014": THIRTEENTH,
    "0015": FIFTEENTH,
    "0016": FIFTEENTH,
    "0017": FIFTEENTH,
    "0018": EIGHTEENTH,
    "0018b": LINKS_USED,
    "0018c": LINKS_USED,
    "0019": LINKS_USED,
    "0020": HANDLES_GIVEN_UP,
    "0021": EDITS_HELD,
    "0022": COMPLAINED,
    "0023": COMPLAINED,
    "0024": COMPLAINED,
    "0025": COMPLAINED,
    "0026": COMPLAINED,
    "0027": COMPLAINED,
    "0028": COMPLAINED,
    "0029": THREADS_READ,
    "0030": THREADS_FOLLOWED,
    "0031": LETTERS_CHOSEN,
    "0032": LETTERS_CHOSEN,
    "0033": IGNORED,
    "0034": IGNORED,
    "0035": IGNORED,
    "0036": IGNORED,
    "0037": IGNORED,
    "0038": SILENCED,
    "0039": SILENCED,
    "0040": SILENCED,
    "0041": SILENCED,
    "0042": SILENCED,
    "0043": SILENCED,
    "0044": REPORTED_FROM_OUTSIDE,
    "0045": REPORTED_FROM_OUTSIDE,
    "0046": RAISED,
    "0047": RAISED,
    "0048": HANDED_OVER,
    "0049": HANDED_OVER,
    "0050": REVIEWED,
    "0051": REVIEWED,
    "0052": REVIEWED,
    "0053": WAITED,
    "0054": WAITED,
    "0055": WAITED,
    "0056": WAITED,
    "0058": WAITED,
    "0059": WAITED,
    "0060": WAITED,
    "0061": WAITED,
    "0062": WAITED,
    "0063": WAITED,
    "0065": WAITED,
    "0065b": WAITED,
    "0066": WAITED,
    "0067": WAITED,
    "0068": WAITED,
    "0069": WAITED,
    "0070": WAITED,
    "0071": WAITED,
    "0072": WAITED,
    "0074": WAITED,
    "0074b": WAITED,
    "0074c": WAITED,
    "0074d": WAITED,
    "0074e": WAITED,
    "0075": WAITED,
}


@pytest.fixture
async def empty(server: embedded_postgres.Server, operator: AsyncConnection) -> AsyncIterator[AsyncEngine]:
    """A database in which nothing has run."""
    await operator.execute(text("CREATE DATABASE migrating TEMPLATE template1 STRATEGY FILE_COPY"))
    engine = create_async_engine(database_called(server.url, "migrating"))
    try:
        yield engine
    finally:
        await engine.dispose()
        await operator.execute(text("DROP DATABASE migrating WITH (FORCE)"))


@pytest.fixture
async def migrated(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database in which all have run."""
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


async def migrate(engine: AsyncEngine, revision: str) -> None:
    await asyncio.to_thread(database.migrate, url(engine), revision)


def url(engine: AsyncEngine) -> str:
    return engine.url.render_as_string(hide_password=False)


async def counts(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as connection:
        tables = (await connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))).all()
        return {table: await connection.scalar(text(f'SELECT count(*) FROM "{table}"')) or 0 for table in tables}


def test_each_revision_before_the_last_has_its_data_and_that_of_all_before_it() -> None:
    assert list(DATA) == REVISIONS[:-1]
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(DATA.values()))


async def insert(engine: AsyncEngine, data: Sequence[str]) -> dict[str, int]:
    """Run these statements, and return how many rows each table has then."""
    async with engine.begin() as connection:
        for statement in data:
            await connection.execute(text(statement))
    return await counts(engine)


async def all_is_there(engine: AsyncEngine, before: dict[str, int]) -> None:
    after = await counts(engine)
    assert {table: after[table] for table in before} == before
    assert after["persona"] == after["member"]
    assert after["case_post"] == after["moderation_case"]
    async with engine.connect() as connection:
        tallied = await connection.execute(text("SELECT persona_id = (SELECT id FROM member), posts FROM post_tally"))
        assert tallied.all() == [(True, 1)]


async def test_a_forum_with_data_comes_up_from_each_earlier_revision(empty: AsyncEngine) -> None:
    """One forum that lives through all of them, and at each gets what it can hold from then on."""
    data, before = list[str](), dict[str, int]()
    for revision, of_revision in DATA.items():
        if len(of_revision) > len(data):
            await migrate(empty, revision)
            after = await counts(empty)
            assert {table: after[table] for table in before} == before, revision
            before = await insert(empty, of_revision[len(data) :])
            data = of_revision
    await migrate(empty, "head")
    await all_is_there(empty, before)


async def test_what_was_written_under_the_release_before_comes_up(empty: AsyncEngine) -> None:
    await migrate(empty, REVISIONS[-2])
    before = await insert(empty, DATA[REVISIONS[-2]])
    await migrate(empty, "head")
    await all_is_there(empty, before)


async def test_an_open_appeal_bars_whoever_took_the_decision(empty: AsyncEngine) -> None:
    await migrate(empty, "0011")
    await insert(empty, ELEVENTH)
    await migrate(empty, "head")
    async with empty.connect() as connection:
        barred = await connection.scalar(text("SELECT barred_id FROM moderation_case WHERE kind = 'appeal'"))
        assert barred == await connection.scalar(text("SELECT decided_by FROM decision"))


async def test_what_the_previous_release_reports_while_this_migrates_is_taken(migrated: AsyncEngine) -> None:
    assert (await insert(migrated, SECOND))["report"] == 1


async def test_every_migration_can_be_taken_back_and_done_again(empty: AsyncEngine) -> None:
    await migrate(empty, "head")
    done = await counts(empty)
    await asyncio.to_thread(command.downgrade, database.alembic_config(url(empty)), "base")
    assert await counts(empty) == {"alembic_version": 0}
    # Where one commits before its end, it may be killed there, and is begun again.
    folder = ScriptDirectory(str(database.MIGRATIONS))
    for revision in REVISIONS[REVISIONS.index("0072") :]:
        await migrate(empty, revision)
        if "autocommit_block" in inspect.getsource(folder.get_revision(revision).module):
            async with empty.begin() as connection:
                before = REVISIONS[REVISIONS.index(revision) - 1]
                await connection.execute(text(f"UPDATE alembic_version SET version_num = '{before}'"))
            await migrate(empty, revision)
    await migrate(empty, "head")
    assert await counts(empty) == done


async def test_two_processes_that_migrate_at_once_do_it_once(empty: AsyncEngine) -> None:
    settings = os.environ | {"FORUM_DATABASE_URL": url(empty)}
    arguments = (sys.executable, "-m", "forum", "migrate")
    both = [await asyncio.create_subprocess_exec(*arguments, env=settings) for _ in range(2)]
    assert [await process.wait() for process in both] == [0, 0]
    async with empty.connect() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == REVISIONS[-1]


async def test_an_ordinary_post_is_kept_as_it_is_and_a_long_one_packed(migrated: AsyncEngine) -> None:
    await insert(migrated, FIRST)
    async with migrated.begin() as connection:
        sizes = []
        for length in (1200, 20_000):
            words = {"said": "I see. " * (length // 7)}
            await connection.execute(text("UPDATE post SET body_markdown = :said, body_html = :said"), words)
            packed = text("SELECT pg_column_size(body_html) < octet_length(body_html) FROM post")
            sizes.append(await connection.scalar(packed))
    assert sizes == [False, True]
