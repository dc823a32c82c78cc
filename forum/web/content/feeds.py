"""Feeds of boards, as Atom (RFC 4287), and as a page that other sites can show within theirs."""

from base64 import b64encode
from hashlib import sha256
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import Request, Response
from markupsafe import Markup

from forum.content.feeds import Feed, read_feed
from forum.core import clock
from forum.http.caching import is_known
from forum.http.fields import Slug
from forum.http.services import services_of
from forum.web.languages import Language, language_of, mark, preferred
from forum.web.pages import environment
from forum.web.routing import page_router

SHORT = 10  # threads on a page within another
ATOM = "http://www.w3.org/2005/Atom"
CACHING = "public, max-age=300"
REMOVED = mark("Removed")
# The styles of the page within another: it loads nothing, and takes its colours from the device.
STYLE = (
    ":root{color-scheme:light dark;background:Canvas;color:CanvasText;font:1rem/1.5 system-ui,sans-serif}"
    "body{margin:.75rem}h1{font-size:1.125rem;margin:0 0 .5rem}a{display:inline-block;padding:.25rem 0}"
    "a:focus-visible{outline:3px solid;outline-offset:2px}"
    "ul{list-style:none;margin:0;padding:0}li{margin:0 0 .75rem}p{margin:0}"
)

router = page_router()


@router.get("/boards/{slug}/feed.atom")
async def show_feed(slug: Slug, request: Request) -> Response:
    """Give the newest threads of a board to feed readers."""
    settings, feed = services_of(request).settings, await _read(request, slug)
    language = language_of(settings.languages[0], settings.time_zone)
    content = tostring(_atom(feed, settings.public_url, settings.name, language), "utf-8", xml_declaration=True)
    return _public(request, content, "application/atom+xml; charset=utf-8", {})


@router.get("/embed/{slug}")
async def show_embedded(slug: Slug, request: Request) -> Response:
    """Show the newest threads of a board within a page of another site: without scripts, cookies and fonts."""
    settings, feed = services_of(request).settings, await _read(request, slug)
    asked = request.headers.get("accept-language", "")
    language = language_of(preferred(asked, settings.languages), settings.time_zone)
    content = (
        environment(language, ())
        .get_template("content/embedded.html")
        .render(
            feed=feed,
            threads=[item for item in feed.items if item.title is not None][:SHORT],
            language=language,
            style=Markup(STYLE),  # noqa: S704 (ours)
        )
    )
    framers = " ".join(sorted(settings.allowed_origins)) or "'none'"
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors {framers}",
        "Content-Language": language.code,
        "Vary": "Accept-Language",
        "X-Robots-Tag": "noindex",
    }
    return _public(request, content.encode(), "text/html; charset=utf-8", headers)


async def _read(request: Request, slug: str) -> Feed:
    """Return the feed as a guest may read it, whoever asks."""
    return await read_feed(services_of(request).database.reader, slug, clock.now())


def _public(request: Request, content: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """Return what is the same for everybody, or 304 where the client has it."""
    tag = f'"{sha256(content).hexdigest()[:24]}"'
    headers |= {"Cache-Control": CACHING, "ETag": tag, "Cross-Origin-Resource-Policy": "cross-origin"}
    if is_known(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


def _atom(feed: Feed, address: str, site: str, language: Language) -> Element:
    board = f"{address}/boards/{feed.slug}"
    root = Element("feed", {"xmlns": ATOM, "xml:lang": language.code})
    _add(root, "id", f"{board}/feed.atom")
    _add(root, "title", f"{feed.name} – {site}")
    _add(root, "updated", feed.updated_at.isoformat())
    _add(SubElement(root, "author"), "name", site)
    SubElement(root, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{board}/feed.atom"})
    SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": board})
    for item in feed.items:
        entry, thread = SubElement(root, "entry"), f"{address}/threads/{item.thread_id}"
        _add(entry, "id", thread)
        _add(entry, "title", item.title or language.say(REMOVED))
        _add(entry, "published", item.opened_at.isoformat())
        _add(entry, "updated", item.updated_at.isoformat())
        SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": thread})
    return root


def _add(parent: Element, name: str, words: str) -> None:
    SubElement(parent, name).text = words
