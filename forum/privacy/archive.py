"""A copy of personal data as a ZIP: each section as JSON for programs, and all as one page to read."""

import html
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Self

from forum.core.export_section import ExportSection, SafeHtml

IN_MEMORY = 16 * 1024 * 1024  # bytes: few copies are larger
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Your personal data</title>
<style>
body {{ font: 1rem/1.5 sans-serif; max-width: 45rem; margin: auto; padding: 1rem }}
dl {{ border-top: 1px solid; padding-top: 1rem }}
dt {{ font-weight: bold }}
dd {{ overflow-wrap: anywhere; white-space: pre-line }}
dd div {{ white-space: normal }}
</style>
</head>
<body>
<h1>Your personal data</h1>
<p>Made on {made}. It contains what you may read of your own data: nothing that others wrote, and not who reported you.
Texts that were removed or that you withdrew are not in it; what a decision was about is under “What was decided about
you”. The folder “data” has the same for programs.</p>
{parts}
</body>
</html>
"""


class Archive:
    """The ZIP of a copy while it is made, section by section: the words of a large one are not in memory all at once.

    Its page loads nothing from elsewhere.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        # Without a name on the disk, and there only where they are large.
        self._file, self._page = (tempfile.SpooledTemporaryFile(IN_MEMORY) for _ in range(2))  # noqa: SIM115 - __exit__ closes them
        self._zip = zipfile.ZipFile(self._file, "w")
        self._before, _, self._after = PAGE.format(made=f"{now:%d %B %Y}", parts="\0").partition("\0")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._zip, self._file, self._page):
            file.close()

    def add(self, sections: Iterable[ExportSection]) -> None:
        """Add some sections."""
        for section in sections:
            text = json.dumps(section.items, ensure_ascii=False, indent=2, default=_plain)
            self._zip.writestr(self._info(f"data/{section.name}.json"), text)
            self._page.write(f"<h2>{html.escape(section.title)}</h2>\n".encode())
            for item in map(_item, section.items):
                self._page.write(f"{item}\n".encode())
            if not section.items:
                self._page.write(b"<p>Nothing.</p>\n")

    def parts(self, size: int) -> Iterator[bytes]:
        """Add the page, and give the whole ZIP in parts of this size."""
        self._page.seek(0)
        with self._zip.open(self._info("index.html"), "w") as page:
            page.write(self._before.encode())
            shutil.copyfileobj(self._page, page)
            page.write(self._after.encode())
        self._zip.close()
        self._file.seek(0)
        while part := self._file.read(size):
            yield part

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, self._now.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        return info


def _item(item: Mapping[str, Any]) -> str:
    """Return one thing as HTML, without its empty fields."""
    fields = (
        f"<dt>{html.escape(name.replace('_', ' '))}</dt>\n<dd>{_value(value)}</dd>"
        for name, value in item.items()
        if value not in (None, "", [])
    )
    return "<dl>\n" + "\n".join(fields) + "\n</dl>"


def _value(value: object) -> str:
    if isinstance(value, SafeHtml):
        return f"<div>{value}</div>"
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False, default=_plain)
    if isinstance(value, datetime):
        value = f"{value:%d %B %Y, %H:%M} UTC"
    return html.escape(str(value))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
