"""`forum pages`: give a charity the texts of the pages to edit, and say which of its own there are."""

from pathlib import Path
from typing import Annotated

import typer

from forum.cli.runtime import out
from forum.core.settings import Settings
from forum.web import branding, texts

cli = typer.Typer()


@cli.command()
def pages(folder: Annotated[Path, typer.Argument(help="Folder for the texts; set FORUM_TEXTS to it")]) -> None:
    """Copy the texts of the pages that are not in a folder into it, to be edited there, and say what is in it.

    Files that are there already stay as they are. Whatever you do not want to write yourself, delete: then the forum
    shows its own text, also after an update has mended it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    branding.branding_of(Settings(texts=folder))  # raises for what the forum would not start with
    for name, shipped in texts.shipped_files().items():
        own, content = folder / name, shipped.read_bytes()
        if not own.exists():
            own.write_bytes(content)
            state = "copied now"
        else:
            state = "as it came" if own.read_bytes() == content else "your own"
        out.print(f"{name:<22} {state:<11} {texts.TEXTS[name.partition('.')[0]]}", highlight=False, soft_wrap=True)
    mark = "your own" if (folder / texts.MARK).exists() else "not there"
    out.print(f"{texts.MARK:<22} {mark:<11} the sign beside the forum's name", highlight=False, soft_wrap=True)
    out.print(f"Set FORUM_TEXTS={folder} and start the forum again.", highlight=False, soft_wrap=True)
