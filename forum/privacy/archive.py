"""A copy of personal data as a ZIP: each section as JSON for programs, and all as one page to read."""

import html
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from forum.core.export_section import ExportSection, SafeHtml

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


def build_zip(sections: Sequence[ExportSection], now: datetime) -> bytes:
    """Return the ZIP. Its page loads nothing from elsewhere."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _files(sections, now):
            archive.writestr(zipfile.ZipInfo(name, now.timetuple()[:6]), text, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _files(sections: Sequence[ExportSection], now: datetime) -> Iterator[tuple[str, str]]:
    parts = "\n".join(map(_section, sections))
    yield "index.html", PAGE.format(made=f"{now:%d %B %Y}", parts=parts)
    for section in sections:
        yield f"data/{section.name}.json", json.dumps(section.items, ensure_ascii=False, indent=2, default=_plain)


def _section(section: ExportSection) -> str:
    items = "\n".join(map(_item, section.items)) or "<p>Nothing.</p>"
    return f"<h2>{html.escape(section.title)}</h2>\n{items}"


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
