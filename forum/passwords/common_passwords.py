"""Common passwords, which attackers try first, however strong an estimate finds them.

zxcvbn has a list of 30,000 passwords, the most frequent first. Only 1,090 of them have ten characters, so a password
is refused too when it is one of them made longer: repeated, with a year or an exclamation mark added, with a zero for
an o. That list lacks long passwords that zxcvbn's estimate finds strong; this module adds them: sentences that
everybody knows, and sequences of a keyboard or a calendar.
"""

import re
import unicodedata
from functools import cache

# Digits and signs around a word that do not make it another: a year, "1234!", "!!".
DECORATION = 5
SHORTEST_RUN = 6

# Written for this purpose: pangrams, proverbs, first lines of old songs and books, well-known examples of good
# passwords, and what people type when they are asked for one.
_SENTENCES = """
    correct horse battery staple
    the quick brown fox jumps over the lazy dog
    the quick brown fox
    pack my box with five dozen liquor jugs
    lorem ipsum dolor sit amet
    to be or not to be that is the question
    to be or not to be
    all the worlds a stage
    romeo romeo wherefore art thou romeo
    it was the best of times it was the worst of times
    call me ishmael
    once upon a time
    happily ever after
    in the beginning was the word
    in the beginning god created the heaven and the earth
    the lord is my shepherd i shall not want
    the lord is my shepherd
    our father who art in heaven
    jesus loves me this i know
    jesus is my lord and saviour
    for god so loved the world
    god save the king
    god save the queen
    god bless america
    we the people of the united states
    four score and seven years ago
    i have a dream
    ask not what your country can do for you
    carpe diem seize the day
    cogito ergo sum
    i think therefore i am
    veni vidi vici
    i came i saw i conquered
    twinkle twinkle little star
    mary had a little lamb
    humpty dumpty sat on a wall
    row row row your boat
    happy birthday to you
    jingle bells jingle bells
    old macdonald had a farm
    you are my sunshine
    somewhere over the rainbow
    may the force be with you
    luke i am your father
    live long and prosper
    winter is coming
    open sesame
    abracadabra
    an apple a day keeps the doctor away
    a penny saved is a penny earned
    all that glitters is not gold
    actions speak louder than words
    better late than never
    practice makes perfect
    time is money
    time flies
    knowledge is power
    home sweet home
    easy come easy go
    early bird catches the worm
    the early bird catches the worm
    rome was not built in a day
    when in rome do as the romans do
    where there is a will there is a way
    the sky is the limit
    no pain no gain
    never give up
    never say never
    carpe diem
    hakuna matata
    live laugh love
    peace love and happiness
    i love you forever
    i love you so much
    i love my mum and dad
    i love my family
    i love my children
    i love my kids
    i hate passwords
    i hate my life
    i forgot my password
    this is my password
    this is a password
    this is not my password
    my password is password
    my secret password
    what is my password
    i do not know my password
    enter your password here
    please let me in
    let me in please
    change me please
    default password
    new password please
    do not forget this
    a very long password
    a strong password
    super secret password
    you will never guess this
    you shall not pass
    keep calm and carry on
    four unrelated words
    three or four unrelated words
"""

# Sequences that everybody knows; any part of one is refused.
_RUNS = tuple(
    order + order
    for order in (
        "abcdefghijklmnopqrstuvwxyz",
        "1234567890",
        "1234567890qwertyuiopasdfghjklzxcvbnm",
        "qwertyuiopasdfghjklzxcvbnm",
        "qwertzuiopasdfghjklyxcvbnm",
        "azertyuiopqsdfghjklmwxcvbn",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
        "qazwsxedcrfvtgbyhnujmikolp",
        "1q2w3e4r5t6y7u8i9o0p",
        "q1w2e3r4t5y6u7i8o9p0",
        "a1b2c3d4e5f6g7h8i9j0",
        "januaryfebruarymarchaprilmayjunejulyaugustseptemberoctobernovemberdecember",
        "mondaytuesdaywednesdaythursdayfridaysaturdaysunday",
        "springsummerautumnwinter",
        "onetwothreefourfivesixseveneightnineten",
        "firstsecondthirdfourthfifthsixth",
        "redorangeyellowgreenblueindigoviolet",
        "mercuryvenusearthmarsjupitersaturnuranusneptune",
        "alphabravocharliedeltaechofoxtrotgolfhotelindiajulietkilolimamikenovemberoscarpapaquebecromeosierratango"
        "uniformvictorwhiskeyxrayyankeezulu",
        "alphabetagammadeltaepsilon",
        "northsoutheastwest",
        "northeastsouthwest",
    )
)
_LIKE_LETTERS = [str.maketrans("013457@$!+", f"o{one}eastasit") for one in "il"]


def is_common(password: str) -> bool:
    """Return whether this is a common password, in any spacing, spelling or repetition."""
    bare = _bare(_plain(password))
    spelt = bare | {text.translate(letters) for text in bare for letters in _LIKE_LETTERS}
    return any(text in _tried() or _is_run(text) for text in spelt | set(map(_unit, spelt)) if text)


def _plain(text: str) -> str:
    """Return the text in small letters, without spaces and punctuation between words."""
    return re.sub(r"[\s._,;:'’-]+", "", unicodedata.normalize("NFKC", text).casefold())


def _bare(text: str) -> set[str]:
    """Return the text without none, some or all of the few digits and signs around it."""
    ends = [(first, last) for first in range(DECORATION + 1) for last in range(DECORATION + 1 - first)]
    cuts = ((text[:first], text[first : len(text) - last], text[len(text) - last :]) for first, last in ends)
    return {word for before, word, behind in cuts if not any(map(str.isalpha, before + behind))}


def _unit(text: str) -> str:
    """Return what the text repeats, or the text itself."""
    return text[: (text + text).index(text, 1)] if text else text


def _is_run(text: str) -> bool:
    return len(text) >= SHORTEST_RUN and any(text in run or text[::-1] in run for run in _RUNS)


@cache
def _tried() -> frozenset[str]:
    """Return what attackers try; loaded when somebody first chooses a password."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - its lists take 15 MB

    return frozenset(map(_plain, (*FREQUENCY_LISTS["passwords"], *_SENTENCES.strip().splitlines())))
