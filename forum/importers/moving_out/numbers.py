"""The numbers of posts in quotes, where posts of a thread that their authors withdrew are not in the export."""

import re
from bisect import bisect_left
from collections.abc import Sequence

# The line above a quote that says whose words follow: `> @suzie #7 wrote:`.
_SOURCE = re.compile(
    r"^(?P<whose>(?:[ ]{0,3}>)+[ ]*@\S+) #(?P<number>[1-9][0-9]{0,8})(?P<rest>(?: wrote)?:?[ ]*)$", re.M
)


def renumbered(markdown: str, gone: Sequence[int]) -> str:
    """Return the text with the numbers that posts have without those that are gone; `gone` is sorted.

    Of a quote of a post that is gone, nobody could find the post: it has no number.
    """
    if not gone or " #" not in markdown:
        return markdown

    def count_anew(source: re.Match[str]) -> str:
        number = int(source["number"])
        before = bisect_left(gone, number)
        if before < len(gone) and gone[before] == number:
            return f"{source['whose']}{source['rest']}"
        return f"{source['whose']} #{number - before}{source['rest']}"

    return _SOURCE.sub(count_anew, markdown)
