"""Pictures of every page, for people to look at: `python -m tests.browser.screenshots FOLDER [PATH…]`.

With paths, as tests/web/routes.py has them, only of these.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from tests.browser.house import DESK, PHONE, House, opened
from tests.browser.test_every_page import address, pages


async def take(folder: Path, paths: Collection[str]) -> int:
    """Take a picture of every page for each kind of reader, at two widths, light and dark; how many there are."""
    taken = 0
    with tempfile.TemporaryDirectory() as data:
        async with opened(Path(data)) as house:
            for path, role in (each for each in pages() if not paths or each[0] in paths):
                for viewport in (PHONE, DESK):
                    for scheme in ("light", "dark"):
                        name = re.sub(r"\W+", "-", path).strip("-") or "boards"
                        await _one(house, path, role, folder / f"{name}.{role}.{viewport['width']}.{scheme}.png")
                        taken += 1
    return taken


async def _one(house: House, path: str, role: str, file: Path) -> None:
    width, scheme = file.name.split(".")[-3:-1]
    viewport = PHONE if width == str(PHONE["width"]) else DESK
    async with house.visitor(role, viewport=viewport, color_scheme=scheme) as page:
        await page.goto(address(house, path))
        await page.screenshot(path=file, full_page=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{asyncio.run(take(target, sys.argv[2:]))} pictures in {target}\n")
