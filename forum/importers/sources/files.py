"""A dump or an export as it was downloaded, plain or packed: its bytes in order, unpacked piece by piece.

What it unpacks to is never written anywhere and never in memory as a whole.
"""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Protocol

from forum.importers.errors import CannotMove

PIECE = 1 << 18
# Dumps of boards shrink to a tenth, seldom to a fiftieth; what unpacks to far more was made to fill a disk.
BOMB_RATIO, BOMB_FROM = 500, 64 << 20
_GZIP, _BZIP2, _ZIP, _XZ = b"\x1f\x8b", b"BZh", (b"PK\x03\x04", b"PK\x05\x06"), b"\xfd7zXZ"
_OTHER_ARCHIVES = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07")
_TAR, _TAR_AT = b"ustar", 257
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DAMAGED = (zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, lzma.LZMAError, OSError)
CUT = "The file ends in the middle{where}: it was not downloaded as a whole. Download it again."


class _Unpacked(Protocol):
    def read(self, size: int, /) -> bytes: ...


@contextmanager
def pieces(path: Path, seen: Callable[[int], None], member: str = "") -> Iterator[Iterator[bytes]]:
    """Give the unpacked bytes of a dump; `seen` gets how many bytes of the file were read so far.

    Of a .zip, they are those of the member that is named, else of its only .sql file. Raises CannotMove when it cannot
    be opened or unpacked.
    """
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(path.open("rb"))
            unpacked = _unpack(raw, path, stack, member)
        except _DAMAGED as error:
            raise CannotMove(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
        yield _read(unpacked, raw, path, seen)


def list_exports(path: Path) -> Sequence[str]:
    """Return the names of the .xml files in a .zip, in their order; none where it is no .zip, or holds a dump."""
    try:
        if not zipfile.is_zipfile(path):
            return ()
        with zipfile.ZipFile(path) as archive:
            if any(_is_named(info, ".sql") for info in archive.infolist()):
                return ()  # the backup of a whole site has other .xml files, too
            return sorted(info.filename for info in archive.infolist() if _is_named(info, ".xml"))
    except _DAMAGED:
        return ()  # whoever reads it says why


def _read(unpacked: _Unpacked, raw: IO[bytes], path: Path, seen: Callable[[int], None]) -> Iterator[bytes]:
    size, total = path.stat().st_size, 0
    while True:
        try:
            piece = unpacked.read(PIECE)
        except EOFError as error:
            raise CannotMove(CUT.format(where="")) from error
        except _DAMAGED as error:
            raise CannotMove(f"{path} is damaged and cannot be unpacked: download it again.") from error
        except (RuntimeError, NotImplementedError) as error:  # zipfile: a password, or a method that it does not know
            raise CannotMove(f"{path} cannot be unpacked: unpack it yourself, and give what is in it.") from error
        if not total:
            _refuse(piece, path)
        total += len(piece)
        if total > BOMB_FROM and total > BOMB_RATIO * size:
            raise CannotMove(f"{path} unpacks to more than {BOMB_RATIO} times its size: that is no dump of a board.")
        if not piece:
            return
        seen(raw.tell() if not raw.closed else size)
        yield piece


def _unpack(raw: IO[bytes], path: Path, stack: ExitStack, member: str) -> _Unpacked:
    start = raw.read(6)
    raw.seek(0)
    if not start:
        raise CannotMove(f"{path} is empty.")
    if start.startswith(_GZIP):
        return stack.enter_context(gzip.GzipFile(fileobj=raw))
    if start.startswith(_BZIP2):
        return stack.enter_context(bz2.BZ2File(raw))
    if start.startswith(_XZ):
        return stack.enter_context(lzma.LZMAFile(raw))
    if start.startswith(_ZIP):
        return _open_member(stack.enter_context(zipfile.ZipFile(raw)), path, stack, member)
    return raw


def _refuse(start: bytes, path: Path) -> None:
    """Raise CannotMove for what is neither text nor a file of SQLite, once it is unpacked: its first bytes say it."""
    if not start:
        raise CannotMove(f"{path} is empty.")
    is_utf16 = start.startswith(_UTF16) or (len(start) >= 16 and not any(start[1:16:2]) and all(start[0:16:2]))
    if is_utf16:
        raise CannotMove(f"{path} was saved as UTF-16, by Windows: export it anew, as a file in UTF-8.")
    if start.startswith((_GZIP, _BZIP2, *_ZIP, _XZ)):
        raise CannotMove(f"{path} is packed twice: unpack it once, and give what is in it.")
    if start.startswith(_OTHER_ARCHIVES) or start.startswith(_TAR, _TAR_AT):
        raise CannotMove(f"{path} is an archive of files: unpack it yourself, and give the .sql or .xml file in it.")


def _open_member(archive: zipfile.ZipFile, path: Path, stack: ExitStack, member: str) -> _Unpacked:
    dumps = [info for info in archive.infolist() if (info.filename == member if member else _is_named(info, ".sql"))]
    if len(dumps) != 1:
        advice = "export the whole database as one file" if dumps else "give the file with the database"
        raise CannotMove(f"{path} holds {len(dumps)} .sql files, and exactly one is needed: {advice}.")
    if dumps[0].flag_bits & 1:
        raise CannotMove(f"{path} has a password: unpack it yourself, and give what is in it.")
    return stack.enter_context(archive.open(dumps[0]))


def _is_named(info: zipfile.ZipInfo, ending: str) -> bool:
    return info.filename.lower().endswith(ending) and not info.filename.startswith("__MACOSX")
