"""Measures about a post: publish what is held or waits, refuse an edit that waits, remove; and the undo of each."""

from forum.content import addressed_help
from forum.content.posts import held_edits
from forum.content.posts.revisions import get_words, replace_body_by_moderator
from forum.content.posts.tables import HeldEdit, HeldState, Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.changes import lock_thread_row
from forum.content.threads.tables import Thread
from forum.content.threads.titles import get_title
from forum.core.errors import Conflict
from moderation import findings
from moderation.measures import text_changes, thread_measures
from moderation.measures.post_notices import has_another_removal
from moderation.measures.tables import AppliedMeasure, MeasureContext, MeasureInput, UndoData


async def publish(context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    """Publish a post that is held, and the edits of it that wait. Raises Conflict where nothing does."""
    session, post = context.session, context.post
    waiting, is_held = await held_edits.list_waiting(session, [post.id]), post.visibility == Visibility.HELD
    if not (waiting or is_held):
        raise Conflict("Neither this post nor an edit of it is held.", code="post_not_held")
    undo_data: UndoData = {"held_because": post.held_because, "edits": []}
    for edit in waiting:
        done = await _publish_edit(context, edit)
        change = {"before": done.before, "after": done.after, "held_because": edit.held_because}
        undo_data["edits"].append({"part": "body" if edit.title is None else "title", **change})
    if is_held:
        await set_visibility(session, post, Visibility.VISIBLE, context.now)
    return undo_data


async def undo_publish(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Hold again what was published, but for what changed since."""
    for change in applied.memory.get("edits", ()):
        await (_hold_title_again if change["part"] == "title" else _hold_body_again)(context, change)
    reason = applied.memory["held_because"]
    if reason and context.post.visibility == Visibility.VISIBLE:
        await set_visibility(context.session, context.post, Visibility.HELD, context.now, held_because=reason)


async def _hold_body_again(context: MeasureContext, change: UndoData) -> None:
    """Give a post its words from before an edit was published, and let the edit wait; not where they changed since."""
    session, post = context.session, context.post
    if post.revision != change["after"] or not post.is_shown:
        return
    words = (post.body_markdown, post.body_html, post.content_warning)
    edit = held_edits.held_body(post, words, change["held_because"], context.now)
    before = await get_words(session, post, change["before"])
    await replace_body_by_moderator(session, context.moderator, post, before, now=context.now, sealed=False)
    await held_edits.hold(session, edit)


async def _hold_title_again(context: MeasureContext, change: UndoData) -> None:
    """Give a thread its title from before an edit was published, and let that wait; not where it changed since."""
    session, post = context.session, context.post
    thread = await lock_thread_row(session, post.thread_id)
    if thread.title_revision != change["after"]:
        return
    edit = held_edits.held_title(post, thread.title, thread.author_id, change["held_because"], context.now)
    await thread_measures.give_title(context, thread, await get_title(session, thread, change["before"]))
    await held_edits.hold(session, edit)


async def refuse(context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    """Refuse the edits of a post that wait. Raises Conflict where none does."""
    session, post = context.session, context.post
    refused = await held_edits.refuse(session, post.id)
    if not refused:
        raise Conflict("No edit of this post waits.", code="no_edit_waits")
    thread = await session.get_one(Thread, post.thread_id)
    at = {"revision": post.revision, "title_revision": thread.title_revision}
    return {"edits": [edit.id for edit in refused], **at}


async def undo_refuse(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Publish what was refused, as the undo of a removal does: it was right after all. What changed since stays."""
    session, post = context.session, context.post
    thread = await lock_thread_row(session, post.thread_id)
    for edit in await held_edits.list_all(session, [post.id]):
        is_title = edit.title is not None
        now, then = (thread if is_title else post), "title_revision" if is_title else "revision"
        is_current = getattr(now, then) == applied.memory[then] and post.is_shown
        if edit.id in applied.memory["edits"] and edit.state == HeldState.REFUSED and is_current:
            await _publish_edit(context, edit)


async def _publish_edit(context: MeasureContext, edit: HeldEdit) -> held_edits.Published:
    """Give a post the words of an edit; whoever is told there to harm themselves is shown help from now on."""
    tells_to_harm = await findings.edit_tells_to_harm(context.session, edit.id)  # before its row goes
    done = await held_edits.publish(context.session, context.post, edit, context.now)
    if tells_to_harm:
        await addressed_help.note(context.session, context.post, context.now)
    return done


async def remove(context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    """Remove a post with the edits of it that wait, and its words wherever others repeat them."""
    if context.post.visibility != Visibility.REMOVED:
        await set_visibility(context.session, context.post, Visibility.REMOVED, context.now)
    await held_edits.drop_all(context.session, context.post.id)
    return await text_changes.redact_repeats(context)


async def undo_remove(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Show a post again that no other measure removes, and give its words back to those who repeated them."""
    is_removed = context.post.visibility == Visibility.REMOVED
    if is_removed and not await has_another_removal(context.session, applied):
        await set_visibility(context.session, context.post, Visibility.VISIBLE, context.now)
    await text_changes.restore(context, applied)
