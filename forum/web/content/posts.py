"""Pages to write: reply to a thread, change one's own post, take it back, read what it said before."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from fastapi import Response

from forum.advising import answer_templates
from forum.content import composing, drafts
from forum.content.composing import Answered, ChangeMeanwhile
from forum.content.posts import actions
from forum.content.posts.actions import WrittenPost
from forum.content.posts.draft import Draft
from forum.content.posts.tables import Visibility
from forum.core.errors import Busy
from forum.http.fields import Body, Id, Warning_
from forum.web.content.composer import (
    AsksChoice,
    ComposerPage,
    FormNumber,
    composer_at,
    composer_form,
    confirm_of,
    is_fill,
    is_look,
    kept,
    number_of,
    repeat_of,
    said_of,
    send_or_keep,
    wants_to_send,
)
from forum.web.content.threads import place_of
from forum.web.forms import FormModel
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, OwnForm, Visit, own_path

router = page_router()


class ReplyForm(FormModel):
    """A reply."""

    body_markdown: Body
    content_warning: Warning_ | None = None
    reply_to: FormNumber | None = None
    asks: AsksChoice = None


class EditForm(FormModel):
    """The new text of a post."""

    revision: FormNumber
    body_markdown: Body
    content_warning: Warning_ | None = None


@dataclass(frozen=True, kw_only=True)
class ReplyPage(ComposerPage):
    """The form to reply to a thread."""

    template: ClassVar[str] = "content/reply.html"
    section: ClassVar[str] = "/"

    thread: Any
    board: Any
    answered: Answered | None
    templates: Sequence[tuple[str, str]]  # to choose from, the first of them none


@dataclass(frozen=True, kw_only=True)
class EditPage(ComposerPage):
    """The form to change one's own post; where somebody changed it meanwhile, with what they changed."""

    template: ClassVar[str] = "content/edit.html"
    section: ClassVar[str] = "/"

    post: Any
    thread: Any
    board: Any
    waiting: Any
    change: ChangeMeanwhile | None


@dataclass(frozen=True, kw_only=True)
class WithdrawPage(FormPage):
    """The question whether to take a post back."""

    template: ClassVar[str] = "content/withdraw.html"
    section: ClassVar[str] = "/"

    post: Any
    back: str


@dataclass(frozen=True, kw_only=True)
class VersionsPage(Page):
    """What a post said before."""

    template: ClassVar[str] = "content/versions.html"
    section: ClassVar[str] = "/"
    is_own: ClassVar[bool] = True

    post_id: int
    versions: Sequence[Any]


@router.get("/threads/{id}/reply")
async def show_reply(id: Id, visit: MemberVisit) -> Response:
    """Show the form to reply to a thread, perhaps to one of its posts."""
    answering = number_of(visit.query("to"))
    found = await visit.act(answer_templates.read_reply, id, answering, looks=is_look(visit))
    read = found.composing
    form = composer_form(read.draft, visit.now)
    if read.answered and answering:
        body, quote = form.values.get("body_markdown", ""), read.answered.quote
        if quote and quote not in body:
            body = f"{body.rstrip()}\n\n{quote}\n\n".lstrip()
        form = form.with_values(body_markdown=body, reply_to=str(answering))
    return visit.show(
        ReplyPage(
            title=visit.say("Reply to “%(title)s”", title=read.thread.title),
            form=form,
            composer=composer_at(
                visit,
                f"/threads/{id}/reply",
                f"threads/{id}",
                read,
                board=read.board,
                seen=read.thread.last_number,
            ),
            thread=read.thread,
            board=read.board,
            answered=read.answered,
            templates=[("", visit.say("Choose")), *((str(one.id), one.title) for one in found.templates)],
        )
    )


@router.post("/threads/{id}/reply")
async def reply(id: Id, visit: OwnForm) -> Response:
    """Post a reply, and go to its place; or keep it, perhaps with a template in it, and go back to the form."""
    chosen = _chosen_template(visit)
    save = partial(answer_templates.keep_with_template, template_id=chosen) if is_fill(visit) else drafts.save_reply

    async def send() -> WrittenPost | None:
        if is_fill(visit):  # whatever else is still wrong with it
            return None
        wanted = visit.form.parse(ReplyForm)
        if not wants_to_send(visit):
            return None
        said = said_of(wanted.asks)
        draft = Draft(wanted.body_markdown, wanted.reply_to, wanted.content_warning, confirm_of(visit), said)
        return await visit.act(actions.reply, id, draft, repeat=repeat_of(visit))

    try:
        sent = await send_or_keep(visit, send, save, id)
    except Busy:
        return visit.go(f"/threads/{id}", done="sending")
    if sent is None:
        return kept(visit, f"/threads/{id}/reply")
    path = help_path(sent) or place_of(id, sent.post.number)
    if sent.post.visibility == Visibility.HELD:
        return visit.go(path, done="held")
    return visit.go(path, done="named" if sent.details and not confirm_of(visit) else "sent")


def _chosen_template(visit: Visit) -> UUID | None:
    try:
        return UUID(visit.form.values.get("template", ""))
    except ValueError:
        return None


@router.get("/posts/{id}/edit")
async def show_edit(id: Id, visit: MemberVisit) -> Response:
    """Show the form to change one's own post."""
    read = await visit.act(composing.read_edit, id, looks=is_look(visit))
    words = read.waiting or read.post
    begun = {"body_markdown": words.body_markdown, "content_warning": words.content_warning}
    return visit.show(
        EditPage(
            title=visit.say("Change your post"),
            form=composer_form(read.draft, visit.now, **begun),
            composer=composer_at(visit, f"/posts/{id}/edit", f"posts/{id}", read),
            post=read.post,
            thread=read.thread,
            board=read.board,
            waiting=read.waiting,
            change=read.change,
        )
    )


@router.post("/posts/{id}/edit")
async def edit(id: Id, visit: OwnForm) -> Response:
    """Change a post, and go to its place; or keep the change, and go back to the form."""

    async def send() -> WrittenPost | None:
        wanted = visit.form.parse(EditForm)
        if not wants_to_send(visit):
            return None
        draft = Draft(wanted.body_markdown, content_warning=wanted.content_warning)
        return await visit.act(actions.edit_post, id, wanted.revision, draft)

    sent = await send_or_keep(visit, send, drafts.save_edit, id)
    if sent is None:
        return kept(visit, f"/posts/{id}/edit")
    path = help_path(sent) or place_of(sent.post.thread_id, sent.post.number)
    return visit.go(path, done="waits" if sent.post.waiting else "changed")


def help_path(sent: WrittenPost) -> str | None:
    """Return the page that shows help above a post whose words sound like danger; None for other posts."""
    return f"/posts/{sent.post.id}/help" if sent.help else None


@router.get("/posts/{id}/withdraw")
async def show_withdrawal(id: Id, visit: MemberVisit) -> Response:
    """Ask whether to take a post back, and say what that means."""
    read = await visit.act(actions.read_own_post, id)
    back = place_of(read.post.thread_id, read.post.number) if read.is_readable else "/"
    return visit.show(WithdrawPage(title=visit.say("Take your post back"), post=read.post, back=back))


@router.post("/posts/{id}/withdraw")
async def withdraw(id: Id, visit: MemberForm) -> Response:
    """Take a post back for good."""
    await visit.act(actions.withdraw_post, id)
    return visit.go(own_path(visit.form.values.get("back", "/")), done="withdrawn")


@router.get("/posts/{id}/versions")
async def show_versions(id: Id, visit: MemberVisit) -> Response:
    """Show what a post said before, for its author and moderators."""
    versions = await visit.act(actions.list_revisions, id)
    return visit.show(
        VersionsPage(title=visit.say("What this post said before"), post_id=id, versions=list(reversed(versions)))
    )
