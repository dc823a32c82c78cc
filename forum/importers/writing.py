"""Write the rows of threads and posts that come. Nobody is told of them: no open page and no webhook."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum.administration.webhooks import actions as webhooks
from forum.content.posts.tables import Post, PostQuote, QuotedWords
from forum.content.subscriptions import Subscription
from forum.content.threads.tables import Thread
from forum.core.gate import GateResult
from forum.importers.copying import copy_rows
from forum.importers.counting import add_counts
from forum.importers.old_threads import Setting
from forum.importers.rows import HELD_BECAUSE, BatchRows
from forum.importers.tables import MovedItem

# They are of this transaction, so nobody has seen them.
FORGET_EVENTS = text("DELETE FROM event WHERE xid = pg_current_xact_id() AND kind = 'post'")


async def write_rows(session: AsyncSession, setting: Setting, rows: BatchRows) -> None:
    """Write these rows, with what moderators are to know of them."""
    for model, written in (
        (Thread, rows.threads),
        (Post, rows.posts),
        (PostQuote, rows.quotes),
        (QuotedWords, rows.quoted_words),
        (Subscription, rows.subscriptions),
        (MovedItem, rows.moved),
    ):
        await copy_rows(session, model, written)
    await session.execute(FORGET_EVENTS)
    await webhooks.forget_posts_of_transaction(session)
    for post_id in rows.held:
        await setting.gate.record(session, ("post", post_id), GateResult(HELD_BECAUSE), setting.now)
    await setting.moderation.keep_removals(session, setting.run, rows.removals)
    await add_counts(session, setting.run_id, rows.counts)
