"""A server that speaks as much of MySQL's protocol as a reader of an old board needs, over tables in a file of SQLite.

It says what was asked, and gives each value as bytes. That a real server answers as this one does was tried by hand.
"""

import socketserver
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_COLUMNS = (
    "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type IN ('table', 'view') "
    "ORDER BY m.name, c.cid"
)
_OK, _END = b"\0\0\0\2\0\0\0", b"\xfe\0\0\2\0"
_ABILITIES = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000  # of the version 4.1, with signing in by a digest
_SALT = b"abcdefghijklmnopqrst"


class Spoken(NamedTuple):
    """What was sent to the server: how somebody signed in, and each statement."""

    port: int
    sign_ins: list[bytes]
    statements: list[str]


@contextmanager
def mysql_server(file: Path) -> Iterator[Spoken]:
    """Serve the tables in a file."""
    spoken = Spoken(0, [], [])

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.sequence = 0
            self._send(_greeting())
            spoken.sign_ins.append(self._read())
            self._send(_OK)
            # The other side may hang up in the middle of an answer.
            with closing(sqlite3.connect(file)) as tables, suppress(ConnectionError):
                while (asked := self._read())[:1] == b"\3":  # until it says goodbye
                    spoken.statements.append(asked[1:].decode("latin-1"))
                    self._answer(tables, spoken.statements[-1])

        def _answer(self, tables: sqlite3.Connection, statement: str) -> None:
            if not statement.startswith("SELECT"):
                self._send(_OK)
                return
            found = tables.execute(_COLUMNS if "information_schema" in statement else statement)
            self._send(bytes([len(found.description)]))
            for name, *_ in found.description:
                self._send(_column(name))
            self._send(_END)
            for row in found:
                self._send(_row(row))
            self._send(_END)

        def _read(self) -> bytes:
            head = self.rfile.read(4)
            self.sequence = (head[3] + 1) % 256 if head else 0
            return self.rfile.read(int.from_bytes(head[:3], "little"))

        def _send(self, data: bytes) -> None:
            self.wfile.write(len(data).to_bytes(3, "little") + bytes([self.sequence]) + data)
            self.sequence = (self.sequence + 1) % 256

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield spoken._replace(port=server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def _greeting() -> bytes:
    low, high = (_ABILITIES & 0xFFFF).to_bytes(2, "little"), (_ABILITIES >> 16).to_bytes(2, "little")
    salt = _SALT[:8] + b"\0" + low + b"\x21\2\0" + high + bytes([21]) + bytes(10) + _SALT[8:] + b"\0"
    return b"\x0a5.5.5-10.11.0-MariaDB\0" + bytes(4) + salt + b"mysql_native_password\0"


def _column(name: str) -> bytes:
    named: Iterable[bytes] = (b"def", b"", b"", b"", name.encode(), name.encode())
    return b"".join(map(_counted, named)) + b"\x0c\x3f\0" + bytes(4) + b"\xfc" + bytes(5)


def _row(values: Sequence[int | str | bytes | None]) -> bytes:
    return b"".join(
        b"\xfb" if value is None else _counted(value if isinstance(value, bytes) else str(value).encode())
        for value in values
    )


def _counted(value: bytes) -> bytes:
    size = len(value)
    if size < 251:
        return bytes([size]) + value
    return (b"\xfc" + size.to_bytes(2, "little") if size < 1 << 16 else b"\xfd" + size.to_bytes(3, "little")) + value
