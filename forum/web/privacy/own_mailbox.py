"""Keep one's address, when somebody said that its mailbox is lost."""

from fastapi import Response

from forum.core.errors import ForumError, NotFound
from forum.privacy import lost_mailboxes
from forum.web.mailed_links import LinkForm, LinkPage
from forum.web.routing import page_router
from forum.web.visits import OwnVisit, Reading, ReadingForm, Visit

router = page_router()


@router.get("/lost-mailboxes/refuse")
async def show_lost_mailbox(visit: Reading) -> Response:
    """Show the button to keep one's address."""
    return visit.show(_page(visit))


@router.post("/lost-mailboxes/refuse")
async def refuse_lost_mailbox(visit: ReadingForm) -> Response:
    """Keep one's address, with the mailed link."""
    try:
        await visit.act_by_link(lost_mailboxes.refuse, visit.form.parse(LinkForm).token)
    except ForumError as error:
        return visit.show(_page(visit.refusing(error, NotFound)), 422)
    return visit.go("/lost-mailboxes/refuse", done="address-stays")


@router.post("/me/email/keep")
async def keep_mailbox(visit: OwnVisit) -> Response:
    """Keep one's address, as somebody who is signed in."""
    await visit.act(lost_mailboxes.stop_own)
    return visit.go("/me/email", done="address-stays")


def _page(visit: Visit) -> LinkPage:
    return LinkPage(
        title=visit.say("Keep your e-mail address"),
        form=visit.form,
        action="/lost-mailboxes/refuse",
        words=(
            visit.say("We were told that you do not have this mailbox any more, and that another address is yours."),
            visit.say("If you still read mails here, press the button, and this address stays."),
        ),
        button=visit.say("Keep this address"),
    )
