"""What each feature of moderation adds to jobs, clean-up, copies of personal data and erasure."""

from forum.features import Feature
from moderation.privacy import ModerationPersonalData
from moderation.sanction_expiry import STANDING_ENDED, tell_that_sanction_ended

_PERSONAL_DATA = ModerationPersonalData()

FEATURES: tuple[Feature, ...] = (
    Feature(name="privacy", export=_PERSONAL_DATA.export_sections, personal_data=_PERSONAL_DATA),
    Feature(name="cases"),
    Feature(name="sanction_expiry", jobs=lambda _context: {STANDING_ENDED: tell_that_sanction_ended}),
    Feature(name="appeals"),
    Feature(name="audit_log"),
    Feature(name="board_moderators"),
    Feature(name="decisions"),
    Feature(name="member_history"),
    Feature(name="member_posts"),
    Feature(name="on_sight"),
    Feature(name="reason_templates"),
    Feature(name="reports"),
    Feature(name="rules"),
    Feature(name="statements"),
)
