"""How long screening takes: an ordinary text of 200 words, and the longest hostile ones beside half of each."""

import random
import statistics
import time

from rich.table import Table

from forum.content.posts.lengths import BODY_MAX
from moderation.screening import screen
from tests.support import hostile

ORDINARY = (
    "the kids were fine and we went to see him at school when my mum said that it was late so I took the bus home and "
    "she was there with a cake nobody had asked for"
)
UNITS = (
    *("I want to kill ", "not to want ", "my very own little ", "he has got the ", "i ", "don t ", "0 7 1 2 3 ", "a"),
    *hostile.HEAVY_UNITS,
    *hostile.HARD_TO_SCREEN,
)
TRIES = 200
TRIES_HOSTILE = 3


def measure() -> Table:
    """Screen texts in this process."""
    chosen = random.Random(1)
    words = ORDINARY.split()
    ordinary = " ".join(chosen.choice(words) for _ in range(200))
    table = Table("", "median ms", "× half its length", box=None, pad_edge=False)
    table.add_row("200 words", f"{_median(ordinary, TRIES):.2f}", "")
    for unit in UNITS:
        whole, half = ((unit * size)[:size] for size in (BODY_MAX, BODY_MAX // 2))
        took, took_half = (_median(text, TRIES_HOSTILE) for text in (whole, half))
        table.add_row(f"{BODY_MAX:,} characters of {unit[:24]!a}", f"{took:.1f}", f"{took / took_half:.2f}")
    return table


def _median(text: str, tries: int) -> float:
    """Return the median of so many tries, in milliseconds of a processor; the first, which compiles, does not count."""
    screen(text, "GB")
    times = []
    for _ in range(tries):
        begun = time.process_time()
        screen(text, "GB")
        times.append(1000 * (time.process_time() - begun))
    return statistics.median(times)
