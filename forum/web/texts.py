"""Longer texts of the pages, as Markdown: what the wheel brings, in each language."""

from functools import cache
from pathlib import Path

from forum.content import markup

TEXTS = Path(__file__).with_name("texts")


@cache
def html(name: str, language: str) -> str:
    """Return a text as safe HTML, in this language where it is there, otherwise in English."""
    files = (TEXTS / f"{name}.{language}.md", TEXTS / f"{name}.en.md")
    return markup.parse(next(file for file in files if file.exists()).read_text(encoding="utf-8")).html()
