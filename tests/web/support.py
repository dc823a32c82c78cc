"""Read pages as a browser does: their text, their forms with what is filled in."""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

import html5lib
import httpx

HIDDEN = {"script", "style", "head"}


@lru_cache(100)
def parsed(html: str) -> Element:
    """The tree of a page, which a test asks several things. Raises html5lib's ParseError for a page with a fault."""
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


def said_of_anywhere(answer: httpx.Response) -> tuple[int, str]:
    """The status and the page, without the page's own address, to which a guest comes back who signs in."""
    return answer.status_code, re.sub(r'\?back=[^"]*', "", answer.text)


async def says(client: httpx.AsyncClient, path: str, *words: str) -> None:
    """The page has all of these words."""
    page = await client.get(path)
    assert page.status_code == 200, (path, page.text)
    shown = " ".join(text_of(page.text).split())
    assert [each for each in words if each not in shown] == [], shown


def fields_of(html: str, action: str) -> dict[str, Any]:
    """What a browser would send of the form with this address, as it stands on the page: lists for repeated names."""
    tree = parsed(html)
    asked_for = {button.get("form") for button in tree.iter("button") if button.get("formaction") == action} - {None}
    for candidate in tree.iter("form"):
        others = {button.get("formaction") for button in candidate.iter("button")}
        if action in {candidate.get("action"), *others} or candidate.get("id") in asked_for:
            found: dict[str, list[str]] = {}
            for field in candidate.iter():
                if field.tag in {"input", "textarea", "select"} and _is_sent(field):
                    found.setdefault(str(field.get("name")), []).append(_value(field))
            return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
    raise AssertionError(f"There is no form for {action}")


def _value(field: Element) -> str:
    if field.tag == "select":
        options = list(field.iter("option"))
        chosen = [option for option in options if option.get("selected") is not None]
        return (chosen or options)[0].get("value", "")
    return (field.text or "").removeprefix("\n") if field.tag == "textarea" else field.get("value", "")


def _is_sent(field: Element) -> bool:
    is_choice = field.get("type") in {"checkbox", "radio"}
    return field.get("name") is not None and (not is_choice or field.get("checked") is not None)


async def form(client: httpx.AsyncClient, page: httpx.Response, action: str, **typed: Any) -> httpx.Response:
    """Send the form of a page, with what was typed into its fields, as a browser does."""
    values = fields_of(page.text, action) | typed
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    headers["Referer"] = str(page.url)
    return await client.post(action, content=urlencode(values, doseq=True), headers=headers)
