"""Posts as HTML, each kept as long as nothing in it changes: to render one takes longer than to read it."""

from collections.abc import Hashable, Sequence

from cachetools import TTLCache
from markupsafe import Markup

from forum.content.posts.queries import PostView
from forum.content.reading import ThreadReading
from forum.web.pages import environment
from forum.web.visits import Visit, key_of, room_for

# A key holds the words of its post twice: as Markdown and as HTML.
_KEPT: TTLCache[Hashable, Markup] = room_for(lambda html: 3 * len(html))


def post_fragments(visit: Visit, read: ThreadReading) -> Sequence[Markup]:
    """Return the posts of a page of a thread as HTML."""
    _KEPT.expire()
    opener = read.thread.author_handle
    offers = frozenset(
        name for name, is_offered in (("reply", not read.no_reply_because), ("edit", read.may_edit)) if is_offered
    )
    return [_fragment(visit, post, _reader(visit, post, read), opener, offers) for post in read.page.posts]


def _reader(visit: Visit, post: PostView, read: ThreadReading) -> str:
    """Return who reads a post: for each of them it has other links."""
    if visit.viewer.id is None:
        return "guest"
    if post.number in read.place.own:
        return "own"
    return "moderator" if read.moderates else "member"


def _fragment(visit: Visit, post: PostView, reader: str, opener: str | None, offers: frozenset[str]) -> Markup:
    is_opener = post.author_handle is not None and post.author_handle == opener
    key = (visit.language.code, reader, offers, is_opener, key_of(post._replace(last_number=0)))
    found = _KEPT.get(key)
    if found is None:
        links = [
            (link.path_of(post), visit.say(link.words))
            for link in visit.house.post_links
            if link.is_for(reader, offers, post)
        ]
        template = environment(visit.language, visit.house.templates).get_template("content/post.html")
        found = Markup(template.render(post=post, reader=reader, is_opener=is_opener, links=links))  # noqa: S704
        _KEPT[key] = found
    return found
