"""A key that is not in the database: whoever has a copy of the database alone cannot try guesses with it."""

import hmac
import os
import secrets
from functools import cache
from hashlib import sha256
from pathlib import Path

from forum.core.settings import Settings

FILE = "secret.key"


def keyed_digest(settings: Settings, purpose: str, content: bytes) -> bytes:
    """Return a digest of `content` that nobody can compute without the key. Raises RuntimeError without a key."""
    return hmac.digest(secret_key(settings), purpose.encode() + b"\0" + content, sha256)


def secret_key(settings: Settings) -> bytes:
    """Return the key of FORUM_SECRET_KEY; without it, that of the data folder, which is made when it is first needed.

    Raises RuntimeError when the folder can neither be read nor written.
    """
    if settings.secret_key:
        return settings.secret_key.get_secret_value().encode()
    return _of_folder(settings.data.absolute())


@cache
def _of_folder(folder: Path) -> bytes:
    file = folder / FILE
    try:
        if not file.exists():
            _make(file)
        return file.read_bytes()
    except OSError as error:
        raise RuntimeError(f"{file} cannot be read or made. Set FORUM_SECRET_KEY, or mend FORUM_DATA.") from error


def _make(file: Path) -> None:
    """Make the file whole or not at all; of several processes that begin together, all use that of the first."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{FILE}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as open_file:
        open_file.write(secrets.token_hex(32))
        open_file.flush()
        os.fsync(open_file.fileno())
    try:
        file.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
