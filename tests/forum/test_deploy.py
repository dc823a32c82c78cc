"""The files with which the forum is put into service: they agree with what the program promises and needs."""

import re
from pathlib import Path

from forum.cli.serve import DRAIN_SECONDS, KEEP_ALIVE_SECONDS
from forum.http import body_size
from forum.http.middleware import STREAM
from forum.notifications.live_events.hub import COMMENT_SECONDS
from forum.worker import DRAIN_SECONDS as WORKER_DRAIN_SECONDS

ROOT = Path(__file__).parents[2]
NGINX, CADDY, UNIT, CONTAINER = (
    (ROOT / "deploy" / name).read_text() for name in ("nginx.conf", "Caddyfile", "forum.service", "Containerfile")
)


def seconds(text: str, name: str) -> set[int]:
    """Every time that is given there for a directive."""
    return {int(found) for found in re.findall(rf"{name}[ =](\d+)s?\b", text)}


def test_proxies_let_through_what_the_forum_takes_and_hold_no_stream_back() -> None:
    [megabytes] = re.findall(r"client_max_body_size (\d+)m;", NGINX)
    assert int(megabytes) * 2**20 > body_size.LARGEST
    [megabytes] = re.findall(r"max_size (\d+)MB", CADDY)
    assert int(megabytes) * 10**6 > body_size.LARGEST
    [stream] = re.findall(rf"location = {STREAM} {{(.*?)}}", NGINX, re.DOTALL)
    assert "proxy_buffering off;" in stream
    assert "gzip off;" in stream
    assert "flush_interval -1" in CADDY
    assert min(seconds(NGINX, "proxy_read_timeout")) > 2 * COMMENT_SECONDS
    assert max(seconds(NGINX, "keepalive_timeout") | seconds(CADDY, "keepalive")) < KEEP_ALIVE_SECONDS


def test_proxies_believe_no_client_keep_no_log_of_people_and_hide_the_metrics() -> None:
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in NGINX
    assert NGINX.count("access_log off;") == NGINX.count("server {")
    assert re.search(r"location = /metrics {\s+return 404;", NGINX)
    assert "respond /metrics 404" in CADDY
    assert "trusted_proxies" not in CADDY


def test_supervisors_run_it_as_nobody_special_and_give_it_time_to_end() -> None:
    [user] = re.findall(r"^USER (\d+):\d+$", CONTAINER, re.MULTILINE)
    assert int(user) > 0
    assert "/healthz" in CONTAINER
    copied = re.findall(r"^COPY (.+) \S+$", CONTAINER, re.MULTILINE)
    assert all((ROOT / name).exists() for names in copied for name in names.split())
    assert "User=forum" in UNIT
    assert "ProtectSystem=strict" in UNIT
    [stop] = seconds(UNIT, "TimeoutStopSec")
    assert stop > DRAIN_SECONDS + WORKER_DRAIN_SECONDS + 5
    assert "KillMode=mixed" in UNIT  # the forum ends its PostgreSQL itself, last
