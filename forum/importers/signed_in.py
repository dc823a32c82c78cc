"""Whether somebody who moved has signed in here, or chosen a password: then what they have is their own."""

from sqlalchemy import Boolean, literal_column

from forum.passwords.hashing import OWN_HASHES

# Of `member` and of the row of `moved` that brought them. A hash is ours from the first sign-in on; but from a forum
# like this one they come with such a hash, which says nothing.
SIGNED_IN = f"""(
    member.rules_version IS NOT NULL OR member.email_verified_at IS NOT NULL OR member.wanted_email IS NOT NULL
    OR EXISTS (SELECT FROM member_session WHERE member_session.member_id = member.id)
    OR EXISTS (SELECT FROM device WHERE device.member_id = member.id)
    OR EXISTS (SELECT FROM rules_acceptance WHERE rules_acceptance.member_id = member.id)
    OR EXISTS (SELECT FROM read_mark WHERE read_mark.member_id = member.id)
    OR (starts_with(member.password_hash, '{OWN_HASHES.begin}') AND NOT starts_with(moved.source, 'forum '))
)"""  # noqa: S608 (ours)
HAS_SIGNED_IN = literal_column(SIGNED_IN, Boolean())
