"""Every page speaks every language: each message and text is translated, with the plurals that the language has."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from forum.web import texts
from forum.web.languages import ENGLISH, language_of, preferred
from tests.web import catalogue

PLACES = re.compile(r"%\(\w+\)[sd]")
LINK = re.compile(r'href="([^"]*)"')
PART = re.compile(r"<(h[2-4]|tr|th|td|li|p)\b")
NUMBER = re.compile(r"\d+")


def said(message: Message) -> list[str]:
    """The forms of a translation."""
    return list(message.string) if isinstance(message.string, tuple | list) else [message.string]


@pytest.mark.parametrize("code", catalogue.LANGUAGES)
def test_every_message_is_translated(code: str) -> None:
    missing = [message.id for message in catalogue.updated(code) if message.id and not all(said(message))]
    assert missing == [], "python -m tests.web.catalogue adds them to the file"


@pytest.mark.parametrize("code", catalogue.LANGUAGES)
def test_the_file_has_the_messages_of_the_pages_and_no_others(code: str) -> None:
    kept, wanted = catalogue.translated(code), catalogue.messages()
    assert {str(message.id) for message in kept} == {str(message.id) for message in wanted}


@pytest.mark.parametrize("code", catalogue.LANGUAGES)
def test_a_translation_fills_in_what_the_message_does(code: str) -> None:
    for message in catalogue.translated(code):
        wanted = message.id[-1] if isinstance(message.id, tuple | list) else message.id
        for form in said(message):
            places = set(PLACES.findall(form)) - {"%(num)s"}
            assert places == set(PLACES.findall(wanted)) - {"%(num)s"}, message.id


@pytest.mark.parametrize("code", catalogue.LANGUAGES)
def test_every_plural_has_as_many_forms_as_the_language(code: str) -> None:
    catalog = catalogue.translated(code)
    for message in catalog:
        if message.pluralizable and message.id:
            assert len(said(message)) == catalog.num_plurals, message.id


def of_each_text(path: Path, code: str) -> dict[str, object]:
    """What a text says alike in each language: where its links lead, its headings, rows and lists, its numbers."""
    html = texts.parse_text(path, code).html
    return {
        "links": sorted(LINK.findall(html)),
        "parts": PART.findall(html),
        "numbers": sorted(NUMBER.findall(path.read_text(encoding="utf-8"))),
    }


@pytest.mark.parametrize("code", catalogue.LANGUAGES)
@pytest.mark.parametrize("name", texts.TEXTS)
def test_every_text_is_there_with_the_same_links_headings_rows_and_numbers(name: str, code: str) -> None:
    english, other = texts.SHIPPED / f"{name}.{ENGLISH}.md", texts.SHIPPED / f"{name}.{code}.md"
    assert other.exists()
    assert of_each_text(other, code) == of_each_text(english, ENGLISH)
    assert texts.read_texts(None).get(name, code).language == code


def test_welsh_counts_in_its_own_way() -> None:
    welsh = language_of("cy", "Europe/London")
    one, many = "An adviser answered here once:", "Advisers answered here %(num)s times:"
    forms = {welsh.count(one, many, number).replace(str(number), "") for number in (1, 2, 3, 6, 9)}
    assert len(forms) > 1


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ("cy-GB,cy;q=0.9,en;q=0.8", "cy"),
        ("en-GB,en;q=0.9,cy;q=0.1", "en"),
        ("fr", "en"),
        ("fr,cy;q=0.2", "cy"),
        ("cy;q=0,en;q=0.1", "en"),
        ("", "en"),
        ("cy;q=much", "en"),
        (";;;,,,q=", "en"),
    ],
)
def test_a_browser_gets_the_language_that_it_asks_for(asked: str, chosen: str) -> None:
    assert preferred(asked, ("en", "cy")) == chosen
