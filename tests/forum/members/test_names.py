"""Handles and display names: one normal form, nothing invisible, and nobody who looks like somebody else."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forum.core.errors import Invalid
from forum.members import names

# Drawn as nothing, each of another kind: a filler letter, an inherent vowel, two selectors, a tag, a joiner.
INVISIBLE = ["\u1160", "\u3164", "\uffa0", "\u17b4", "\ufe0f", "\U000e0101", "\u180b", "\u034f", "\u200d", "\u00ad"]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("heron", "heron"),
        ("  heron ", "heron"),
        ("Quiet-Heron_2.0", "quiet-heron_2.0"),
        ("STRAẞE", "strasse"),
        ("ＨＥＲＯＮ", "heron"),
        ("ﬁona", "fiona"),
        ("Zoe\u0308", "zoë"),
        ("Ἀθηνᾶ", "ἀθηνᾶ"),
        ("ОЛЬГА", "ольга"),
        ("فاطمة", "فاطمة"),
        ("हिन्दी", "हिन्दी"),
        ("தமிழ்", "தமிழ்"),
        ("さくら", "さくら"),
        ("한국어", "한국어"),
        ("abc", "abc"),
        ("x" * 30, "x" * 30),
        ("٣٤٥", "٣٤٥"),
    ],
)
def test_a_handle_has_one_spelling(typed: str, kept: str) -> None:
    assert names.normalise_handle(typed) == kept
    assert names.normalise_handle(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "ab",
        "x" * 31,
        "",
        "   ",
        "two words",
        "two\nlines",
        "-heron",
        "heron.",
        "_heron_",
        "---",
        "heron!",
        "he@ron",
        "he/ron",
        "he'ron",
        "heron😀",
        "\u0301heron",
        "½½½",
        "\x00\x00\x00",
        "he\u202eron!",
        "\u200b\u200b\u200b",
        "\ud800abc",
        "ﷺ" * 2,  # two characters that fold into 36
    ],
)
def test_what_cannot_be_a_handle_is_refused_at_its_field(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        names.normalise_handle(typed)
    assert refused.value.pointer == "#/handle"


@pytest.mark.parametrize("invisible", INVISIBLE)
def test_what_is_not_drawn_makes_no_other_handle(invisible: str) -> None:
    assert names.normalise_handle(f"su{invisible}zie{invisible}") == "suzie"
    assert not names.in_handle(invisible)


@given(st.text(max_size=40))
def test_a_handle_that_is_kept_is_its_own_normal_form(typed: str) -> None:
    try:
        kept = names.normalise_handle(typed)
    except Invalid:
        return
    assert names.normalise_handle(kept) == kept
    assert names.is_handle(kept)
    assert names.skeleton(kept) == names.skeleton(typed)
    assert kept == unicodedata.normalize("NFKC", kept)


@pytest.mark.parametrize(
    "other",
    [
        "SUZIE",
        "Su_zie",
        "su-z.ie",
        "Suzie ",
        "sûzïé",
        "ѕuzіe",  # Cyrillic
        "ѕυzιe",  # Greek
        "suziе",
        "suz1e",
        "suzle",
        "suz|e",
        "𝓼𝓾𝔃𝓲𝓮",
        "ｓｕｚｉｅ",
        "suz\u0336ie",
        "suzie\u20dd",
        "suzie\u1ab0",
        "suzie\ufe20",
        "ꜱᴜᴢɪᴇ",
        "suƶie",
        "5uz1e",
        "suzi3",
        *(f"su{char}zie" for char in INVISIBLE),
    ],
)
def test_names_that_can_be_taken_for_each_other_have_one_skeleton(other: str) -> None:
    assert names.skeleton(other) == names.skeleton("suzie")


@pytest.mark.parametrize(
    ("one", "other"),
    [("marnie", "rnarnie"), ("oliver", "0liver"), ("anna", "аnnа")],
)
def test_letters_that_are_drawn_alike_are_one(one: str, other: str) -> None:
    assert names.skeleton(one) == names.skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("suzie", "susie"),
        ("suzie", "suzie2"),
        ("heron", "herons"),
        ("हिन्दी", "हन्दी"),  # a vowel sign is as good as a letter
        ("தமிழ்", "தமழ்"),
        ("ольга", "олена"),
        ("さくら", "ざくら2"),
        ("😀", "😟"),
    ],
)
def test_names_that_are_told_apart_are_not_one(one: str, other: str) -> None:
    assert names.skeleton(one) != names.skeleton(other)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Suzie", "Suzie"),
        ("  Su   zie\t", "Su zie"),
        ("Zoe\u0308", "Zoë"),
        ("Mum of 3 ❤️", "Mum of 3 ❤️"),
        ("👩‍👧", "👩‍👧"),
        ("فاطمة", "فاطمة"),
        ("Su\u202ezie", "Suzie"),
        ("Su\x00zie\x07", "Suzie"),
        ("Su\u3164zie", "Suzie"),
        ("two\nlines", "two lines"),
        ("x", "x"),
        ("x" * 60, "x" * 60),
        (" " * 100 + "x", "x"),
    ],
)
def test_a_display_name_is_kept_without_what_cannot_be_seen(typed: str, kept: str) -> None:
    assert names.normalise_name(typed) == kept
    assert names.normalise_name(kept) == kept


@pytest.mark.parametrize(
    "typed", ["", "   ", "x" * 61, "\u200b", "\u200d", "\ufe0f", "\u3164", "\u115f", "\u2800", "\u0301", "\u17b4"]
)
def test_a_name_that_nobody_could_see_is_refused_at_its_field(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        names.normalise_name(typed)
    assert refused.value.pointer == "#/name"


@pytest.mark.parametrize(
    "typed",
    [
        *("admin", "Moderator", "m0derat0r", "mоderаtоr", "Safe-guarding", "S T A F F", "Mе", "@dmin", "admin!", "Mod"),
        *("Suzie (adviser)", "Orla – moderator", "the-forum-team", "Moderators", "admin1", "1admin", "ForumTeam"),
        *("themoderator", "ᴍᴏᴅᴇʀᴀᴛᴏʀ", "mødêrator", "moderator's friend", "official_page", "guest7", "Adm1n", "Мо d"),
        *("A former member", "He1p", "ⓐⓓⓜⓘⓝ", "ad\u200bmin"),
    ],
)
def test_the_words_of_the_house_are_kept_however_they_are_drawn(typed: str) -> None:
    assert names.is_reserved(typed)


@pytest.mark.parametrize(
    "typed",
    [
        *("heron", "adm", "moderate", "staffordshire", "helpful", "Help me", "New here", "Needs support", "Modest"),
        *("Mum of 3", "Maude", "Steam", "Teamwork", "Anonymous", "here", "👩‍👧"),
    ],
)
def test_other_names_are_not_kept(typed: str) -> None:
    assert not names.is_reserved(typed)


@pytest.mark.parametrize("handle", ["all", "here", "new", "null", "nu11", "null1", "api", "anonymous"])
def test_what_clients_use_as_words_is_no_handle(handle: str) -> None:
    assert names.is_clients_word(handle)


@pytest.mark.parametrize("handle", ["allan", "heron", "newt", "all-of-us", "here-again"])
def test_a_handle_may_have_such_a_word_in_it(handle: str) -> None:
    assert not names.is_clients_word(handle)


@pytest.mark.parametrize(("one", "other"), [("bjørn", "bjorn"), ("łukasz", "1ukasz"), ("ʜᴇʀᴏɴ", "h3ron")])
def test_stroked_letters_small_capitals_and_digits_are_the_letters_they_look_like(one: str, other: str) -> None:
    assert names.skeleton(one) == names.skeleton(other)


@pytest.mark.parametrize("badge", "✓✔☑✅🛡⭐★🎖👑®™")
def test_no_name_has_a_badge(badge: str) -> None:
    for typed in (f"Suzie {badge}", f"{badge}\ufe0f Suzie"):
        with pytest.raises(Invalid) as refused:
            names.normalise_name(typed)
        assert (refused.value.pointer, refused.value.code) == ("#/name", "name_has_badge")


@pytest.mark.parametrize("name", ["Zoe\u0308\u0301", "ế", "हिन्दी", "1️⃣", "ناديَّة", "נִקּוּד"])
def test_a_letter_carries_two_marks(name: str) -> None:
    names.normalise_name(name)


@pytest.mark.parametrize("name", ["x\u0301\u0302\u0303", "ก็็็", "x\u0301\u200d\u0302\u200d\u0303", "x\u20dd\u20dd\u20dd"])
def test_a_letter_carries_no_more_than_two(name: str) -> None:
    with pytest.raises(Invalid):
        names.normalise_name(name)
    with pytest.raises(Invalid):
        names.normalise_handle(f"abc{name}")


def test_in_a_name_every_run_of_words_is_read() -> None:
    assert names.readings("Su zie – K4te") >= {
        names.skeleton(read) for read in ("suzie", "kate", "ziekate", "SuzieKate")
    }
    assert names.skeleton("heron") in names.readings("heron7")
    assert "" not in names.readings("7")
