"""Reads a site of WordPress from its exports, and its users from a dump of its database."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from forum.importers.errors import CannotMove
from forum.importers.records import SourceRecord
from forum.importers.sources import files, wxr
from forum.importers.sources.live import Source, size_of
from forum.importers.staging import Notebook, Staging
from forum.importers.wordpress.articles import Articles
from forum.importers.wordpress.people import BlogPeople
from forum.importers.wordpress.reading import line_of
from forum.importers.wordpress.spool import BlogSpool, blog_spool


def read(
    exports: Sequence[Path],
    staging: Staging,
    *,
    users: Source | None = None,
    seen: Callable[[int], None] = lambda _: None,
) -> None:
    """Read a site's exports, in any order, into a staging file; `users` is a dump in which its users are.

    `seen` gets how many bytes of all files were read so far. Raises CannotMove when one is no export, is cut or broken,
    or is of another site, and when nothing in them is public.
    """
    before = 0
    people = BlogPeople()
    if users:
        people.read_users(users, seen)
        before = size_of([users])
    with Notebook(staging) as notebook, blog_spool(staging.path, notebook) as spool:
        for path in exports:
            for member in files.list_exports(path) or [""]:
                for entry in wxr.read_entries(path, partial(_add_up, seen, before), member):
                    spool.add(entry)
            before += path.stat().st_size
        _convert(spool, people, staging, notebook)


def _add_up(seen: Callable[[int], None], before: int, size: int) -> None:
    seen(before + size)


def _convert(spool: BlogSpool, people: BlogPeople, staging: Staging, notebook: Notebook) -> None:
    for author in spool.authors():
        people.add_author(author)
    articles = Articles(spool, people, notebook)
    staging.add(articles.records())
    if not articles.boards and not spool.has_numbers:
        raise CannotMove("Its articles have no numbers, so WordPress did not write it: choose Tools, Export there.")
    if not articles.boards and articles.has_plugin_forum:
        raise CannotMove("It holds topics of a forum of bbPress, which cannot be read, and no article that is public.")
    if not articles.boards:
        raise CannotMove("No article in it is public: in WordPress, choose Tools, Export, All content.")
    staging.add(articles.board_records())
    staging.add(people.records())
    staging.add([_source(spool, articles)])


def _source(spool: BlogSpool, articles: Articles) -> SourceRecord:
    export = spool.export
    address = (export.get("wp:base_blog_url") or export.get("link") or "").strip()
    return SourceRecord(
        program="wordpress",
        version=line_of(export, "generator").partition("?v=")[2] or line_of(export, "wp:wxr_version"),
        name=line_of(export, "title"),
        address=f"{address.rstrip('/')}/" if address else "",
        until=articles.newest,
    )
