"""Reset a lost password with a mailed link. Nothing tells a stranger whether there is such an account."""

from forum.authentication import profiles, sessions, sign_in
from forum.authentication.old_logins import normalise_old_login
from forum.core import rate_limits
from forum.core.work import Transactions
from forum.mail import outbox, tokens
from forum.mail.tables import MailKind
from forum.passwords import hashing
from forum.passwords.breached_passwords import BreachedPasswords


async def request_reset(transactions: Transactions, login: str, address: str) -> None:
    """Mail a link to the member with this handle or address, if there is one.

    Who moved here from an old board years after they were last there gets none at an address that they have not
    confirmed: it may be somebody else's by now. For them and for nobody it is as much work: a mail is queued, and the
    worker finds that it is to no one. Raises Throttled by the internet address and by the login as it was typed, like
    signing in, so that nobody learns that a handle and an address are one account's.
    """
    network = rate_limits.network(address)
    await transactions.count_try_at_address("reset_network", "password-reset", "address", network)
    await transactions.count_try("reset", "password-reset", "login", normalise_old_login(login))
    claimant = await sign_in.find_claimant(transactions.reader, login)
    has_address = claimant is not None and claimant.may_reset_by_mail
    member_id, email = (claimant.id, claimant.email) if has_address else (None, None)
    async with transactions.begin() as work:
        await outbox.enqueue(work.session, MailKind.PASSWORD_RESET, work.now, member_id=member_id, email=email)


async def complete_reset(
    transactions: Transactions, token: str, new: str, *, breaches: BreachedPasswords | None = None
) -> None:
    """Set a new password with a mailed link, end every session, and cancel a change of address that is under way.

    A second factor stays: it is needed with the new password as before. Raises NotFound when the link no longer works,
    Throttled per member, as each try keeps the one thread that hashes busy, and Invalid when `new` is too short, too
    long, easily guessed or stolen; then the link still works.
    """
    owner = await tokens.get_link_owner(transactions.reader, token, MailKind.PASSWORD_RESET, transactions.now)
    await transactions.count_try("sign_in", "password", owner.id)
    about = (owner.handle, owner.name, owner.email)
    hashed = await hashing.hash_new_password(new, about=about, breaches=breaches, pointer="#/new")
    async with transactions.begin() as work:
        session = work.session
        member = (await tokens.use_link(session, token, MailKind.PASSWORD_RESET, work.now)).member
        await profiles.set_password(session, member, new, hashed)
        if member.wanted_email:
            await tokens.invalidate_links(session, member.id, MailKind.VERIFY_ADDRESS)
            member.wanted_email = None
        await outbox.enqueue_sign_in_changed(session, member, work.now)
        await sessions.end_all(session, member.id)
        work.forget_sessions_of(member.id)
