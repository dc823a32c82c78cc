"""What a charity makes its own: texts, colour, mark; and what of it is refused before the forum starts."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from typer.testing import CliRunner

from forum.__main__ import cli
from forum.core import contrast
from forum.core.settings import DARK_GROUNDS, LIGHT_GROUNDS, Settings
from forum.web import assets, branding, texts
from forum.web.texts import TextsError
from tests.support import make
from tests.web.support import text_of

DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z"/></svg>'


def written(folder: Path, **files: str) -> Settings:
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return Settings(texts=folder)


async def test_the_charity_s_own_words_stand_on_the_pages(settings: Settings, tmp_path: Path) -> None:
    own = written(
        tmp_path,
        front__en__md="# We sit beside you\n\nAsk *anything*.",
        lines__en__md="# Ring us\n\n[0800 123](tel:0800123), or read [the rules](/rules).",
    )
    (tmp_path / "mark.svg").write_bytes(DRAWING)
    changed = settings.model_copy(update={"texts": own.texts, "accent": "#7a1f3d", "app_name": "Notes"})
    async with make.application(changed) as app, make.client(app) as guest:
        page = await guest.get("/")
        assert "We sit beside you" in text_of(page.text)
        in_welsh = await guest.get("/", headers={"Accept-Language": "cy"})
        assert '<h1 lang="en">We sit beside you</h1>' in in_welsh.text
        assert 'href="tel:0800123"' in page.text
        assert 'href="/rules"' in page.text
        assert "--accent:#7a1f3d" in page.text
        [style] = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
        digest = b64encode(sha256(style.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in page.headers["Content-Security-Policy"]
        [mark] = re.findall(r'<img src="(/static/mark[^"]+)"', page.text)
        assert (await guest.get(mark)).content == DRAWING
        assert (await guest.get("/favicon.ico")).headers["Location"] == mark
        assert (await guest.get("/manifest.webmanifest")).json()["short_name"] == "Notes"


async def test_a_text_that_is_there_in_one_language_is_not_mixed_with_ours_in_another(tmp_path: Path) -> None:
    own = texts.read_texts(written(tmp_path, lines__cy__md="# Ffoniwch\n\n0800 1").texts)
    assert own.get("lines", "en").language == "cy"
    assert own.get("lines", "cy").title == "Ffoniwch"
    assert own.get("help", "en").title == "Help now"
    own = texts.read_texts(written(tmp_path, help__en__md="# Our help").texts)
    assert own.get("help", "cy").title == "Our help"
    # What `forum pages` copied and nobody edited is still ours.
    ours = texts.shipped_files()["help.cy.md"].read_text(encoding="utf-8")
    own = texts.read_texts(written(tmp_path, help__en__md="# Our help", help__cy__md=ours).texts)
    assert own.get("help", "cy").title == "Our help"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("hepl.en.md", "# Help", "hepl.en.md is none of the texts"),
        ("help.fr.md", "# Aide", "help.fr.md is none of the texts"),
        ("help.md", "# Help", "help.md is none of the texts"),
        ("help.en.md", "Help", "has to begin with a heading"),
        ("help.en.md", "", "has to begin with a heading"),
        ("help.en.md", "# Help\n" + "x" * 100_001, "is longer than"),
        ("mark.svg", "<svg><script>alert(1)</script></svg>", "take out the element script"),
        ("mark.svg", '<svg><path onclick="x()"/></svg>', "take out onclick"),
        ("mark.svg", '<svg><use href="https://evil.example/a.svg#b"/></svg>', "take out href"),
        ("mark.svg", '<svg><path fill="url(https://evil.example/#b)"/></svg>', "take out fill"),
        ("mark.svg", "<svg><style>@import 'x'</style></svg>", "take out the element style"),
        ("mark.svg", '<svg><image href="data:image/png;base64,x"/></svg>', "take out the element image"),
        ("mark.svg", '<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg>&a;</svg>', "must not have a document type"),
        ("mark.svg", "<html/>", "is no SVG"),
        ("mark.svg", "<svg>", "is no SVG"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_name(tmp_path: Path, name: str, content: str, why: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(TextsError, match=re.escape(why)):
        branding.branding_of(Settings(texts=tmp_path))


def test_a_file_that_is_no_text_is_refused_and_so_is_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TextsError, match="no folder"):
        branding.branding_of(Settings(texts=tmp_path / "none"))
    (tmp_path / "help.en.md").write_bytes(b"# \xff")
    with pytest.raises(TextsError, match="cannot be read as text"):
        branding.branding_of(Settings(texts=tmp_path))


def test_a_text_cannot_bring_what_the_pages_forbid() -> None:
    for hostile in (
        "<script>x</script>",
        '<p style="x" onclick="y">',
        "[x](javascript:alert(1))",
        "![x](//e.example/i)",
    ):
        html = texts.render(hostile)
        assert not re.search(r"<script|<p style|<img|href=\"javascript", html), html


@pytest.mark.parametrize(("colour", "why"), [("#ffcc00", "is 1.3"), ("teal", "# and six digits"), ("#fff", "six")])
def test_a_colour_on_which_some_cannot_read_is_refused_with_its_contrast(colour: str, why: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        Settings(accent=colour)
    assert Settings(accent="#1F4E4F", accent_dark="#9ad6cf").accent == "#1f4e4f"


def test_the_grounds_of_a_colour_are_those_of_the_style_sheet() -> None:
    light, dark = (
        re.search(r":root\{(.*?)\}", assets.INLINE_STYLE),
        re.search(r"data-colours=dark\]\{(.*?)\}", assets.INLINE_STYLE),
    )
    assert light
    assert dark
    for tokens, grounds in ((light[1], LIGHT_GROUNDS), (dark[1], DARK_GROUNDS)):
        assert set(re.findall(r"--(?:paper|card|on-accent):(#\w+)", tokens)) == set(grounds)
    assert f"--accent:{assets.DARK_ACCENT}" in dark[1]


def test_the_contrast_of_two_colours() -> None:
    assert contrast.ratio("#000000", "#ffffff") == pytest.approx(21)
    assert contrast.ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_texts_are_copied_into_a_folder_and_what_is_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    first = CliRunner().invoke(cli, ["pages", str(folder)])
    assert first.exit_code == 0, first.output
    shipped = len(texts.shipped_files())
    assert first.output.count("copied now") == shipped
    (folder / "help.en.md").write_text("# Our help\n", encoding="utf-8")
    second = CliRunner().invoke(cli, ["pages", str(folder)])
    assert second.output.count("as it came") == shipped - 1
    assert (folder / "help.en.md").read_text(encoding="utf-8") == "# Our help\n"
    assert branding.branding_of(Settings(texts=folder)).texts.get("help", "en").title == "Our help"


async def test_old_addresses_that_browsers_and_machines_ask_for_are_answered(app: FastAPI) -> None:
    async with make.client(app) as guest:
        assert (await guest.get("/favicon.ico")).status_code == 302
        assert "Disallow: /me" in (await guest.get("/robots.txt")).text
        assert (await guest.get("/manifest.webmanifest")).status_code == 404
