"""How soon a page is there on a slow line: `python -m tests.browser.lcp`. Prints a table; judges nothing.

The largest contentful paint and the layout shift of three visits with an empty cache, at 400 kbit/s and 400 ms for each
way there and back. Run it on a machine that does nothing else.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.browser.house import House, opened

SLOW = {"offline": False, "latency": 400, "downloadThroughput": 400_000 / 8, "uploadThroughput": 400_000 / 8}
OBSERVE = """
window.paint = 0; window.shift = 0;
new PerformanceObserver((list) => { for (const each of list.getEntries()) window.paint = each.startTime; })
  .observe({ type: 'largest-contentful-paint', buffered: true });
new PerformanceObserver((list) => { for (const each of list.getEntries()) window.shift += each.value; })
  .observe({ type: 'layout-shift', buffered: true });
"""


def _places(house: House) -> Iterator[tuple[str, str]]:
    thread = house.village.places["thread"]
    yield from (("guest", path) for path in ("/", "/boards/court", f"/threads/{thread}", "/help", "/sign-in", "/join"))
    yield from (("member", path) for path in ("/", f"/threads/{thread}", f"/threads/{thread}/reply", "/me"))
    yield "moderator", "/moderation"


async def _visit(house: House, who: str, path: str) -> tuple[float, float]:
    async with house.visitor(who) as page:
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        await session.send("Network.emulateNetworkConditions", SLOW)
        await page.add_init_script(OBSERVE)
        await page.goto(path)
        await page.wait_for_load_state("networkidle")
        paint, shift = await page.evaluate("[window.paint, window.shift]")
        return float(paint), float(shift)


async def measure() -> None:
    """Print the median of three visits to each page."""
    with tempfile.TemporaryDirectory() as data:
        async with opened(Path(data)) as house:
            sys.stdout.write("| page | who | largest paint, ms | layout shift |\n|---|---|---|---|\n")
            for who, path in _places(house):
                visits = [await _visit(house, who, path) for _ in range(3)]
                paint, shift = median(seen[0] for seen in visits), max(seen[1] for seen in visits)
                sys.stdout.write(f"| {path} | {who} | {paint:.0f} | {shift:.3f} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(measure())
