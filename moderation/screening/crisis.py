"""English phrases of acute danger, to the writer, to another person or to a child.

The list is short on purpose: a finding puts the case first in the queue, and moderators stop to react when most calls
are false. So it has whole phrases that people write in acute danger. It leaves out the past, figures of speech, and
what members of such a forum are accused of.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise

from moderation.screening.finding import FindingKind, TextFinding

# Phrases in folded form: small letters, no accents, apostrophes or emphasis, one kind of space.
_ANY_MORE = "any ?more"
_CHILD = "(?:sons?|daughters?|child|children|baby|babies|toddler|kids?|boys?|girls?|twins|little (?:boy|girl|one)s?)"
_A_CHILD = rf"(?:my|our|the|his|her|their) (?:[a-z]{{1,12}} )?{_CHILD}"
_SOON = "(?:going to|gonna|about to|want to|wants to|wanna|urges? to|threaten(?:s|ed|ing)? to)"
_SAYS = "(?:says?|said|swears?|swore|threatens?|threatened)(?: that)? (?:he|she|they)(?:ll| will|d| would)"

PHRASES: Mapping[str, tuple[str, ...]] = {
    "suicide": (
        "kill(?:ing)? (?:my ?self|himself|herself|themselves)(?! laughing)",
        "unaliv(?:e|ing) my ?self",
        "hang(?:ing)? my ?self",
        "drown(?:ing)? my ?self(?! in)",
        "end(?:ing)? my (?:own )?life",
        "tak(?:e|ing) my own life",
        "end(?:ing)? it all",
        "(?:want to|wants to|wanna|ready to) die(?! of| laughing| down)",
        "wish (?:that )?i (?:was|were|am|could be) dead",
        "wish i (?:could|would) (?:just )?die",
        "wish i (?:had never been|was never|were never) born",
        "better off (?:dead|if i (?:was|were) dead|without me)",
        "(?:do not|dont) want to (?:be alive|exist|wake up)(?! (?:early|late|to|at))",
        f"(?:do not|dont) want to (?:live|be here) {_ANY_MORE}",
        f"(?:can ?not|cant) go on (?:living|{_ANY_MORE})",
        "(?:no|not a) reason (?:left )?(?:for me )?to (?:live|go on living)",
        "nothing (?:left )?to live for",
        "(?:not|isnt|no longer) worth living",
        "(?:i am|im|i feel|ive been|i have been|feeling|he is|hes|she is|shes) (?:so |very )?suicidal",
        "commit(?:ting)? suicide",
        "thinking (?:about|of) suicide",
        "suicide (?:note|pact)",
        "(?:took|take|taken|taking) an overdose (?:just now|now|tonight|today)",
        "(?:have|ive|has|hes|shes) (?:just )?taken an overdose",
        "(?:going to|gonna|want to|about to) (?:take an )?over ?dose",
        "swallow(?:ed|ing)? all (?:of )?(?:my|the|her|his) (?:pills|tablets|meds|medication)",
        "jump(?:ing)? (?:off|from) (?:a|the) (?:bridge|roof|balcony|cliff)(?! into)",
        "(?:jump|step)(?:ping|ing)? in front of (?:a|the) (?:train|lorry|bus)",
    ),
    "self_harm": (
        "cutting my ?self(?! off| short| some| loose| shaving)",
        "harm(?:ing)? my ?self",
        f"{_SOON} (?:hurt|cut|burn) my ?self(?! off| short| some| loose)",
        f"{_SOON} self harm",
        "(?:am|im|is|hes|shes|are|theyre|started|keeps?|been) self harming",
    ),
    "threat": (
        f"(?:trying|threaten(?:s|ed|ing)?) to (?:kill|strangle|drown|stab) (?:me|us|her|him|them|{_A_CHILD})",
        f"{_SAYS} (?:kill|stab|shoot) (?:me|us|her|him|them|{_A_CHILD})",
        "(?:he|she|they)(?:s| is|re| are) (?:strangling|choking|stabbing|beating|raping) (?:me|us|her|him|them)(?! at)",
        "(?:he|she|they) (?:has|have|got) (?:got )?(?:a |the )?(?:knife|gun) (?:to|at|in his hand|in her hand|now)",
        "(?:hes|shes|theyve) got (?:a |the )?(?:knife|gun)",
    ),
    "child_in_danger": (
        f"{_SOON} (?:hurt|harm|shake|smother|drown|kill|strangle|poison) {_A_CHILD}",
        f"(?:hes|shes|he is|she is|they are|theyre) (?:hitting|beating|shaking|choking|raping|molesting) {_A_CHILD}",
        f"{_A_CHILD} (?:is |are )?(?:not|isnt|arent|stopped|has stopped) breathing",
        f"{_A_CHILD} (?:is|are) (?:unconscious|in (?:immediate|real|grave|serious) danger)",
        f"{_A_CHILD} (?:wants|want) to die",
    ),
    "emergency": (
        "(?:i am|im|we are|were|hes|shes|he is|she is|theyre|they are) in (?:immediate|grave|mortal) danger",
        "(?:he|she)(?:s| is) (?:breaking|kicking) (?:down |in )?(?:my|the|our) (?:front )?door (?:down|in|now)",
    ),
}

_GAP = r" {1,8}"
_PATTERN = re.compile(
    r"(?<![a-z0-9])(?:"
    + "|".join(
        f"(?P<{name}>{'|'.join(phrase.replace(' ?', '¤').replace(' ', _GAP).replace('¤', ' ?') for phrase in phrases)})"
        for name, phrases in PHRASES.items()
    )
    + r")(?![a-z0-9])"
)


class _Folds(dict[int, str]):
    """The folded form of each code point, computed at its first use."""

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFKD", chr(code)).casefold()
        self[code] = "".join(map(self._fold, plain))
        return self[code]

    @staticmethod
    def _fold(char: str) -> str:
        if char.isspace() or char in "-‐‑‒–—":
            return " "
        # Accents, invisible characters, apostrophes and Markdown's emphasis do not separate words.
        is_dropped = char in "'’‘ʼ`´*_~" or unicodedata.category(char) in {"Mn", "Cf"}
        return "" if is_dropped else char


_FOLDS = _Folds()


def find(text: str) -> list[TextFinding]:
    """Return the phrases of acute danger in a text."""
    folded = text.translate(_FOLDS)
    matches = list(_PATTERN.finditer(folded))
    if not matches:
        return []
    return list(_findings(text, matches))


def _findings(text: str, matches: list[re.Match[str]]) -> Iterator[TextFinding]:
    """Yield the matches as spans of the original text."""
    lengths = [len(_FOLDS[ord(char)]) for char in text]
    # For each character of the folded text, the position of its original.
    origins = [
        index for index, (begin, end) in enumerate(pairwise(accumulate(lengths, initial=0))) for _ in range(end - begin)
    ]
    for match in matches:
        yield TextFinding(
            FindingKind.CRISIS, origins[match.start()], origins[match.end() - 1] + 1, match.lastgroup or ""
        )
