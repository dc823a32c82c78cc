"""Addresses of words that threads had on an old site: `/2019/05/a-letter-came/`.

They are kept as digests: an address says a title, and a title is changed or taken away now and then.
"""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from urllib.parse import unquote
from uuid import UUID

from sqlalchemy import text

from forum.core.database import Database
from forum.importers.records import AddressRecord
from forum.importers.staging import Staging

AT_ONCE = 1_000
# What a site of WordPress puts behind an address: its feed, another form of the page, a later page of comments.
_ENDINGS = re.compile(r"(?:/(?:feed|rss2|atom|amp|embed|trackback|comment-page-[0-9]{1,6}))+$")
# A thread that does not move has no address here, and what is known stays.
_KEEP = text(
    "INSERT INTO moved (old, kind, source, thread_id, run_id) "
    "SELECT known.key, 'address', :source, moved.thread_id, :run_id "
    "FROM unnest(CAST(:keys AS text[]), CAST(:threads AS text[])) AS known (key, thread) "
    "JOIN moved ON moved.old = known.thread AND moved.kind = 'thread' AND moved.source = :source "
    "ON CONFLICT DO NOTHING"
)
_IS_ANY_NEW = text(
    "SELECT EXISTS (SELECT FROM unnest(CAST(:keys AS text[]), CAST(:threads AS text[])) AS known (key, thread) "
    "JOIN moved ON moved.old = known.thread AND moved.kind = 'thread' AND moved.source = :source "
    "WHERE NOT EXISTS (SELECT FROM moved AS here "
    "WHERE here.old = known.key AND here.kind = 'address' AND here.source = :source))"
)


def keys_of(path: str, slug: str = "") -> tuple[str, str]:
    """Return what an address is known by: as a whole, and by its last part, as a site finds a page that moved.

    Whichever way its letters were encoded, and without what stands behind the address of a page.
    """
    whole = _ENDINGS.sub("", _plain(path))
    return f"path:{_digest(whole)}", f"slug:{_digest(_plain(slug) or whole.rpartition('/')[2])}"


async def carry_addresses(database: Database, staging: Staging, place: tuple[str, UUID]) -> None:
    """Note where the threads that moved were read; of two with one address, the first has it."""
    source, run_id = place
    for values in _values(staging):
        async with database.work() as session:
            await session.execute(_KEEP, values | {"source": source, "run_id": run_id})


async def is_any_address_new(database: Database, staging: Staging, source: str) -> bool:
    """Return whether an address of a thread that moved is not known: it moved before addresses of words were kept."""
    for values in _values(staging):
        async with database.work() as session:
            if (await session.execute(_IS_ANY_NEW, values | {"source": source})).scalar_one():
                return True
    return False


def _values(staging: Staging) -> Iterator[dict[str, list[str]]]:
    """Give what addresses are known by, and their threads, some at a time."""
    known = _known(staging)
    while some := list(islice(known, AT_ONCE)):
        keys, threads = zip(*some, strict=True)
        yield {"keys": list(keys), "threads": list(threads)}


def _known(staging: Staging) -> Iterator[tuple[str, str]]:
    for address in staging.others(AddressRecord):
        path, slug = keys_of(address.path, address.slug)
        if address.path:
            yield path, address.thread
        yield slug, address.thread


def _plain(path: str) -> str:
    return unicodedata.normalize("NFC", unquote(path)).casefold().strip("/")


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
