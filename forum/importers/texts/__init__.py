"""Turn the words of an old post into our Markdown, and prove that none was lost. Pure functions."""

from forum.importers.texts.moving import posts_named, to_markdown
from forum.importers.texts.outcome import Files, How, Loss, Moved, Quoted, Surroundings
from forum.importers.texts.splitting import split
from forum.importers.texts.tags import sounds_of_few
from forum.importers.texts.tree import OF_FEW

__all__ = [
    "OF_FEW",
    "Files",
    "How",
    "Loss",
    "Moved",
    "Quoted",
    "Surroundings",
    "posts_named",
    "sounds_of_few",
    "split",
    "to_markdown",
]
