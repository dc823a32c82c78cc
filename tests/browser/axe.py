"""axe-core on a page: how many of its rules are broken, in light, dark and forced colours."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

SOURCE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What colours can break; all else is the same in each scheme.
COLOURS = ["color-contrast", "link-in-text-block"]
SCHEMES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dark", {"color_scheme": "dark"}),
    ("forced", {"color_scheme": "light", "forced_colors": "active"}),
)
RUN = """async (options) => {
  const found = await axe.run(document, options);
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target} ${node.html.slice(0, 160)} ${node.failureSummary.split('\\n')[1]}`));
}"""


async def violations(page: Page, *, schemes: bool = True) -> list[str]:
    """What axe finds on a page as it stands; in all schemes, or in the light one alone."""
    await page.evaluate(SOURCE + ";0")
    await page.evaluate("scrollTo(0, 0)")  # else the bar covers a part of something that is small enough without that
    found = await page.evaluate(RUN, {"runOnly": TAGS, "resultTypes": ["violations"]})
    for name, media in SCHEMES if schemes else ():
        await page.emulate_media(**media)
        dark = await page.evaluate(RUN, {"runOnly": {"type": "rule", "values": COLOURS}, "resultTypes": ["violations"]})
        found += [f"{name}: {violation}" for violation in dark]
    if schemes:
        await page.emulate_media(color_scheme="light", forced_colors="none")
    return [f"{page.url}: {violation}" for violation in found]
