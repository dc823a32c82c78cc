"""`forum mail`: test whether mails are sent, list those that were not, and take note of those that come back."""

import sys
from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Any

import typer

from forum.cli.runtime import fail, on_forum, out, parse_address
from forum.core import clock, signals
from forum.core.settings import Settings
from forum.core.work import Work
from forum.mail import outbox, returned, smtp, templates
from forum.mail.smtp import TRANSPORT_ERRORS
from forum.mail.templates import TEST
from forum.notifications.letter_choices import find_owner
from forum.notifications.letter_jobs import note_returned

TRY_LATER = 75  # what tells a mail server to keep a mail and hand it over once more: EX_TEMPFAIL of sysexits.h
# Only the mailbox at which it arrives can tell.
SIGNED = (
    "When it has arrived, look at its source. In DKIM-Signature, the list after h= must have List-Unsubscribe and "
    "List-Unsubscribe-Post: otherwise large providers show no button to turn mails off. Your mail server signs."
)

cli = typer.Typer(no_args_is_help=True, help="Mails: whether they are sent, and which were not.")


@cli.command(name="test")
def send_test(address: Annotated[str, typer.Argument(help="Where to")]) -> None:
    """Send a mail, to see whether it arrives. What the mail server says is shown."""
    settings, to = Settings(), parse_address(address)
    transport = smtp.choose_transport(settings)
    off_link = f"{settings.public_url}/unsubscribe/test"  # nobody's: it does nothing
    try:
        signals.run(transport.deliver(templates.compose(TEST, settings.mail_from, to, clock.now(), off_link=off_link)))
    except TRANSPORT_ERRORS as error:
        fail(f"It could not be handed to {transport}: {error}.")
    out.print(f"It was handed to {transport}.", soft_wrap=True)
    if settings.smtp_url:
        out.print(SIGNED, soft_wrap=True, highlight=False)


@cli.command(name="list")
def list_unsent() -> None:
    """List the mails that are not sent yet, oldest first. Each is tried for three days, and kept here for a month.

    Whom a mail calls to a case is not said: the case may be about whoever reads this.
    """

    async def act(work: Work) -> Sequence[Any]:
        return (await work.session.execute(outbox.select_unsent())).all()

    rows = on_forum(act)
    for row in rows:
        state = "given up" if row.given_up_at else "waits"
        tried = f", failed {row.failures} times, at last with {row.failure}" if row.failures else ""
        since = f"{row.put_down_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        whom = "somebody who may decide" if row.calls_to_a_case else row.handle
        out.print(f"{since}  {row.kind} for {whom} {state}{tried}", highlight=False, soft_wrap=True)
    if not rows:
        out.print("Every mail is sent.")


@cli.command(name="returned")
def take_returned() -> None:
    """Read a mail that came back, from a pipe, and count it: after three in a row, its member gets no more letters.

    For the mailbox of FORUM_MAIL_FROM: your mail server can hand each mail that comes there to this command. It says
    nothing of any other mail than a report that a letter cannot be delivered, and never answers.
    """
    token = returned.find_off_token(sys.stdin.buffer.read(returned.LARGEST))
    if token is None:
        out.print("This is no report of a letter that cannot be delivered.")
        return

    async def act(work: Work) -> bool:
        member_id = await find_owner(work, token)
        if member_id:
            await note_returned(work.session, member_id, work.now)
        return member_id is not None

    try:
        is_known = on_forum(act)
    except SystemExit as ended:
        raise SystemExit(TRY_LATER) from ended
    out.print("A letter came back, and was counted." if is_known else "This letter is nobody's any more.")
