"""Who somebody is: members under their pseudonyms, where they stand, and the roles they were given."""

from forum.members.accounts import Account, account_of, by_handle, hold, profiles, public_cards
from forum.members.joining import Newcomer, join, newcomer, rename
from forum.members.leaving import leave, tidy
from forum.members.roles import has_a_role, is_staff
from forum.members.standing import GRAVITY, holds_at, lift, sanction, standing_at, standing_of
from forum.members.tables import (
    FORMER,
    NO_PASSWORD,
    Member,
    Role,
    RoleGrant,
    RulesEdition,
    Sanction,
    SpentHandle,
    Standing,
)
from forum.members.viewer import (
    AUDIENCES,
    GUEST,
    MODERATED_BOARDS,
    MODERATES_EVERYWHERE,
    VIEWER_ID,
    Via,
    Viewer,
    viewer_of,
    viewers,
)

__all__ = [
    "AUDIENCES",
    "FORMER",
    "GRAVITY",
    "GUEST",
    "MODERATED_BOARDS",
    "MODERATES_EVERYWHERE",
    "NO_PASSWORD",
    "VIEWER_ID",
    "Account",
    "Member",
    "Newcomer",
    "Role",
    "RoleGrant",
    "RulesEdition",
    "Sanction",
    "SpentHandle",
    "Standing",
    "Via",
    "Viewer",
    "account_of",
    "by_handle",
    "has_a_role",
    "hold",
    "holds_at",
    "is_staff",
    "join",
    "leave",
    "lift",
    "newcomer",
    "profiles",
    "public_cards",
    "rename",
    "sanction",
    "standing_at",
    "standing_of",
    "tidy",
    "viewer_of",
    "viewers",
]
