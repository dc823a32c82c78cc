"""What can go wrong, in the forum's own words; `http/problems.py` says what each is over HTTP.

Every error carries a `code`, finer than its class and stable: clients choose screens and words by it.
"""

from datetime import datetime
from typing import Any, ClassVar


class ForumError(Exception):
    """Something that the caller can understand and act on; `detail` is a sentence for people."""

    default_code: ClassVar[str]

    def __init__(self, detail: str, *, code: str | None = None, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.facts = facts


class NotSignedIn(ForumError):
    """This needs a member, and nobody is signed in."""

    default_code = "not_signed_in"


class SecondFactorNeeded(NotSignedIn):
    """The password is right, and is not enough."""

    default_code = "second_factor_needed"


class NotFound(ForumError):
    """It does not exist, or not for you: the two are one answer (DESIGN §5, sight)."""

    default_code = "not_found"


class Forbidden(ForumError):
    """You can see it but may not do this."""

    default_code = "forbidden"


class RoleWithheld(Forbidden):
    """Your role may allow it, and counts once a second factor is shown."""

    default_code = "role_withheld"


class SignInAgain(Forbidden):
    """It needs somebody who signed in a short while ago: you may have left the device lying about."""

    default_code = "sign_in_again"


class Invalid(ForumError):
    """Well-formed but not acceptable; `pointer` is the JSON pointer (RFC 6901) of what to change."""

    default_code = "invalid"

    def __init__(self, detail: str, pointer: str, *, code: str | None = None, **facts: Any) -> None:
        super().__init__(detail, code=code, **facts)
        self.pointer = pointer


class Conflict(ForumError):
    """It was possible a moment ago, or it exists already."""

    default_code = "conflict"


class Stale(Conflict):
    """What was on the screen has moved on: who moved it, when, and the number it has now."""

    default_code = "stale"

    def __init__(
        self, detail: str, *, code: str | None = None, current: int, changed_by: str | None, changed_at: datetime
    ) -> None:
        super().__init__(detail, code=code, current=current, changed_by=changed_by, changed_at=changed_at)


class Busy(Conflict):
    """The same request is still being worked on; ask again shortly."""

    default_code = "request_in_progress"


class Overloaded(ForumError):
    """Too many want the same at this moment; ask again shortly."""

    default_code = "overloaded"


class Throttled(ForumError):
    """Too often. `retry_after` seconds until it may be tried again; `policy` names the limit."""

    default_code = "too_many_requests"

    def __init__(self, detail: str, *, policy: str, quota: int, window: int, retry_after: int) -> None:
        super().__init__(detail, code=f"limit_{policy.replace('-', '_')}")
        self.policy = policy
        self.quota = quota
        self.window = window
        self.retry_after = retry_after
