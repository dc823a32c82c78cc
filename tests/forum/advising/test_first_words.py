"""How the post that waits begins, on the list of advisers."""

from forum.advising.waiting_list import FIRST_WORDS, first_words


def test_they_are_the_authors_own_and_end_with_a_whole_word() -> None:
    quoted = '<blockquote dir="auto" data-post="3"><p class="quote-source">Suzie wrote</p><p>Wait.</p></blockquote>'
    assert first_words(f'{quoted}\n<p dir="auto">But <em>can</em> they?</p>') == "But can they?"
    long = first_words("<p>" + "word " * 100 + "</p>")
    assert long.endswith("word …")
    assert len(long) <= FIRST_WORDS + 2
