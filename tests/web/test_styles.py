"""The style sheets and the script: contrasts, old browsers, weight, nothing from elsewhere, nothing kept."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from forum.web.assets import ASSETS

TEXT, SHAPE = 4.5, 3.0  # WCAG 2.2: 1.4.3 for text, 1.4.11 for edges of fields and signs
# What stands on what, and how much they must differ. What one rule sets together is found in the sheets besides.
PAIRS = (
    *((ink, ground, TEXT) for ink in ("ink", "link", "visited") for ground in ("paper", "card", "adviser", "wash")),
    *(("ink", ground, TEXT) for ground in ("fault-wash",)),
    *(("soft", ground, TEXT) for ground in ("paper", "card", "adviser")),
    *(("accent", ground, TEXT) for ground in ("paper", "card")),
    *(("fault", ground, TEXT) for ground in ("paper", "card", "fault-wash")),
    *(("edge", ground, SHAPE) for ground in ("paper", "card", "adviser")),
    *(("adviser-edge", ground, SHAPE) for ground in ("paper", "card")),
    *(("focus", ground, SHAPE) for ground in ("paper", "card", "adviser", "wash")),
    ("adviser-ink", "adviser", TEXT),
    ("lamp-ink", "wash", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-pill", "pill", TEXT),
)
# Properties of Chrome 80, Safari 13 and Firefox 78 (MDN's table of compatibility). A new one: look there first.
BASELINE = """
-webkit-text-size-adjust align-items align-self background background-color border border-bottom
border-bottom-color border-collapse border-color border-left border-left-color border-left-width border-radius
border-right border-spacing border-style border-top border-top-color border-width bottom box-shadow box-sizing
clear clip color content cursor display fill flex flex-direction flex-grow flex-shrink flex-wrap float font
font-family font-size font-style font-variant-numeric font-weight grid-column grid-column-gap grid-gap grid-row
grid-template-columns height hyphens justify-content justify-items left letter-spacing line-height list-style
list-style-type margin margin-bottom margin-left margin-right margin-top max-height max-width min-height
min-width opacity order outline outline-offset overflow overflow-wrap overflow-x overflow-y padding
padding-bottom padding-left padding-right padding-top page-break-inside pointer-events position quotes resize
right stroke stroke-width table-layout text-align text-decoration text-indent text-overflow text-transform top
transform unicode-bidi vertical-align visibility white-space width word-break word-wrap z-index
"""
KNOWN = frozenset(BASELINE.split())
# What such a browser may do without.
EXTRAS = {
    "accent-color",
    "field-sizing",
    "forced-color-adjust",
    "scroll-behavior",
    "scroll-margin-top",
    "scroll-padding-top",
    "text-underline-offset",
    "text-wrap",
}
# A rule whose selector a browser does not know is no rule: these stand alone, and do without.
SELECTOR_EXTRAS = {":focus:not(:focus-visible)"}
TOO_NEW_SELECTORS = re.compile(
    r":has\(|:is\(|:where\(|:focus-visible|:user-|:dir\(|:not\([^)]*[, >+~][^)]*\)|&|::marker"
)
TOO_NEW_VALUES = re.compile(
    r"\bclamp\(|\bcolor-mix\(|\blight-dark\(|\boklch\(|\blab\(|\d[dsl]v[hwib]\b|\bcqi\b|\benv\(|\brevert\b|\banywhere\b"
)
AT_RULES = re.compile(r"@media |@supports |@page\b")
TOO_NEW_MEDIA = re.compile(r"[<>]|\bor\b")
NEVER = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|localStorage|sessionStorage|indexedDB|"
    r"document\.cookie|serviceWorker|https?://|import\(|sendBeacon"
)


@dataclass(frozen=True)
class Rule:
    """One rule, with what must hold for it to apply."""

    around: tuple[str, ...]
    selector: str
    declarations: tuple[tuple[str, str], ...]


def rules_of(css: str) -> Iterator[Rule]:
    """The rules of a sheet without nesting, of which it has none."""
    around: list[str] = []
    for head, mark in re.findall(r"([^{}]*)([{}])", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        if mark == "{":
            around.append(head.strip())
            continue
        closed = around.pop()
        if not closed.startswith("@"):
            pairs = (part.split(":", 1) for part in head.split(";") if ":" in part)
            declarations = tuple((name.strip(), value.strip()) for name, value in pairs)
            yield Rule(tuple(around), closed, declarations)


SHEETS = {name: asset.content.decode() for name, asset in ASSETS.items() if name.endswith(".css")}
RULES = [(name, rule) for name, sheet in SHEETS.items() for rule in rules_of(sheet)]
SCRIPTS = {name: asset.content.decode() for name, asset in ASSETS.items() if name.endswith(".js")}


def tokens_of(selector: str, around: tuple[str, ...] = ()) -> dict[str, str]:
    """The custom properties that one rule sets."""
    found = [rule for _, rule in RULES if rule.selector == selector and rule.around == around]
    return {name[2:]: value for rule in found for name, value in rule.declarations if name.startswith("--")}


LIGHT = tokens_of(":root")
DARK = LIGHT | tokens_of(":root[data-colours=dark]")


def test_both_ways_to_darkness_are_the_same() -> None:
    by_device = tokens_of(":root:not([data-colours=light])", ("@media (prefers-color-scheme:dark)",))
    assert by_device
    assert by_device == tokens_of(":root[data-colours=dark]")


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_what_stands_on_what_can_be_told_apart(tokens: dict[str, str]) -> None:
    low = {(ink, ground): contrast(tokens[ink], tokens[ground]) for ink, ground, _ in PAIRS}
    assert not {pair: low[pair] for *pair_, least in PAIRS if low[pair := (pair_[0], pair_[1])] < least}
    for _, rule in RULES:
        about = dict(rule.declarations)
        ink, ground = value_of(about.get("color"), tokens), value_of(about.get("background"), tokens)
        if ink and ground:
            assert contrast(ink, ground) >= TEXT, rule


def test_letters_stand_out_on_each_colour_of_a_mark() -> None:
    base = next(dict(rule.declarations) for _, rule in RULES if rule.selector == ".face")
    grounds = [dict(rule.declarations) for _, rule in RULES if re.fullmatch(r"\.face-\d", rule.selector)]
    assert len(grounds) == 7
    for ground in (base, *grounds):
        assert contrast(base["color"], ground["background"]) >= TEXT


def test_every_token_that_is_used_is_set() -> None:
    used = {name for sheet in SHEETS.values() for name in re.findall(r"var\(--([a-z-]+)", sheet)}
    assert used <= set(LIGHT)
    assert set(LIGHT) <= used | {"lamp"}


def test_browsers_of_six_years_ago_understand_each_rule() -> None:
    for _, rule in RULES:
        if any("@supports" in condition for condition in rule.around):
            continue
        assert all(AT_RULES.match(condition) and not TOO_NEW_MEDIA.search(condition) for condition in rule.around), rule
        assert rule.selector in SELECTOR_EXTRAS or not TOO_NEW_SELECTORS.search(rule.selector), rule
        for name, value in rule.declarations:
            assert name in KNOWN | EXTRAS or name.startswith("--"), (name, rule)
            assert not TOO_NEW_VALUES.search(value), (value, rule)
            assert "url(" not in value, rule


def test_a_page_weighs_little() -> None:
    compressed = {name: len(asset.compressed) for name, asset in ASSETS.items()}
    assert compressed["house.css"] <= 4096
    assert sum(size for name, size in compressed.items() if name in SHEETS) <= 8192
    assert sum(size for name, size in compressed.items() if name in SCRIPTS) <= 4096


def test_the_script_keeps_nothing_and_makes_no_html_of_texts() -> None:
    for script in SCRIPTS.values():
        assert not NEVER.search(script)


def value_of(declared: str | None, tokens: dict[str, str]) -> str | None:
    """The colour that a declaration gives, if it gives one."""
    found = re.fullmatch(r"var\(--([a-z-]+)\)|(#[0-9a-f]{6})", declared or "")
    return (tokens[found[1]] if found[1] else found[2]) if found else None


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, as WCAG 2.2 computes it."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`."""
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
