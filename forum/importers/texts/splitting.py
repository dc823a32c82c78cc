"""Split a text that is too long for one post."""

from forum.content.posts.tables import BODY_MAX


def split(markdown: str, most: int = BODY_MAX) -> list[str]:
    """Return the text as posts of at most so many characters, parted between paragraphs where that is possible."""
    return [markdown[at : at + most] for at in range(0, len(markdown), most)]
