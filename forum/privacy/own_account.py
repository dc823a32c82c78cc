"""What a member sees of their own account, as one screen needs it."""

from dataclasses import dataclass

from forum.authentication import profiles
from forum.authentication.profiles import Profile
from forum.authentication.second_factor import enrolment
from forum.authentication.second_factor.tables import SecondFactorState
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.permissions import Act, Refusal, why_not
from forum.privacy import account_deletion, exports, lost_mailboxes
from forum.privacy.lost_mailboxes import LostMailbox
from forum.privacy.tables import Departure, Export


@dataclass(frozen=True)
class OwnAccount:
    """A member's account, with all that waits for them or is under way."""

    profile: Profile
    second_factor: SecondFactorState
    unread: int
    departure: Departure | None
    lost_mailbox: LostMailbox | None
    copy: Export | None
    no_new_name_because: Refusal | None


async def read_account(work: Work, viewer: Viewer) -> OwnAccount:
    """Return the viewer's own account. Raises NotSignedIn when they have left."""
    profile = await profiles.get_profile(work, viewer)
    return OwnAccount(
        profile=profile,
        second_factor=await enrolment.get_second_factor(work, viewer),
        unread=await inbox.count_unread_in_transaction(work, viewer),
        departure=await account_deletion.get_departure(work, viewer),
        lost_mailbox=await lost_mailboxes.find_own(work, viewer),
        copy=await exports.find_newest_export(work, viewer),
        no_new_name_because=why_not(Act.RENAME, viewer, profile),
    )
