"""How well two colours can be told apart."""

import re

READABLE = 4.5  # WCAG 2.2, success criterion 1.4.3: for text of ordinary size
COLOUR = re.compile(r"#[0-9a-f]{6}")


def ratio(one: str, other: str) -> float:
    """Return the contrast of two colours, written as #rrggbb: from 1 for none to 21 for black on white.

    WCAG 2.2, "contrast ratio".
    """
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """Return how light a colour is. WCAG 2.2, "relative luminance"."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return float(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
