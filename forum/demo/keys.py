"""The password and the secrets of a demonstration: made anew in each data folder, and kept there."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from forum.authentication.second_factor import totp

FILE = "demo.json"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike


@dataclass(frozen=True)
class DemoKeys:
    """The password of everybody in a demonstration, and the seed of the secrets in their authenticator apps."""

    password: str
    seed: str

    def secret_of(self, handle: str) -> str:
        """Return the secret in the authenticator app of this member of staff."""
        digest = hmac.digest(self.seed.encode(), handle.encode(), hashlib.sha1)
        return base64.b32encode(digest).decode()

    def code_of(self, handle: str, now: datetime) -> str:
        """Return the code that this member's authenticator app shows now."""
        return totp.current_code(self.secret_of(handle), now)


def make_keys() -> DemoKeys:
    """Return new keys: the password has 80 random bits."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    return DemoKeys("-".join(groups), secrets.token_hex(32))


def find_keys(folder: Path) -> DemoKeys | None:
    """Return the keys of the demonstration in this data folder, if there is one."""
    try:
        return DemoKeys(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def keep_keys(folder: Path, keys: DemoKeys) -> None:
    """Write the keys into the data folder, for its owner only. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    file, part = folder / FILE, folder / f"{FILE}.part"
    part.touch(mode=0o600)
    part.write_text(json.dumps(asdict(keys)), encoding="utf-8")
    part.replace(file)
