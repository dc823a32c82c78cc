"""The messages of the pages: `python -m tests.web.catalogue` brings the `.po` files up to what the pages say.

A translation that fits no longer is dropped and not guessed at: `tests/web/test_languages.py` fails until it is there.
"""

from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from forum.web.languages import ENGLISH, LOCALE, NAMES

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = "web/templates/**.html"
ADVICE = "screening/personal_information/words.py"
METHODS = [(TEMPLATES, "jinja2.ext.babel_extract"), ("web/**.py", "python"), ("app.py", "python"), (ADVICE, "python")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "mark": None, "say": None, "count": (1, 2)}
OPTIONS = {TEMPLATES: {"silent": "false", "trimmed": "true", "newstyle_gettext": "true"}}
HEADER = """\
# The pages in Welsh. No speaker of Welsh has reviewed these messages yet: each of them is unreviewed.
#"""
SINCE = datetime(2026, 11, 28, tzinfo=UTC)  # the same in every file that is written: only messages make a difference


def messages() -> Catalog:
    """Everything that the pages say, in English, with where it is said."""
    catalog = Catalog()
    for package in ("forum", "moderation"):
        found = extract_from_dir(ROOT / package, METHODS, OPTIONS, KEYWORDS, comment_tags=())
        for name, _, message, _, context in found:
            if message:
                catalog.add(message, locations=[(f"{package}/{name}", 0)], context=context)
    return catalog


def translated(code: str) -> Catalog:
    """The messages in one language, as they are kept."""
    file = LOCALE / code / "forum.po"
    if not file.exists():
        return Catalog(locale=code)
    with file.open("rb") as opened:
        return read_po(opened, locale=code)


def updated(code: str) -> Catalog:
    """The messages in one language, with those that are new and without those that are gone."""
    catalog = translated(code)
    catalog.update(messages(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.header_comment, catalog.fuzzy = HEADER, False
    catalog.msgid_bugs_address = catalog.last_translator = ""
    catalog.project, catalog.version, catalog.creation_date = "Peer support forum", "1", SINCE
    return catalog


# Every language but English, in which the messages are written.
LANGUAGES = [code for code in NAMES if code != ENGLISH]


def main() -> None:
    """Write the files anew."""
    for code in LANGUAGES:
        catalog = updated(code)
        with (LOCALE / code / "forum.po").open("wb") as file:
            write_po(file, catalog, width=110, sort_output=True, no_location=True, omit_header=False)
        missing = sum(not message.string or not all(message.string) for message in catalog if message.id)
        print(f"{code}: {len(catalog)} messages, {missing} not translated")  # noqa: T201


if __name__ == "__main__":
    main()
