"""What makes the pages those of one charity: its texts, its colour and its mark. Read once, when the process starts."""

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from forum.core.settings import Settings
from forum.web import assets
from forum.web.assets import Asset
from forum.web.texts import MARK, Texts, TextsError, read_texts

LARGEST_MARK = 20_000  # bytes: it is loaded with every page
# Elements that only draw. Scripts, styles, links, images and foreign objects are none of them.
DRAWING = frozenset(
    {
        *("svg", "g", "defs", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
        *("linearGradient", "radialGradient", "stop", "clipPath", "mask", "symbol", "use", "text", "tspan"),
    }
)
FOREIGN = re.compile(r"url\(\s*['\"]?(?!#)|javascript:|@import|expression\(", re.IGNORECASE)
NAMESPACES = ("http://www.w3.org/2000/svg", "")


@dataclass(frozen=True)
class Branding:
    """The texts, the styles written into each page, what a page may load, and the charity's own mark."""

    texts: Texts
    style: str
    mark: Asset | None = None

    @cached_property
    def policy(self) -> str:
        """The Content-Security-Policy of the pages: `style-src` names the one style in them by its hash."""
        return assets.policy(b64encode(sha256(self.style.encode()).digest()).decode())


def branding_of(settings: Settings) -> Branding:
    """Return the branding of these settings. Raises TextsError for a folder that cannot be used."""
    folder = settings.texts
    texts = read_texts(folder)
    mark = read_mark(folder / MARK) if folder and (folder / MARK).exists() else None
    return Branding(texts, assets.INLINE_STYLE + accent_style(settings.accent, settings.accent_dark), mark)


def accent_style(light: str | None, dark: str | None) -> str:
    """Return the styles that give the pages another accent; without one, none."""
    styles = ""
    if light:
        styles += f":root{{--accent:{light}}}"
    if dark or light:
        # A colour for light pages is no colour for dark ones: those keep theirs.
        chosen = dark or assets.DARK_ACCENT
        styles += (
            f"@media (prefers-color-scheme:dark){{:root:not([data-colours=light]){{--accent:{chosen}}}}}"
            f":root[data-colours=dark]{{--accent:{chosen}}}"
        )
    return styles


def read_mark(path: Path) -> Asset:
    """Return the mark of a charity. Raises TextsError when it is no drawing, or does more than to draw.

    Browsers run no script of an image; but whoever opens its address alone would have it run on this site.
    """
    content = path.read_bytes()
    if len(content) > LARGEST_MARK:
        raise TextsError(f"{path} has more than {LARGEST_MARK:,} bytes. Every page loads it.")
    try:
        # Without a document type there are no entities, which could make a few bytes to gigabytes.
        if b"<!" in content.replace(b"<!--", b""):
            raise TextsError(f"{path} must not have a document type or CDATA.")
        root = ElementTree.fromstring(content)  # noqa: S314 - no entities, see above
    except ElementTree.ParseError as error:
        raise TextsError(f"{path} is no SVG: {error}.") from None
    if _name(root)[1] != "svg":
        raise TextsError(f"{path} is no SVG: its outermost element is {_name(root)[1]}.")
    for element in root.iter():
        _refuse_more_than_drawing(path, element)
    return assets.make_asset("mark", ".svg", content)


def _refuse_more_than_drawing(path: Path, element: Element) -> None:
    namespace, name = _name(element)
    if namespace not in NAMESPACES or name not in DRAWING:
        raise TextsError(f"{path} may only draw; take out the element {name}.")
    for attribute, value in element.attrib.items():
        short = attribute.rpartition("}")[2].lower()
        leads_away = short in {"href", "src"} and not value.startswith("#")
        if short.startswith("on") or leads_away or FOREIGN.search(value):
            raise TextsError(f"{path} may only draw; take out {short} of the element {name}.")


def _name(element: Element) -> tuple[str, str]:
    namespace, _, name = str(element.tag).rpartition("}")
    return namespace.removeprefix("{"), name
