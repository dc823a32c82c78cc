"""Actions refuse by themselves, whatever calls them: an old sign-in, a member without the role, a limit, the gate."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from forum.administration import accounts, advisers, board_settings, invitations, unsent_mail
from forum.administration.invitations import InvitationWish
from forum.administration.roles import Offer
from forum.authentication import email_addresses, failed_sign_ins, profiles, registration
from forum.authentication.registration import Newcomer
from forum.authentication.second_factor import enrolment, passkeys
from forum.content.boards import BoardPlan
from forum.core import clock
from forum.core.errors import Forbidden, ForumError, Invalid, NotSignedIn, SignInAgain, Throttled
from forum.core.settings import Settings
from forum.core.work import Transactions, Work
from forum.http.services import Services
from forum.members.tables import Role, Standing
from forum.members.viewer import GUEST, Viewer
from forum.permissions import RECENT
from forum.privacy import account_deletion, account_overview, exports, legal_holds
from forum.privacy.tables import DepartureKind, HoldReason
from tests.support import make

ID = UUID(int=7)
PLAN = BoardPlan("court", "Court")
WISH = InvitationWish(email="suzie@example.org", role=Role.MODERATOR)

InWork = Callable[[Work, Viewer], Awaitable[Any]]
Outside = Callable[[Transactions, Viewer], Awaitable[Any]]

ADMINISTERING: dict[str, InWork] = {
    "give a role": lambda work, viewer: accounts.give_role(work, viewer, "heron", Offer(Role.MODERATOR)),
    "take a role": lambda work, viewer: accounts.take_role(work, viewer, "heron", Role.MODERATOR),
    "withdraw a proposal": lambda work, viewer: accounts.withdraw_proposal(work, viewer, "heron"),
    "sign a member out": lambda work, viewer: accounts.sign_member_out(work, viewer, "heron"),
    "invite": lambda work, viewer: invitations.invite(work, viewer, WISH),
    "withdraw an invitation": lambda work, viewer: invitations.withdraw(work, viewer, ID),
    "place a hold": lambda work, viewer: legal_holds.place_hold(work, viewer, "heron", HoldReason.COURT),
    "release a hold": lambda work, viewer: legal_holds.release_hold(work, viewer, "heron"),
}
LOOKING: dict[str, InWork] = {
    "list accounts": lambda work, viewer: accounts.list_accounts(work, viewer, None, None, 20),
    "read an account": lambda work, viewer: accounts.get_account(work, viewer, "heron"),
    "list refused sign-ins": lambda work, viewer: failed_sign_ins.list_refused_sign_ins(work, viewer, None, 20),
    "list holds": legal_holds.list_holds,
    "read all of an account": lambda work, viewer: account_overview.read_overview(work, viewer, "heron"),
    "read what an invitation needs": invitations.read_screen,
    "make the last board": lambda work, viewer: board_settings.make_last_board(
        work, viewer, BoardPlan("court", "Court")
    ),
    "try a mail again": lambda work, viewer: unsent_mail.try_again(work, viewer, ID),
    "drop a mail": lambda work, viewer: unsent_mail.drop(work, viewer, ID),
}
IN_WORK: dict[str, InWork] = {
    **ADMINISTERING,
    "accept an invitation": lambda work, viewer: invitations.accept(work, viewer, ID, "token"),
    "begin an authenticator app": enrolment.begin_enrolment,
    "remove the authenticator app": enrolment.remove_authenticator_app,
    "turn the second factor off": enrolment.turn_off_second_factor,
    "begin a passkey": passkeys.begin_registration,
    "remove a passkey": lambda work, viewer: enrolment.remove_passkey(work, viewer, ID),
    "ask for a copy": exports.request_export,
    "leave": lambda work, viewer: account_deletion.request_departure(work, viewer, DepartureKind.LEAVE),
}
OUTSIDE: dict[str, Outside] = {
    "change the address": lambda transactions, viewer: email_addresses.change_address(
        transactions, viewer, "other@example.org", make.PASSWORD
    ),
    "confirm an authenticator app": lambda transactions, viewer: enrolment.confirm_enrolment(
        transactions, viewer, "000000"
    ),
    "renew the recovery codes": enrolment.renew_recovery_codes,
    "add a passkey": lambda transactions, viewer: enrolment.add_passkey(transactions, viewer, "My phone", {}),
}


async def signed_in_for(services: Services, handle: str, ago: timedelta, *roles: Role) -> Viewer:
    """A member who signed in so long ago."""
    await make.member(services, handle, *roles)
    return replace(await make.viewer(services, handle), signed_in_at=clock.now() - ago)


async def refusal(doing: Awaitable[Any]) -> ForumError | None:
    """Why it is refused, if it is."""
    try:
        await doing
    except ForumError as error:
        return error
    return None


async def within(transactions: Transactions, act: InWork, viewer: Viewer) -> Any:
    """What the action gives, in a transaction of its own."""
    async with transactions.begin() as work:
        return await act(work, viewer)


@pytest.mark.parametrize("ago", [RECENT + timedelta(seconds=1), None])
async def test_what_needs_a_recent_sign_in_asks_for_it_itself(services: Services, ago: timedelta | None) -> None:
    joan = await signed_in_for(services, "joan", ago or timedelta(), Role.ADMINISTRATOR)
    viewer = joan if ago else replace(joan, signed_in_at=None)
    transactions = services.transactions(clock.now())
    refusals = {name: await refusal(within(transactions, act, viewer)) for name, act in IN_WORK.items()}
    refusals |= {name: await refusal(act(transactions, viewer)) for name, act in OUTSIDE.items()}
    assert {name for name, error in refusals.items() if not isinstance(error, SignInAgain)} == set()
    assert len(refusals) == 20


async def test_a_recent_sign_in_is_enough(services: Services) -> None:
    joan = await signed_in_for(services, "joan", RECENT - timedelta(seconds=5), Role.ADMINISTRATOR)
    transactions = services.transactions(clock.now())
    for act in IN_WORK.values():
        async with transactions.begin() as work:
            nested = await work.session.begin_nested()
            assert not isinstance(await refusal(act(work, joan)), SignInAgain)
            await nested.rollback()
    for act_outside in OUTSIDE.values():
        assert not isinstance(await refusal(act_outside(transactions, joan)), SignInAgain)


async def test_what_administrators_do_is_refused_to_others_by_the_action(services: Services) -> None:
    await make.member(services, "heron")
    moderator = await signed_in_for(services, "orla", timedelta(), Role.MODERATOR)
    joan = await signed_in_for(services, "joan", timedelta(), Role.ADMINISTRATOR)
    silenced = replace(joan, standing=Standing.SILENCED)
    for name, act in {**ADMINISTERING, **LOOKING}.items():
        for viewer, code in ((moderator, "not_an_administrator"), (silenced, "account_silenced")):
            refused = await refusal(within(services.transactions(clock.now()), act, viewer))
            assert isinstance(refused, Forbidden), name
            assert refused.code == code, name


async def test_the_lists_that_need_no_transaction_are_refused_too(services: Services) -> None:
    orla, reader = await signed_in_for(services, "orla", timedelta(), Role.MODERATOR), services.database.reader
    for viewer, kind in ((orla, Forbidden), (GUEST, NotSignedIn)):
        with pytest.raises(kind):
            await unsent_mail.list_unsent(reader, viewer, None, 20)
        with pytest.raises(kind):
            await invitations.list_open(reader, viewer, clock.now())
        with pytest.raises(kind):
            await advisers.list_appointed(reader, viewer)


async def test_joining_counts_its_tries_by_itself(settings: Settings) -> None:
    one = settings.model_copy(update={"join_limit": "1/1 hour"})
    async with make.application(one) as app:
        services: Services = app.state.services
        for handle, address, is_refused in (
            ("heron", "192.0.2.1", False),
            ("tern", "192.0.2.1", True),
            ("magpie", "192.0.2.2", False),
        ):
            doing = registration.register(services.transactions(clock.now()), Newcomer(**make.joining(handle)), address)
            assert isinstance(await refusal(doing), Throttled) is is_refused


async def test_joining_and_renaming_ask_the_gate_by_themselves(settings: Settings) -> None:
    gate = make.HoldingGate("Menace")
    async with make.application(settings, gate) as app:
        services: Services = app.state.services
        transactions = services.transactions(clock.now())
        menace = Newcomer(**make.joining("heron", name="Menace"))
        joining = await refusal(registration.register(transactions, menace, "192.0.2.1"))
        profile = await registration.register(transactions, Newcomer(**make.joining("heron")), "192.0.2.1")
        assert (profile.handle, profile.email_verified, profile.roles) == ("heron", False, [])
        viewer = await make.viewer(services, "heron")
        renaming = await refusal(within(transactions, lambda work, who: profiles.rename(work, who, "Menace"), viewer))
        for refused in (joining, renaming):
            assert isinstance(refused, Invalid)
            assert (refused.code, refused.pointer) == ("name_held", "#/name")


async def test_a_change_is_seen_in_this_process_once_it_is_committed(app: FastAPI, services: Services) -> None:
    joan = await signed_in_for(services, "joan", timedelta(), Role.ADMINISTRATOR)
    transactions = services.transactions(clock.now())

    async def give_and_fail(work: Work, viewer: Viewer) -> None:
        await accounts.give_role(work, viewer, "heron", Offer(Role.MODERATOR))
        raise Invalid("Not now.", "#", code="not_now")

    async with make.signed_in(app, "heron") as heron:
        assert (await heron.get("/api/v1/me")).json()["name"] == "Heron"
        assert isinstance(await refusal(within(transactions, give_and_fail, joan)), Invalid)
        assert (await heron.get("/api/v1/me/sessions")).status_code == 200  # rolled back: nothing ended
        await within(transactions, ADMINISTERING["give a role"], joan)
        assert (await heron.get("/api/v1/me/sessions")).status_code == 401
