"""Password hashes of old boards (phpBB, WordPress): how each looks, and how to compare a password with it."""

import base64
import hashlib
import hmac
import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import bcrypt
from passlib.hash import argon2, phpass

ARGON2_SALT_AND_DIGEST = r"[A-Za-z\d+/]+\$[A-Za-z\d+/]+"  # argon2's own reader stops at a NUL, and does not say so
_PHPASS_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # where B stands for 2¹³ rounds


@dataclass(frozen=True)
class HashFormat:
    """One way to store passwords: how its hashes look, what was hashed, and how to compare.

    The pattern ends at the highest cost that a board may have chosen: a hash that asks for more work is no hash to
    us and is never computed.
    """

    pattern: re.Pattern[str]
    hashed_texts: Callable[[str], Iterable[str]]
    matches: Callable[[bytes, str], bool]
    is_quick: bool = False  # far less work than our own

    def verify(self, password: str, stored: str) -> bool:
        """Return whether the hash is this password's. Raises TypeError or ValueError when it is no hash."""
        return any(self.matches(text.encode(), stored) for text in self.hashed_texts(password))


def find_format(stored: str, formats: Iterable[HashFormat]) -> HashFormat | None:
    """Return the format of a stored hash, or None when it has none of these."""
    return next((format_ for format_ in formats if format_.pattern.fullmatch(stored)), None)


# What was hashed of what people typed


def as_typed(password: str) -> Iterable[str]:
    """Give the password itself."""
    yield password


def _phpbb(password: str) -> Iterable[str]:
    """Give what phpBB hashed: the password as it would stand on a page (`type_cast_helper::set_var`)."""
    text = re.sub("\r\n?", "\n", password).replace("\0", "").replace("\ufeff", "")
    yield unicodedata.normalize("NFC", html.escape(text, quote=False).replace('"', "&quot;"))


def _phpbb2(password: str) -> Iterable[str]:
    """Give that and its MD5: phpBB 3 hashed the hashes of phpBB 2."""
    for text in _phpbb(password):
        yield from (text, hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())


def _wordpress(password: str) -> Iterable[str]:
    """Give what WordPress hashed: `wp_magic_quotes`, then the trim of `wp_authenticate`."""
    yield re.sub(r"""['"\\]""", r"\\\g<0>", password).replace("\0", "\\0").strip(" \t\n\r\0\x0b")


def _either_board(password: str) -> Iterable[str]:
    yield from (*_phpbb(password), *_wordpress(password))


# How to compare


def argon2_matches(secret: bytes, stored: str) -> bool:
    """Return whether an argon2 hash is this secret's."""
    return bool(argon2.verify(secret, stored))


def _bcrypt_matches(secret: bytes, stored: str) -> bool:
    # PHP's took longer passwords and read 72 bytes of them; ours refuses them.
    return bcrypt.checkpw(secret[:72], stored.encode())


def _phpass_matches(secret: bytes, stored: str) -> bool:
    return bool(phpass.verify(secret, stored))


def _md5_matches(secret: bytes, stored: str) -> bool:
    return hmac.compare_digest(hashlib.md5(secret, usedforsecurity=False).hexdigest(), stored)


def _bcrypt_of_hmac_matches(secret: bytes, stored: str) -> bool:
    digest = hmac.new(b"wp-sha384", secret, hashlib.sha384).digest()
    return _bcrypt_matches(base64.b64encode(digest), stored.removeprefix("$wp"))


def _bcrypt_of_phpass_matches(secret: bytes, stored: str) -> bool:
    """phpBB's `manager::check_combined_hash`: bcrypt of a phpass hash without its settings."""
    setting, cost_and_salt, digest = stored.split("$")[2:]
    rounds = _PHPASS_DIGITS.index(setting[0])
    inner = phpass.using(ident="H", rounds=rounds, salt=setting[1:]).hash(secret)
    return _bcrypt_matches(inner[-22:].encode(), "$2y$" + cost_and_salt.replace("\\", "$") + digest)


# Of these, somebody who steals the database tries millions in a second: see `wrapped_formats`.
_PHPBB_PHPASS = HashFormat(re.compile(r"\$H\$[5-9A-D][./\w]{30}", re.ASCII), _phpbb, _phpass_matches, is_quick=True)
_WORDPRESS_PHPASS = HashFormat(
    re.compile(r"\$P\$[5-9A-D][./\w]{30}", re.ASCII), _wordpress, _phpass_matches, is_quick=True
)
_MD5 = HashFormat(re.compile(r"[0-9a-f]{32}"), _either_board, _md5_matches, is_quick=True)

LEGACY_FORMATS = (
    # phpBB 3.0 to 3.3
    _PHPBB_PHPASS,
    HashFormat(re.compile(r"\$2[aby]\$(0[4-9]|1[0-2])\$[./\w]{53}", re.ASCII), _phpbb, _bcrypt_matches),
    HashFormat(
        re.compile(rf"\$argon2id?\$v=19\$m=\d{{1,5}},t=[1-4],p=[1-4]\${ARGON2_SALT_AND_DIGEST}", re.ASCII),
        _phpbb,
        argon2_matches,
    ),
    HashFormat(
        re.compile(r"\$H\\2y\$[5-9A-D][./\w]{8}\$(0[4-9]|1[01])\\[./\w]{22}\$[./\w]{31}", re.ASCII),
        _phpbb2,
        _bcrypt_of_phpass_matches,
    ),
    # WordPress before 6.8, and since
    _WORDPRESS_PHPASS,
    HashFormat(re.compile(r"\$wp\$2y\$(0[4-9]|1[0-2])\$[./\w]{53}", re.ASCII), _wordpress, _bcrypt_of_hmac_matches),
    # what either takes from somebody who wrote into its database by hand
    _MD5,
)


# Quick hashes that moved here: ours of theirs, `$moved$SETTING$argon2id$…`. The setting is what theirs begins with:
# from it and a password, theirs is made again, and then ours. So no quick hash is in the database, or in a backup.
_PHPASS_SETTING, _MD5_SETTING = slice(1, 12), "md5"


def _phpass_again(secret: bytes, setting: str) -> str:
    ident, rounds, salt = setting[0], _PHPASS_DIGITS.index(setting[2]), setting[3:]
    return str(phpass.using(ident=ident, rounds=rounds, salt=salt).hash(secret))


def _md5_again(secret: bytes, _setting: str) -> str:
    return hashlib.md5(secret, usedforsecurity=False).hexdigest()


def _wrapped_matches(again: Callable[[bytes, str], str], secret: bytes, stored: str) -> bool:
    setting, ours = stored.removeprefix("$moved$").split("$argon2id$")
    return argon2_matches(again(secret, setting).encode(), f"$argon2id${ours}")


def wrapped_formats(ours: str) -> tuple[HashFormat, ...]:
    """Return the formats of quick hashes that were hashed again in our way, which looks like the pattern `ours`."""

    def wrapped(
        setting: str, hashed_texts: Callable[[str], Iterable[str]], again: Callable[[bytes, str], str]
    ) -> HashFormat:
        pattern = re.compile(rf"\$moved\${setting}({ours})", re.ASCII)
        return HashFormat(pattern, hashed_texts, partial(_wrapped_matches, again))

    return (
        wrapped(r"H\$[5-9A-D][./\w]{8}", _phpbb, _phpass_again),
        wrapped(r"P\$[5-9A-D][./\w]{8}", _wordpress, _phpass_again),
        wrapped(_MD5_SETTING, _either_board, _md5_again),
    )


def setting_of(stored: str) -> str:
    """Return what a quick hash begins with, that it takes to make it again."""
    return _MD5_SETTING if _MD5.pattern.fullmatch(stored) else stored[_PHPASS_SETTING]
