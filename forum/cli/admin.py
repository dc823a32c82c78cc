"""`forum admin`: administrators, advisers and moderators, and boards."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from forum.administration import advisers, roles
from forum.administration.roles import role_text
from forum.authentication import email_addresses, registration, sessions
from forum.authentication.registration import Newcomer
from forum.authentication.second_factor import enrolment
from forum.cli.board_hours import set_board_hours
from forum.cli.runtime import fail, on_forum, out, parse_address, read_password
from forum.content import boards
from forum.content.boards import Board, Publication
from forum.core.text import carried
from forum.core.work import Work
from forum.members.queries import get_member
from forum.members.tables import Role
from forum.passwords.breached_passwords import breached_passwords_of
from forum.privacy import lost_mailboxes

cli = typer.Typer(no_args_is_help=True, help="Appoint administrators, advisers and moderators; make boards.")


@cli.command()
def create(
    handle: Annotated[str, typer.Argument(help="The name under which they sign in")],
    name: Annotated[str, typer.Option(prompt=True, help="The name that members see")],
    email: Annotated[str, typer.Option(prompt=True, help="Their e-mail address")],
) -> None:
    """Make an account and give it the role of administrator. The password is asked for, or read from a pipe."""
    email = parse_address(email)
    newcomer = Newcomer(handle=handle, name=name, email=email, password=read_password())

    async def act(work: Work) -> None:
        session, now = work.session, work.now
        breaches = breached_passwords_of(work.settings)
        account = await registration.prepare_account(newcomer, staff=True, breaches=breaches)
        member = await registration.add_member(session, account, now)
        await email_addresses.mark_verified(session, member, now)  # the operator knows them
        await roles.grant(session, member, Role.ADMINISTRATOR, now)

    on_forum(act)
    out.print(f"{handle} is administrator now.")


@cli.command()
def grant(
    handle: Annotated[str, typer.Argument(help="Whom")],
    role: Annotated[Role, typer.Argument(help="What they become")],
    board: Annotated[str | None, typer.Option(help="A moderator's board; without it, the whole forum")] = None,
    title: Annotated[str | None, typer.Option(help="An adviser's title: “Online adviser”")] = None,
    organisation: Annotated[str | None, typer.Option(help="The organisation for which an adviser speaks")] = None,
) -> None:
    """Give a member a role. It is written to the audit record."""
    _refuse_board(role, board)
    if role == Role.ADVISER and not (title and title.strip() and organisation and organisation.strip()):
        fail("An adviser needs --title and --organisation: members see them beside every answer.")
    if role != Role.ADVISER and (title or organisation):
        fail("Only an adviser has a --title and an --organisation.")

    async def act(work: Work) -> None:
        session, now = work.session, work.now
        member = await get_member(session, handle)
        if role == Role.ADVISER and title and organisation:
            await advisers.appoint(session, member, title.strip(), organisation.strip(), now)
        else:
            await roles.grant(session, member, role, now, board_id=await _board_id(session, board))

    on_forum(act)
    out.print(f"{handle} is {role_text(role)} now.")


@cli.command()
def revoke(
    handle: Annotated[str, typer.Argument(help="Whose")],
    role: Annotated[Role, typer.Argument(help="What they are no longer")],
    board: Annotated[str | None, typer.Option(help="The board, if the role was for one")] = None,
) -> None:
    """Take a role away. It is written to the audit record, and has an effect everywhere at once."""
    _refuse_board(role, board)

    async def act(work: Work) -> None:
        session, now = work.session, work.now
        member = await get_member(session, handle)
        if role == Role.ADVISER:
            await advisers.dismiss(session, member, now)
        else:
            await roles.revoke(session, member, role, now, board_id=await _board_id(session, board))

    on_forum(act)
    out.print(f"{handle} is no longer {role_text(role)}.")


@cli.command(name="reset-second-factor")
def reset_second_factor(handle: Annotated[str, typer.Argument(help="Whose")]) -> None:
    """Remove the second factor of a member who lost it and the recovery codes too. First make sure who asks: then the
    password alone is enough to sign in. It is written to the audit record, and the member is told by mail.
    """

    async def act(work: Work) -> None:
        session, now = work.session, work.now
        await enrolment.reset_second_factor(session, await get_member(session, handle), now)

    on_forum(act)
    out.print(f"{handle} signs in with the password alone now, until a second factor is set up again.")


@cli.command(name="replace-mailbox")
def replace_mailbox(
    handle: Annotated[str, typer.Argument(help="Who lost their mailbox")],
    email: Annotated[str, typer.Argument(help="The address that is theirs now")],
) -> None:
    """Give a member who lost their mailbox another address, in three days. First make sure who asks. The old address
    and the member are told, and can stop it; it is written to the audit record.
    """
    email = parse_address(email)
    begun = on_forum(lambda work: lost_mailboxes.replace_by_command(work, handle, email))
    out.print(f"From {begun.due_at:%Y-%m-%d %H:%M} UTC on, {handle} gets mail there.", highlight=False)


@cli.command(name="sign-out")
def sign_out(
    handle: Annotated[str | None, typer.Argument(help="Whom")] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Every member, when tokens may be stolen")] = False,
) -> None:
    """End every session of a member, or of everybody. It is written to the audit record, and has an effect everywhere
    at once.
    """
    if (handle is None) is not everybody:
        fail("Name one member, or say --everybody.")

    async def act(work: Work) -> None:
        session, now = work.session, work.now
        await sessions.end_by_order(session, (await get_member(session, handle)).id if handle else None, now)

    on_forum(act)
    out.print(f"{handle or 'Everybody'} has to sign in again now.")


@cli.command(name="board")
def make_board(
    slug: Annotated[str, typer.Argument(help="Its name in addresses: small letters, digits, '-'")],
    *,
    name: Annotated[str | None, typer.Option(help="Its name for people; needed for a new board")] = None,
    group: Annotated[str | None, typer.Option(help="The heading under which it is listed")] = None,
    position: Annotated[int | None, typer.Option(help="Its place in the list")] = None,
    description: Annotated[str | None, typer.Option(help="One or two sentences")] = None,
    help_text: Annotated[str | None, typer.Option(help="Markdown for guests, telephone numbers first")] = None,
    help_file: Annotated[Path | None, typer.Option(help="A file with that text")] = None,
    reader: Annotated[list[str] | None, typer.Option(help="Who reads: everyone, member, or a role; repeatable")] = None,
    opener: Annotated[list[str] | None, typer.Option(help="Who opens threads; repeatable")] = None,
    replier: Annotated[list[str] | None, typer.Option(help="Who replies; repeatable")] = None,
    indexable: Annotated[bool | None, typer.Option(help="Whether search engines may list it")] = None,
    advised: Annotated[bool | None, typer.Option(help="Whether advisers answer there")] = None,
    publication: Annotated[
        Publication | None, typer.Option(help="When posts appear: at once, first posts after a moderator, or all after")
    ] = None,
    archived: Annotated[bool | None, typer.Option("--archived/--open", help="Whether nobody can write there")] = None,
) -> None:
    """Make a board, or change what you name of one that exists."""
    said: dict[str, Any] = {
        "name": name,
        "section": group,
        "position": position,
        "description": description,
        "help_markdown": _words_in(help_file) if help_file else help_text,
        "readers": reader and tuple(reader),
        "openers": opener and tuple(opener),
        "repliers": replier and tuple(replier),
        "indexable": indexable,
        "advised": advised,
        "publication": publication,
    }
    changes = {key: value for key, value in said.items() if value is not None}

    async def act(work: Work) -> None:
        session, now = work.session, work.now
        if await boards.find_board(session, slug):
            board = await boards.lock_board_row(session, slug)
            if changes:
                await boards.change_board(session, board, changes, now)
        else:
            board = await boards.create_board(session, boards.BoardPlan(slug=slug, **{"name": "", **changes}), now)
        if archived is not None:
            await boards.set_archived(session, board, archived, now)

    on_forum(act)
    out.print(f"The board {slug} is as you said.")


cli.command(name="hours")(set_board_hours)


@cli.command(name="order")
def order_boards(
    slugs: Annotated[list[str], typer.Argument(help="Every board, in the order in which they are listed")],
) -> None:
    """Put the boards into an order. It is written to the audit record."""
    on_forum(lambda work: boards.set_order(work.session, slugs, work.now))
    out.print("The boards are in this order now.")


@cli.command(name="boards")
def list_boards() -> None:
    """List the boards in their order, with when posts appear there and who may read."""

    async def act(work: Work) -> Sequence[Board]:
        return (await work.session.execute(boards.EVERY)).scalars().all()

    for board in on_forum(act):
        state = "archived" if board.archived_at else board.publication.replace("_", " ")
        out.print(f"{board.slug:<24} {state:<16} readers: {', '.join(board.readers)}", highlight=False, soft_wrap=True)


def _refuse_board(role: Role, board: str | None) -> None:
    if board is not None and role != Role.MODERATOR:
        fail("Only a moderator's role can be for one board.")


def _words_in(file: Path) -> str:
    try:
        return carried(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        fail(f"{file} cannot be read as text in UTF-8.")


async def _board_id(session: AsyncSession, slug: str | None) -> int | None:
    if slug is None:
        return None
    board = await boards.find_board(session, slug)
    if board is None:
        fail(f"There is no board {slug}.")
    return board.id
