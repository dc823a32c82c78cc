"""Records wait in a file: they come back as they were, a thread's posts in the order in which they were written."""

import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forum.importers.batches import batches
from forum.importers.records import (
    BanRecord,
    BoardRecord,
    PersonRecord,
    PostRecord,
    Readers,
    SourceRecord,
    TextForm,
    ThreadRecord,
)
from forum.importers.staging import Staging

THEN = datetime(2009, 3, 1, 3, 0, tzinfo=UTC)


def post_with(old: str, words: str = "Hi") -> PostRecord:
    return PostRecord(old=old, thread="5", written_at=THEN, form=TextForm.PLAIN, text=words)


def test_a_batch_has_so_many_or_so_much() -> None:
    given = ["a", "b", "ccccc", "d", "e", "f", "g"]
    assert [*batches(given, 3, len, room=5)] == [["a", "b", "ccccc"], ["d", "e", "f"], ["g"]]
    assert [*batches(given, 9, len, room=2)] == [["a", "b"], ["ccccc"], ["d", "e"], ["f", "g"]]
    assert [*batches(iter([]), 9, len)] == []


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "staging.sqlite"
    records = [
        SourceRecord(program="phpbb", version="3.3.14", name="Kin"),
        BoardRecord(old="2", name="New here", readers=Readers.EVERYONE),
        PersonRecord(old="7", name="Mum & Dad 🌞", email="mum@example.org", joined_at=THEN),
        ThreadRecord(old="5", board="2", title="“Quoted” \u2028 title", author="7"),
        BanRecord(person="7", until=THEN),
    ]
    posts = [
        PostRecord(old=str(n), thread="5", author="7", written_at=at, form=TextForm.S9E, text="<t>Hi</t>")
        for n, at in ((3, THEN + timedelta(days=1)), (1, THEN), (2, THEN))
    ]
    with Staging(path) as staging:
        staging.add([*records, *posts])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with Staging(path) as staging:
        assert [
            staging.source,
            *staging.boards(),
            *staging.people(),
            *staging.threads(),
            *staging.others(BanRecord),
        ] == records
        assert [post.old for post in staging.posts("5")] == ["1", "2", "3"]
        assert staging.count("post") == 3
        with pytest.raises(sqlite3.IntegrityError):
            staging.add([posts[0]])
        more = [PersonRecord(old=old, name=old) for old in ("9", "8")]
        elsewhere = [
            ThreadRecord(old="6", board="3", title="x"),
            *(one.model_copy(update={"old": f"1{one.old}", "thread": "6", "author": "8"}) for one in posts[:2]),
        ]
        staging.add([*more, *elsewhere])
        ranks = {boards: [(one.old, posts) for one, posts in staging.people_by_posts(boards)] for boards in ("2", "23")}
        assert ranks == {"2": [("7", 3), ("9", 0), ("8", 0)], "23": [("7", 3), ("8", 2), ("9", 0)]}
        assert staging.some_people(["8", "77"]) == {"8": more[1]}
    # That of a run: however it ends, nothing of it is left, and what failed halfway is undone.
    with Staging.without_name(tmp_path / "data") as staging:
        staging.add([*records, *posts])
        assert [*(tmp_path / "data").iterdir()] == []
        with pytest.raises(sqlite3.IntegrityError):
            staging.add([post_with("9"), posts[0]])
        assert staging.count("post") == 3
        staging.add([post_with("9", "x" * 10_000_000)])
        assert staging.count("post") == 4
        assert [*(tmp_path / "data").iterdir()] == []
