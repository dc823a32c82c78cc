"""Accounts, for administrators: find one, and read it with what can be done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from fastapi import Response
from pydantic import Field

from forum.administration import accounts, advisers
from forum.administration.accounts import AccountFilter, AccountView
from forum.administration.roles import Offer
from forum.authentication import failed_sign_ins
from forum.core.errors import ForumError
from forum.http.fields import Handle, Line
from forum.members.tables import Role
from forum.privacy import account_overview
from forum.privacy.account_overview import AccountOverview
from forum.web.administration import labels
from forum.web.administration.labels import options, said
from forum.web.forms import FormModel
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, OwnForm, Visit

ACCOUNTS_A_PAGE = 50
NAME_MAX = 100  # characters of a name that somebody looks for

router = page_router()

AdviserText = Annotated[Line, Field(max_length=100)]


class RoleForm(FormModel):
    """A role to give; of an adviser, what readers see beside their answers."""

    role: Role
    title: AdviserText | None = None
    organisation: AdviserText | None = None


@dataclass(frozen=True, kw_only=True)
class PeoplePage(Page):
    """A page of accounts, with a form to find others."""

    template: ClassVar[str] = "administration/people.html"
    section: ClassVar[str] = "/admin"
    is_wide: ClassVar[bool] = True
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    accounts: Sequence[tuple[AccountView, str, Sequence[str]]]  # each with its standing and its roles, in words
    next: str | None
    filters: Sequence[tuple[str, str]]
    state: str
    named: str


@dataclass(frozen=True, kw_only=True)
class PersonPage(FormPage):
    """An account with everything that is open about it, and the forms for what can be done."""

    template: ClassVar[str] = "administration/person.html"
    section: ClassVar[str] = "/admin"

    overview: AccountOverview
    path: str
    standing: str
    roles: Sequence[tuple[str, str]]  # those that the account has
    offered: Sequence[tuple[str, str]]  # those that it could be given
    hold_reasons: Sequence[tuple[str, str]]
    hold_because: str | None


@dataclass(frozen=True, kw_only=True)
class AdvisersPage(Page):
    """The advisers of today, with what readers see beside their answers."""

    template: ClassVar[str] = "administration/advisers.html"
    section: ClassVar[str] = "/admin"
    is_wide: ClassVar[bool] = True
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    advisers: Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class RefusedSignInsPage(Page):
    """Sign-ins that were refused, counted by the hour."""

    template: ClassVar[str] = "administration/refused_sign_ins.html"
    section: ClassVar[str] = "/admin"
    is_wide: ClassVar[bool] = True
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    refusals: Sequence[tuple[Any, str]]  # each with its reason in words
    next: str | None


@router.get("/admin/people")
async def show_people(visit: MemberVisit) -> Response:
    """Show a page of accounts, newest first. The audit record notes that somebody looked."""
    return visit.show(await _people(visit, visit.query("state"), "", visit.query("after")))


@router.post("/admin/people")
async def find_people(visit: MemberForm) -> Response:
    """Show the accounts of a name. It is sent in a form: addresses stand in the logs of servers on the way."""
    typed = visit.form.values
    named = typed.get("named", "")[:NAME_MAX]
    return visit.show(await _people(visit, typed.get("state", ""), named, typed.get("after", "")))


@router.get("/admin/people/{handle}")
async def show_person(handle: Handle, visit: MemberVisit) -> Response:
    """Show an account, and what can be done about it."""
    return visit.show(await person_page(visit, handle))


@router.post("/admin/people/{handle}/roles")
async def give_role(handle: Handle, visit: OwnForm) -> Response:
    """Give a role, agree to another administrator, or propose one; change what stands beside an adviser's answers."""
    try:
        wanted = visit.form.parse(RoleForm)
        offer = Offer(wanted.role, None, wanted.title, wanted.organisation)
        account = await visit.act(accounts.give_role, handle, offer)
    except ForumError as error:
        return visit.show(await person_page(visit.refusing(error), handle), 422)
    is_proposed = wanted.role == Role.ADMINISTRATOR and account.proposed_administrator
    return visit.go(path_of(handle), done="administrator-proposed" if is_proposed else "role-given")


@router.post("/admin/people/{handle}/roles/{role}/withdraw")
async def take_role(handle: Handle, role: Role, visit: OwnForm) -> Response:
    """Take a role of the whole forum away."""
    try:
        await visit.act(accounts.take_role, handle, role)
    except ForumError as error:
        return visit.show(await person_page(visit.refusing(error), handle), 422)
    return visit.go(path_of(handle), done="role-taken")


@router.post("/admin/people/{handle}/proposal/withdraw")
async def withdraw_proposal(handle: Handle, visit: OwnForm) -> Response:
    """Refuse a proposal of an administrator, or take one's own back."""
    await visit.act(accounts.withdraw_proposal, handle)
    return visit.go(path_of(handle), done="proposal-withdrawn")


@router.post("/admin/people/{handle}/sign-out")
async def sign_member_out(handle: Handle, visit: OwnForm) -> Response:
    """Sign a member out everywhere."""
    await visit.act(accounts.sign_member_out, handle)
    return visit.go(path_of(handle), done="member-signed-out")


@router.get("/admin/advisers")
async def show_advisers(visit: MemberVisit) -> Response:
    """Show the advisers of today, with what readers see beside their answers."""
    found = await advisers.list_appointed(visit.reader, visit.viewer)
    return visit.show(AdvisersPage(title=visit.say("Advisers"), advisers=found))


@router.get("/admin/refused-sign-ins")
async def show_refused_sign_ins(visit: MemberVisit) -> Response:
    """Show the sign-ins of the last 30 days that were refused. The audit record notes that somebody looked."""
    page = await visit.act(failed_sign_ins.list_refused_sign_ins, visit.query("after") or None, ACCOUNTS_A_PAGE)
    refusals = [(row, said(visit, labels.REFUSALS, row.reason)) for row in page.rows]
    return visit.show(RefusedSignInsPage(title=visit.say("Refused sign-ins"), refusals=refusals, next=page.next))


async def _people(visit: Visit, state: str, named: str, after: str) -> PeoplePage:
    chosen = AccountFilter(state) if state in set(AccountFilter) else None
    page = await visit.act(accounts.list_accounts, chosen, after or None, ACCOUNTS_A_PAGE, named=named)
    return PeoplePage(
        title=visit.say("People"),
        accounts=[_in_words(visit, account) for account in page.rows],
        next=page.next,
        filters=options(visit, labels.FILTERS),
        state=chosen or "",
        named=named,
    )


async def person_page(visit: Visit, handle: str) -> PersonPage:
    """Return the page of one account, with the form of this visit."""
    overview = await visit.act(account_overview.read_overview, handle)
    account, given = overview.account, set(overview.account.roles)
    offered = [pair for pair in options(visit, labels.ROLES) if pair[0] not in given]
    if overview.proposal:
        offered = [pair for pair in offered if pair[0] != Role.ADMINISTRATOR]
    return PersonPage(
        title=account.name,
        overview=overview,
        path=path_of(account.handle),
        standing=said(visit, labels.STANDINGS, account.standing),
        roles=[(role, said(visit, labels.ROLES, role)) for role in account.roles],
        offered=[pair for pair in offered if pair[0] != Role.ADVISER],
        hold_reasons=options(visit, labels.HOLD_REASONS),
        hold_because=said(visit, labels.HOLD_REASONS, overview.hold.reason) if overview.hold else None,
        form=visit.form,
    )


def path_of(handle: str) -> str:
    """Return the address of the page of an account."""
    return f"/admin/people/{quote(handle)}"


def _in_words(visit: Visit, account: AccountView) -> tuple[AccountView, str, Sequence[str]]:
    roles = [said(visit, labels.ROLES, role) for role in account.roles]
    if account.moderated_boards:
        roles.append(visit.say("Moderator of %(boards)s", boards=", ".join(account.boards.values())))
    return account, said(visit, labels.STANDINGS, account.standing), roles
