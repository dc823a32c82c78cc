"""The README keeps its word: its tour works when it is pasted, and it names every setting."""

import asyncio
import os
import re
import subprocess
from pathlib import Path

from forum.settings import Settings
from tests.stories import running

README = (running.ROOT / "README.md").read_text(encoding="utf-8")


async def test_the_tour_works_when_it_is_pasted(tmp_path: Path) -> None:
    tour = README.partition("## A tour with curl")[2].partition("```sh\n")[2].partition("```")[0]
    async with running.started(tmp_path, "demo") as forum:
        await forum.ready()
        address = str(forum.http.base_url).rstrip("/")
        pasted = tour.replace("http://127.0.0.1:8000", address)
        assert pasted != tour
        where = {**os.environ, "FORUM_DATA": str(forum.data)}
        done = await asyncio.to_thread(
            subprocess.run, ["bash", "-e"], input=pasted, capture_output=True, text=True, env=where
        )
    assert done.returncode == 0, done.stderr
    assert "ring 999" in done.stdout
    assert "What happens on Monday?" in done.stdout
    assert "{'name': 'Suzie', 'title': 'Online adviser', 'organisation': 'Example Family Charity'}" in done.stdout
    assert '"title":"Stale","status":409' in done.stdout
    assert '"changed_by":"Suzie"' in done.stdout


def test_the_readme_names_every_setting() -> None:
    named = set(re.findall(r"`(FORUM_[A-Z_]+)`", README))
    missing = {f"FORUM_{name.upper()}" for name in Settings.model_fields} - named
    assert missing == set()
