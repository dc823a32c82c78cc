"""What a phone does, with a client that was generated from the OpenAPI document and not edited."""

import re
import sys
import time
import uuid
from pathlib import Path

from forum_client import AuthenticatedClient, Client
from forum_client.api.boards import list_boards
from forum_client.api.members import join, verify_address
from forum_client.api.posts import create_post, edit_post, list_posts
from forum_client.api.reports import report_post
from forum_client.api.sessions import sign_in
from forum_client.models import (
    BoardList,
    Edit,
    Mailed,
    Me,
    Newcomer,
    Post,
    PostList,
    Problem,
    Reply,
    Report,
    ReportRequest,
    ReportRequestCategory,
    SignedIn,
    SigningIn,
    Tombstone,
    WrittenPost,
)
from forum_client.types import UNSET, Unset

HANDLE, EMAIL, PASSWORD = "snake", "snake@example.org", "four quiet herons dancing"


def mailed_token(mailbox: Path) -> str:
    """The token of the link that was mailed to us."""
    for _ in range(300):
        for file in mailbox.glob("*.eml"):
            mail = file.read_text()
            if EMAIL in mail and (link := re.search(r"email-verifications#([\w-]+)", mail)):
                return link[1]
        time.sleep(0.1)
    raise TimeoutError("no mail came")


def read_to_the_end(forum: Client, thread: int) -> list[Post | Tombstone]:
    """Every post of a thread."""
    read: list[Post | Tombstone] = []
    after: str | Unset = UNSET
    while True:
        page = list_posts.sync(thread, client=forum, after=after)
        assert isinstance(page, PostList), page
        read += page.items
        if page.next_ is None:
            return read
        after = page.next_


def talk(address: str, mailbox: Path, thread: int, posts: int) -> None:
    guest = Client(address, raise_on_unexpected_status=True)

    # Join, and join again: the answer to the first request was lost.
    newcomer = Newcomer(handle=HANDLE, name="Snake", email=EMAIL, password=PASSWORD)
    once = str(uuid.uuid4())
    joined = join.sync(client=guest, body=newcomer, idempotency_key=once)
    assert isinstance(joined, Me), joined
    assert join.sync(client=guest, body=newcomer, idempotency_key=once) == joined
    taken = join.sync(client=guest, body=newcomer)
    assert isinstance(taken, Problem), taken
    assert taken.code == "handle_taken"

    # Verify the address, and sign in.
    verified = verify_address.sync_detailed(client=guest, body=Mailed(token=mailed_token(mailbox)))
    assert verified.status_code == 204, verified
    session = sign_in.sync(client=guest, body=SigningIn(login=HANDLE, password=PASSWORD))
    assert isinstance(session, SignedIn), session
    assert session.token
    forum = AuthenticatedClient(address, session.token, raise_on_unexpected_status=True)

    # Read the thread to its end.
    read = read_to_the_end(guest, thread)
    assert len(read) == posts, len(read)
    assert [post.visibility for post in read if isinstance(post, Tombstone)] == ["withdrawn"]
    boards = list_boards.sync(client=guest)
    assert isinstance(boards, BoardList), boards
    assert boards.next_ is None

    # Reply, and reply again.
    words = Reply(body_markdown="Hello from a generated client.")
    reply = create_post.sync(thread, client=forum, body=words, idempotency_key="snake-1")
    assert isinstance(reply, WrittenPost), reply
    assert create_post.sync(thread, client=forum, body=words, idempotency_key="snake-1") == reply

    # Edit, and edit what is no longer on the screen.
    edit = Edit(revision=reply.revision, body_markdown="Hello again.")
    assert isinstance(edit_post.sync(reply.id, client=forum, body=edit), WrittenPost)
    edit.body_markdown = "Hello at last."
    stale = edit_post.sync(reply.id, client=forum, body=edit)
    assert isinstance(stale, Problem), stale
    assert (stale.status, stale.code, stale.current) == (409, "post_changed", 2)

    # Report the first post.
    complaint = ReportRequest(category=ReportRequestCategory.OTHER, revision=1, note="Please look.")
    report = report_post.sync(read[0].id, client=forum, body=complaint, idempotency_key="snake-2")
    assert isinstance(report, Report), report
    assert (report.category, report.outcome) == ("other", None)


if __name__ == "__main__":
    talk(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
