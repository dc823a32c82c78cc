"""How long it takes to look at an old board and to move it, and how much memory. The boards are made up."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from rich.table import Table

from tests.support.old_boards import make_board, write

VERSIONS = ("3.3.14", "3.0.12")
POSTS_OF_A_MEMBER = 50
_LOOKED_AFTER = 0.2  # seconds


def measure(posts: int) -> Table:
    """Look at a board of each form, move it into a new forum, run again, where nothing is new, and check it."""
    table = Table("", "seconds", "posts/s", "CPU s/1,000 posts", "peak MB", box=None, pad_edge=False)
    with tempfile.TemporaryDirectory(prefix="forum-moving-") as name:
        for version in VERSIONS:
            folder = Path(name) / version
            folder.mkdir()
            dump = write(
                make_board(posts, members=posts // POSTS_OF_A_MEMBER, version=version),
                folder / "board.sql.gz",
                "mysqldump",
            )
            plan = folder / "moving.toml"
            moved = ["run", dump, "--plan", plan, "--skip-backup"]
            commands = {
                "look": ["look", dump, "--to", folder],
                "run": moved,
                "run again": moved,
                "check": ["check", dump],
            }
            for called, command in commands.items():
                seconds, cpu, peak = _run(list(map(str, command)), folder)
                what = f"{called}: phpBB {version}, {posts:,} posts"
                figures = (
                    f"{seconds:.1f}",
                    f"{posts / seconds:,.0f}",
                    f"{cpu / posts * 1_000:.2f}",
                    f"{peak / 2**20:,.0f}",
                )
                table.add_row(what, *figures)
    return table


def _run(command: Sequence[str], folder: Path) -> tuple[float, float, int]:
    """Return how long a command took, how long processors worked for it, and the most memory that it held.

    The memory is that of all its processes but PostgreSQL's.
    """
    settings = {"FORUM_DATA": str(folder / "data"), "FORUM_PUBLIC_URL": "https://forum.example.org"}
    begun, before, peak = time.perf_counter(), _cpu(), 0
    with subprocess.Popen(
        [sys.executable, "-m", "forum", "import", *command], env={**os.environ, **settings}, stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            with suppress(psutil.Error):
                peak = max(peak, _held(psutil.Process(process.pid)))
            time.sleep(_LOOKED_AFTER)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - begun, _cpu() - before, peak


def _cpu() -> float:
    """Return the seconds of processors that processes took which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _held(process: psutil.Process) -> int:
    """Return what a process and those that it started hold; what several share counts once."""
    held = 0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            if "postgres" not in one.name():
                held += one.memory_full_info().pss
    return held
