"""What few requests need is loaded when it is first used: memory is what a small machine has least of."""

import subprocess
import sys
from pathlib import Path

from forum.core.lazy_modules import load_when_used

ROOT = Path(__file__).parents[3]
LATE = ("alembic", "confusable_homoglyphs", "cryptography", "fastapi", "jinja2", "webauthn", "zxcvbn")


def test_a_process_of_jobs_loads_nothing_that_only_requests_need() -> None:
    program = f"import sys, forum.cli.beside; print([name for name in {LATE} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_a_forum_that_is_served_loads_nothing_that_reads_old_boards() -> None:
    loaded = "import sys, forum.__main__, forum.cli.serve, forum.app; "
    program = loaded + "print([name for name in sys.modules if name.startswith('forum.importers.')])"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    # Old links lead on, what moved is in the copy of one's data, and administrators take a board along.
    assert all(name in told.stdout for name in ("old_links", "own_past"))
    assert not any(name in told.stdout for name in ("phpbb", "wordpress", "mysql_dump", "texts", "report"))


def test_a_module_that_is_loaded_late_is_the_one_that_all_others_import() -> None:
    from forum.authentication.second_factor import passkeys, webauthn

    assert load_when_used("forum.authentication.second_factor.webauthn") is webauthn
    assert passkeys.webauthn is webauthn
