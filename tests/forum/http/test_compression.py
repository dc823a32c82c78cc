"""What is sent in fewer bytes, and that nothing with a secret in it is."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from forum import app as product
from forum.core.settings import Settings
from forum.http import compression
from forum.http.compression import has_secret
from forum.http.services import Services
from forum.web.pages import Page
from tests.support import make
from tests.support.scenes import API

# Every route of the API whose answer has something in it that nobody else may learn.
SECRET = {
    ("POST", "/sessions"),
    ("POST", "/sessions/passkey"),
    ("POST", "/me/second-factor"),
    ("PUT", "/me/second-factor"),
    ("POST", "/me/second-factor/recovery-codes"),
    ("POST", "/me/passkey-challenges"),
    ("POST", "/me/passkeys"),
    ("POST", "/passkey-challenges"),
    ("POST", "/reports"),
    ("POST", "/complaints"),
    ("POST", "/administration/webhooks"),
    ("POST", "/administration/webhooks/{id}/secret"),
}
TEMPLATES = [
    Path(product.__file__).parent / "web/templates",
    Path(product.__file__).parents[1] / "moderation/web/templates",
]
# What a template has that shows a secret: one to be written down, or the sealed answer to what its author was asked.
SHOWN = ('class="secret', ".confirm")


def test_what_has_a_secret_is_known_by_its_fields() -> None:
    routes = [route for resource in product.RESOURCES for router in resource.routers for route in router.routes]
    found = {
        (method, route.path)
        for route in routes
        if isinstance(route, APIRoute) and route.response_model and has_secret(route.response_model)
        for method in route.methods
    }
    assert found == SECRET


def test_no_page_with_a_secret_is_compressed() -> None:
    pages = [page for page in _below(Page) if getattr(page, "template", None)]
    showing = {page for page in pages if any(words in _source(page.template) for words in SHOWN)}
    assert len(showing) >= 6
    assert [page for page in showing if page.has_secret is Page.has_secret] == []


async def test_an_answer_is_sent_in_fewer_bytes_unless_it_has_a_secret(
    app: FastAPI, services: Services, settings: Settings, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    words = "The letter came on a Friday, and none of us knew what it asked of us. " * 20
    async with make.application(settings.model_copy(update={"page_cache": 0})) as plain, make.client(plain) as reader:
        await make.post(services, "heron", thread, words)
        path = f"{API}/threads/{thread}/posts"
        whole = await reader.get(path, headers={"Accept-Encoding": "identity"})
        small = await reader.get(path, headers={"Accept-Encoding": "br, gzip;q=0.8"})
        assert (small.headers["content-encoding"], small.content) == ("gzip", whole.content)
        assert int(small.headers["content-length"]) < len(whole.content) == int(whole.headers["content-length"])
        same = ("etag", "vary", "cache-control", "content-type")
        assert [small.headers[name] for name in same] == [whole.headers[name] for name in same]
        asked = {"Accept-Encoding": "gzip", "If-None-Match": small.headers["etag"]}
        assert (await reader.get(path, headers=asked)).status_code == 304
        refused = await reader.get(path, headers={"Accept-Encoding": "gzip;q=0"})
        assert "content-encoding" not in refused.headers
        assert "content-encoding" not in (await reader.get(f"{API}/threads/{thread}")).headers  # it is short
    # Made for one member alone, too; and of secrets, not even where they are long.
    async with make.signed_in(app, "magpie") as magpie:
        sent = await magpie.post(path, json={"body_markdown": words})
        assert (sent.headers["content-encoding"], sent.headers["vary"]) == ("gzip", "Accept-Encoding")
        monkeypatch.setattr(compression, "SMALL", 1)
        assert (await magpie.get(f"{API}/me")).headers["content-encoding"] == "gzip"
        begun = await magpie.post(f"{API}/me/second-factor")
        wrong = await magpie.put(f"{API}/me/second-factor", json={"code": "000000"})
        asked_about = await magpie.post(path, json={"body_markdown": "Ring me on 07700 900123, please."})
        assert "confirm" in asked_about.json()
        signed_in = await guest.post(f"{API}/sessions", json=make.signing_in("magpie"))
        assert signed_in.status_code == 201
        for answer in (signed_in, begun, wrong, asked_about):
            assert "content-encoding" not in answer.headers, answer.text


def _below(page: type[Page]) -> Iterator[type[Page]]:
    for below in page.__subclasses__():
        yield below
        yield from _below(below)


def _source(template: str) -> str:
    return next((folder / template).read_text() for folder in TEMPLATES if (folder / template).is_file())
