"""Read pages as a browser does: their text, their forms with what is filled in."""

from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

import html5lib
import httpx

HIDDEN = {"script", "style", "head"}


def parsed(html: str) -> Element:
    """The tree of a page. Raises html5lib's ParseError for a page that is not well formed."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: Element = parser.parse(html)
    return tree


def text_of(html: str) -> str:
    """What people read on a page."""
    return "".join(_texts(parsed(html)))


def _texts(element: Element) -> list[str]:
    if element.tag in HIDDEN or not isinstance(element.tag, str):
        return [element.tail or ""]
    inner = [text for child in element for text in _texts(child)]
    return [element.text or "", *inner, element.tail or ""]


def fields_of(html: str, action: str) -> dict[str, str]:
    """What a browser would send of the form with this address, as it stands on the page."""
    for candidate in parsed(html).iter("form"):
        if candidate.get("action") == action:
            inputs = [field for field in candidate.iter("input") if _is_sent(field)]
            areas = {str(area.get("name")): (area.text or "").removeprefix("\n") for area in candidate.iter("textarea")}
            return {str(field.get("name")): field.get("value", "") for field in inputs} | areas
    raise AssertionError(f"There is no form for {action}")


def _is_sent(field: Element) -> bool:
    is_choice = field.get("type") in {"checkbox", "radio"}
    return field.get("name") is not None and (not is_choice or field.get("checked") is not None)


async def form(client: httpx.AsyncClient, page: httpx.Response, action: str, **typed: Any) -> httpx.Response:
    """Send the form of a page, with what was typed into its fields, as a browser does."""
    values = fields_of(page.text, action) | typed
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    return await client.post(action, content=urlencode(values, doseq=True), headers=headers)
