"""Settings: environment variables become one frozen object, or one sentence."""

from datetime import UTC, date, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from forum.core.moving_day import limit_at_address, moving_until
from forum.core.settings import Settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FORUM_{name.upper()}", raising=False)


def test_a_forum_that_is_told_nothing_keeps_to_itself() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8000, Path("var"))
    assert settings.database_url is None
    assert settings.allowed_origins == frozenset()


@pytest.mark.parametrize(
    ("limit", "amount", "window"),
    [
        ("api", 600, 60),
        ("sign_in", 10, 300),
        ("second_factor", 10, 300),
        ("second_factor_day", 50, 86_400),
        ("join", 20, 3600),
        ("join_try", 100, 3600),
        ("reset", 5, 86_400),
        ("reset_network", 10, 3600),
        ("mail", 5, 86_400),
        ("verification", 5, 3600),
        ("report", 20, 86_400),
        ("posting", 1, 5),
        ("newcomer_posting", 1, 10),
        ("editing", 30, 60),
        ("preview", 60, 60),
    ],
)
def test_the_throttles_have_the_figures_of_the_promise(limit: str, amount: int, window: int) -> None:
    parsed = Settings().limit(limit)
    assert (parsed.amount, parsed.get_expiry()) == (amount, window)


def test_more_may_fail_at_one_address_on_the_moving_day_and_only_then() -> None:
    settings = Settings(moving_day=date(2026, 11, 30), time_zone="Europe/London")
    for at, allowed in (
        (datetime(2026, 11, 29, 23, 59, tzinfo=UTC), 10),
        (datetime(2026, 11, 30, tzinfo=UTC), 100),
        (datetime(2026, 12, 1, 23, 59, tzinfo=UTC), 100),
        (datetime(2026, 12, 2, tzinfo=UTC), 10),
    ):
        limit = limit_at_address(settings, "sign_in", at)
        assert (limit.amount, limit.get_expiry()) == (allowed, 300)
        ends = datetime(2026, 12, 2, tzinfo=UTC) if allowed > 10 else None
        assert moving_until(settings, at) == ends
    assert limit_at_address(Settings(), "sign_in", datetime(2026, 11, 30, tzinfo=UTC)).amount == 10


@pytest.mark.parametrize(
    ("name", "said", "attribute", "understood"),
    [
        ("FORUM_NAME", "Quiet herons", "name", "Quiet herons"),
        ("FORUM_PORT", "9000", "port", 9000),
        ("FORUM_DATA", "/srv/forum", "data", Path("/srv/forum")),
        ("FORUM_POOL_SIZE", "3", "pool_size", 3),
        ("FORUM_POSTING_LIMIT", "2/1 minute", "posting_limit", "2/1 minute"),
        ("FORUM_MOVING_DAY", "2026-11-30", "moving_day", date(2026, 11, 30)),
        ("FORUM_ALLOWED_ORIGINS", "https://a.example", "allowed_origins", {"https://a.example"}),
        (
            "FORUM_ALLOWED_ORIGINS",
            "https://A.example, http://localhost:3000,",
            "allowed_origins",
            {"https://a.example", "http://localhost:3000"},
        ),
        ("FORUM_ALLOWED_ORIGINS", "", "allowed_origins", frozenset()),
        (
            "FORUM_TRUSTED_PROXIES",
            "192.0.2.1, 10.0.0.0/8,2001:DB8::1",
            "trusted_proxies",
            {"192.0.2.1/32", "10.0.0.0/8", "2001:db8::1/128"},
        ),
        ("FORUM_DATABASE_URL", "", "database_url", None),
    ],
)
def test_a_setting_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, said: str, attribute: str, understood: Any
) -> None:
    monkeypatch.setenv(name, said)
    assert getattr(Settings(), attribute) == understood


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("FORUM_PORT", "many"),
        ("FORUM_PORT", "0"),
        ("FORUM_PORT", "65536"),
        ("FORUM_POOL_SIZE", "0"),
        ("FORUM_LOG_LEVEL", "LOUD"),
        ("FORUM_NEWCOMER_DAYS", "-1"),
        ("FORUM_SIGN_IN_LIMIT", "often"),
        ("FORUM_SIGN_IN_LIMIT", "1/1 second; 10/1 hour"),
        ("FORUM_TRUSTED_PROXIES", "*"),
        ("FORUM_TRUSTED_PROXIES", "proxy.example"),
        ("FORUM_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("FORUM_TRUSTED_PROXIES", "127.0.0.1, 0.0.0.0/0"),
        ("FORUM_ALLOWED_ORIGINS", "*"),
        ("FORUM_ALLOWED_ORIGINS", "https://*.example"),
        ("FORUM_ALLOWED_ORIGINS", "a.example"),
        ("FORUM_ALLOWED_ORIGINS", "https://a.example/"),
        ("FORUM_ALLOWED_ORIGINS", "null"),
        ("FORUM_DATABASE_URL", "mysql://forum@localhost/forum"),
        ("FORUM_DATABASE_URL", "localhost"),
        ("FORUM_DATABASE_URL", "postgresql://one,/forum"),
        ("FORUM_DATABASE_URL", "postgresql://one,two:many/forum"),
        ("FORUM_DATABASE_URL", "postgresql://one,two/forum?host=three"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setenv(name, said)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert f"FORUM_{refused.value.errors()[0]['loc'][0]}".upper() == name


def test_a_proxy_is_known_also_where_its_address_is_shown_within_ipv6() -> None:
    known = Settings(trusted_proxies="192.0.2.1,10.0.0.0/8,2001:db8::1").believed_proxies
    # Parsed: Python 3.13 writes the last two another way, `::ffff:10.0.0.0/104`.
    expected = ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128", "::ffff:a00:0/104", "::ffff:c000:201/128"]
    assert [ip_network(proxy) for proxy in known] == [ip_network(proxy) for proxy in expected]


@pytest.mark.parametrize(
    ("peer", "believed"),
    [
        ("10.9.9.9", True),
        ("::ffff:10.9.9.9", True),
        ("::ffff:a09:909", True),
        ("2001:db8::1", True),
        ("11.0.0.1", False),
        ("::ffff:11.0.0.1", False),
        ("::10.9.9.9", False),
        ("2001:db8::2", False),
    ],
)
async def test_the_server_believes_the_proxies_that_are_trusted_and_nobody_else(peer: str, believed: bool) -> None:
    """Uvicorn reads what we give it; how addresses are written differs between versions of Python."""
    seen = []

    async def application(scope: Any, _receive: object, _send: object) -> None:
        seen.append(scope["client"][0])

    known = Settings(trusted_proxies="192.0.2.1,10.0.0.0/8,2001:db8::1").believed_proxies
    scope: Any = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 1),
        "headers": [(b"x-forwarded-for", b"198.51.100.7")],
    }
    await ProxyHeadersMiddleware(application, known)(scope, None, None)  # type: ignore[arg-type]
    assert seen == ["198.51.100.7" if believed else peer]


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("postgresql://forum@db.example/forum", "postgresql+asyncpg://forum@db.example/forum"),
        ("postgres://forum@db.example:6432/forum", "postgresql+asyncpg://forum@db.example:6432/forum"),
        ("postgresql+asyncpg://@/forum?host=/run/db", "postgresql+asyncpg://@/forum?host=/run/db"),
        (
            "postgresql://u:p@db.example/forum?application_name=x&sslmode=require",
            "postgresql+asyncpg://u:p@db.example/forum?application_name=x&ssl=require",
        ),
        ("postgresql://u:p@db.example/sslmode=x", "postgresql+asyncpg://u:p@db.example/sslmode=x"),
        (
            "postgresql://u:p@one,[2001:db8::2]:6432/forum?sslmode=require",
            "postgresql+asyncpg://u:p@/forum?host=one,2001:db8::2&port=5432,6432&ssl=require"
            "&target_session_attrs=primary",
        ),
        (
            "postgresql://one,two/forum?target_session_attrs=read-write",
            "postgresql+asyncpg:///forum?host=one,two&port=5432,5432&target_session_attrs=read-write",
        ),
        (
            "postgresql://u@/forum?host=/run/a,/run/b",
            "postgresql+asyncpg://u@/forum?host=/run/a,/run/b&port=5432,5432&target_session_attrs=primary",
        ),
    ],
)
def test_the_databases_address_is_understood_as_its_own_programs_write_it(said: str, understood: str) -> None:
    assert Settings(database_url=said).sqlalchemy_url == understood
    assert Settings(database_url=understood).sqlalchemy_url == understood  # as the processes of one forum hand it on


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("smtp_url", "https://mx.example"),
        ("smtp_url", "smtp://"),
        ("smtp_url", "smtp://mx.example:many"),
        ("smtp_url", "smtp://mx.example?tls=of"),
        ("smtp_url", "smtps://mx.example?tls=off"),
        ("mail_from", "Charity"),
        ("mail_from", "Charity <post@charity.example>"),
        ("breached_passwords_url", "range.example"),
        ("public_url", "forum.example"),
        ("public_url", "https://forum.example/?a=b"),
    ],
)
def test_a_mail_setting_or_an_address_that_cannot_work_is_refused(name: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**{"mail_from": "post@charity.example", name: said})
    assert [fault["loc"] for fault in refused.value.errors()] == [(name,)]


def test_without_a_database_there_is_no_address() -> None:
    with pytest.raises(RuntimeError, match="FORUM_DATABASE_URL"):
        _ = Settings().sqlalchemy_url


def test_a_refused_address_of_a_database_is_not_told_with_its_password() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(database_url="mysql://forum:a-secret@db.example/forum")
    assert "a-secret" not in str(refused.value)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1
