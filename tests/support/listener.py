"""A service of another house that webhooks tell: a real server with a certificate, on this machine."""

import json
import ssl
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path

from forum.administration.webhooks.jobs import WebhookSender, queue_due
from forum.administration.webhooks.tables import Webhook, WebhookEvent
from forum.core import clock
from forum.core.http_client import HttpClient
from forum.http.services import Services
from tests.support.jobs import run_errand
from tests.support.scenes import sql
from tests.support.sites import LOCAL, Handler, Site, names, opened, said

PAPERS = Path(__file__).parents[1] / "forum" / "core" / "hook.test.pem"  # of hook.test
TAKEN = said(b"", status="204 No Content")


def listening(answer: Handler = TAKEN) -> AbstractAsyncContextManager[Site]:
    """One that answers this; `heard` has each request with its body."""
    papers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    papers.load_cert_chain(PAPERS)
    return opened(Site(hook=answer), papers)


async def told_of(services: Services, *events: WebhookEvent) -> None:
    """Have a service told of these, of which nothing else is known."""
    now = clock.now()
    async with services.database.work() as session:
        session.add(Webhook(url="https://hook.test/", events=list(events), made_at=now, changed_at=now))


def address_of(site: Site) -> str:
    return site.at("hook", "hook.test", "https")


def headers_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def sender(services: Services, **known: str) -> WebhookSender:
    """The errand, for which hook.test is this machine unless `known` says otherwise."""
    resolve, _ = names(**(known or {"hook_test": "127.0.0.1"}))
    return WebhookSender(services.settings, HttpClient(resolve, LOCAL, ssl.create_default_context(cafile=PAPERS)))


async def deliver(services: Services, now: datetime | None = None, by: WebhookSender | None = None) -> int:
    """Send all that is due, one a second to each service, as a worker does. Return how many seconds it took."""
    seconds, began = 0, now or clock.now() + timedelta(seconds=1)
    while payloads := await queued(services, at := began + timedelta(seconds=seconds)):
        for payload in payloads:
            await run_errand(services.database, by or sender(services), payload, at)
        seconds += 1
    return seconds


async def queued(services: Services, now: datetime) -> list[dict[str, str]]:
    """What a sweep queues now, taken from the queue."""
    async with services.database.work() as session:
        assert not await queue_due(session, now)
    rows = await sql(services, "DELETE FROM jobs.queue WHERE entrypoint = 'deliver_webhook' RETURNING payload")
    return [json.loads(row[0]) for row in rows]
