"""The key that is not in the database: one for all processes of a forum, and readable for nobody else."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from forum.core import secret_key
from forum.core.secret_key import FILE, keyed_digest
from forum.core.settings import Settings


def settings_of(folder: Path, key: str | None = None) -> Settings:
    return Settings(data=folder, secret_key=key)  # type: ignore[arg-type]


def test_it_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first = secret_key.secret_key(settings_of(folder))
    assert len(first) == 64
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    secret_key._of_folder.cache_clear()
    assert secret_key.secret_key(settings_of(folder)) == first
    assert [file.name for file in folder.iterdir()] == [FILE]


def test_processes_that_begin_together_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: secret_key._of_folder.__wrapped__(tmp_path), range(64)))
    assert len(found) == 1


def test_a_setting_comes_before_the_file(tmp_path: Path) -> None:
    given = settings_of(tmp_path, "a key of thirty-two characters or more")
    assert secret_key.secret_key(given) == b"a key of thirty-two characters or more"
    assert list(tmp_path.iterdir()) == []
    assert "thirty-two" not in repr(given)
    with pytest.raises(ValidationError):
        settings_of(tmp_path, "short")


def test_a_digest_depends_on_key_and_purpose(tmp_path: Path) -> None:
    one, other = settings_of(tmp_path / "one"), settings_of(tmp_path / "other")
    digests = {keyed_digest(s, purpose, b"words") for s in (one, other) for purpose in ("repeat", "else")}
    assert len(digests) == 4
    assert keyed_digest(one, "repeat", b"words") in digests


def test_where_there_can_be_none_a_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RuntimeError, match="Set FORUM_SECRET_KEY"):
        secret_key.secret_key(settings_of(tmp_path / "file"))
