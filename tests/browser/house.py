"""A real forum with the made-up community, and real browsers that visit it."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from forum.core import clock
from forum.http.current_member import COOKIE
from tests.support import mailbox, running
from tests.support.running import Forum
from tests.web.village import HANDLES, KEYS, Village, inhabited

HERE = Path(__file__).parent
PHONE, NARROW, DESK, ZOOMED = (
    ViewportSize(width=width, height=height)
    for width, height in ((360, 740), (320, 640), (1280, 800), (320, 256))  # the last: 1280 × 1024 at 400 per cent
)
# Debian's without a window, which needs half the time, and what others are called. Browsers that Playwright would
# download are not used.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
NEUTRAL = "/static/neutral"  # where "Leave" leads here: no test asks another site


@cache
def program() -> str | None:
    """The browser of this machine."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@dataclass
class House:
    """A running forum, its community, and a browser program."""

    address: str
    forum: Forum
    village: Village
    chromium: Browser
    idle: dict[str, Page] = field(default_factory=dict)  # by language, on a narrow screen, of nobody

    @asynccontextmanager
    async def visitor(self, who: str = "guest", **about: Any) -> AsyncIterator[Page]:
        """A page in a browser of its own: of a role of the village, of a member by handle, or of a guest."""
        context = await self._context(**about)
        if who != "guest":
            await self.sign_in(context, who)
        try:
            yield await context.new_page()
        finally:
            await context.close()

    @asynccontextmanager
    async def reader(self, who: str, locale: str = "en-GB") -> AsyncIterator[Page]:
        """A page on a narrow screen, in a browser that others had before and will have: a new one would have to read
        our files and axe anew, a third of all work. We keep nothing in browsers but cookies, and those go. Where
        something fails, the next reader gets a new one."""
        if not (page := self.idle.pop(locale, None)):
            page = await (await self._context(viewport=NARROW, locale=locale)).new_page()
        if who != "guest":
            await self.sign_in(page.context, who)
        yield page
        await page.context.clear_cookies()
        await page.set_viewport_size(NARROW)
        self.idle[locale] = page

    async def _context(self, **about: Any) -> BrowserContext:
        return await self.chromium.new_context(
            **{
                "base_url": self.address,
                "viewport": PHONE,
                "locale": "en-GB",
                "reduced_motion": "reduce",  # a page that still scrolls has its links elsewhere
                **about,
            }
        )

    async def sign_in(self, context: BrowserContext, who: str) -> None:
        """Give a browser a new session."""
        token = await self.village.session_of(HANDLES.get(who, who))
        # The protocol wants a secure address for a cookie of this kind; the browser then sends it to localhost, too.
        cookie: Any = {"name": COOKIE, "value": token, "url": "https://localhost/", "secure": True, "httpOnly": True}
        await context.add_cookies([cookie])

    async def letter_to(self, address: str) -> str:
        """The words of the newest mail to an address; it is taken out of the mailbox."""
        found: list[Path] = []

        def came() -> bool:
            files = sorted((self.forum.data / "mailbox").glob("*.eml"))
            found[:] = [file for file in files if mailbox.read(file.read_bytes())["To"] == address]
            return bool(found)

        assert await running.until(came), f"No mail came to {address}."
        words = mailbox.words(mailbox.read(found[-1].read_bytes()))
        found[-1].unlink()
        return words

    def code_of(self, handle: str) -> str:
        """The code that the app of somebody of the staff shows now."""
        return KEYS.code_of(handle, self.now())

    @staticmethod
    def now() -> datetime:
        """The time, for codes."""
        return clock.now()

    async def client(self) -> httpx.AsyncClient:
        """A guest of the API."""
        return running.client(self.address)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[House]:
    """A forum of its own with its data below `folder`; neither it nor the browser outlives the block."""
    executable = program()
    if executable is None:
        raise RuntimeError("There is no Chromium here: apt-get install chromium-headless-shell")
    port = running.free_port()
    address = f"http://localhost:{port}"  # passkeys need a name, and no address
    ours = {
        "FORUM_PUBLIC_URL": address,
        "FORUM_NAME": "The Kitchen Table",
        "FORUM_CHARITY": "Example Family Charity",
        "FORUM_NEUTRAL_SITE": address + NEUTRAL,
        "FORUM_LANGUAGES": "en,cy",
    }
    async with running.started(folder, "serve", port=port, **ours) as forum:
        await forum.ready()
        async with running.beside(forum) as app, inhabited(app) as village, async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            try:
                yield House(address, forum, village, chromium)
            finally:
                await chromium.close()
