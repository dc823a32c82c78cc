"""What whoever runs a forum sees when its database hangs, and when they start it twice."""

import signal
from pathlib import Path

import psutil

from tests.support.running import Forum, launch, started, until


def postgres(forum: Forum) -> list[psutil.Process]:
    """Every process of its PostgreSQL."""
    return [forum.postmaster(), *forum.postmaster().children(recursive=True)]


async def test_a_database_that_hangs_is_told_and_a_second_forum_is_refused_and_the_first_goes_on(
    tmp_path: Path,
) -> None:
    async with started(tmp_path, "serve", "--no-worker") as forum:
        await forum.ready()
        hanging = postgres(forum)
        for process in hanging:
            process.send_signal(signal.SIGSTOP)
        try:
            said = [await forum.http.get("/readyz") for _ in range(3)]
            assert [(answer.status_code, answer.json()["code"]) for answer in said] == [(503, "not_ready")] * 3
            assert (await forum.http.get("/healthz")).status_code == 200
        finally:
            for process in hanging:
                process.send_signal(signal.SIGCONT)
        await forum.ready()

        log = tmp_path / "second.log"
        second = launch(log, "serve", "--no-worker", "--port", 0, FORUM_DATA=str(forum.data))
        assert await until(lambda: second.poll() is not None, 60)
        assert second.returncode == 1
        assert "is served from" in log.read_text()
        assert "Traceback" not in log.read_text()
        assert (await forum.http.get("/readyz")).status_code == 200
        # What is no second forum works beside it.
        command = launch(log, "audit", "verify", FORUM_DATA=str(forum.data))
        assert await until(lambda: command.poll() is not None, 60)
        assert command.returncode == 0, log.read_text()
        forum.process.terminate()
        assert await forum.ended() == 0
        await forum.gone()
