"""Who somebody is: members under their pseudonyms, where they stand, and the roles they were given."""

from forum.members.accounts import Account, account_of, by_handle, hold, profiles, public_cards
from forum.members.joining import Newcomer, join, newcomer, rename
from forum.members.roles import has_a_role, is_staff
from forum.members.standing import GRAVITY, holds_at, lift, sanction, standing_at, standing_of
from forum.members.tables import Member, Role, RoleGrant, RulesEdition, Sanction, Standing
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
    "GRAVITY",
    "GUEST",
    "MODERATED_BOARDS",
    "MODERATES_EVERYWHERE",
    "VIEWER_ID",
    "Account",
    "Member",
    "Newcomer",
    "Role",
    "RoleGrant",
    "RulesEdition",
    "Sanction",
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
    "lift",
    "newcomer",
    "profiles",
    "public_cards",
    "rename",
    "sanction",
    "standing_at",
    "standing_of",
    "viewer_of",
    "viewers",
]
