"""What can go wrong, in the forum's own words; HTTP is a table in `api/problems.py`."""

from datetime import datetime
from typing import Any


class ForumError(Exception):
    """Something that the caller can understand and act on; `detail` is a sentence for people."""

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class NotSignedIn(ForumError):
    """This needs a member, and nobody is signed in."""


class SecondFactorNeeded(NotSignedIn):
    """The password is right, and is not enough."""


class NotFound(ForumError):
    """It does not exist, or not for you: the two are one answer (DESIGN §5, sight)."""


class Forbidden(ForumError):
    """You can see it but may not do this."""


class RoleWithheld(Forbidden):
    """Your role may allow it, and counts once a second factor is shown."""


class SignInAgain(Forbidden):
    """It needs somebody who signed in a short while ago: you may have left the device lying about."""


class Invalid(ForumError):
    """Well-formed but not acceptable; `pointer` is the JSON pointer (RFC 6901) of what to change."""

    def __init__(self, detail: str, pointer: str, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.pointer = pointer


class Conflict(ForumError):
    """It was possible a moment ago, or it exists already."""


class Stale(Conflict):
    """What was on the screen has moved on: who moved it, when, and the number it has now."""

    def __init__(self, detail: str, *, current: int, changed_by: str | None, changed_at: datetime) -> None:
        super().__init__(detail, current=current, changed_by=changed_by, changed_at=changed_at)


class Busy(Conflict):
    """The same request is still being worked on; ask again shortly."""


class Overloaded(ForumError):
    """Too many want the same at this moment; ask again shortly."""


class Throttled(ForumError):
    """Too often. `retry_after` seconds until it may be tried again; `policy` names the limit."""

    def __init__(self, detail: str, *, policy: str, quota: int, window: int, retry_after: int) -> None:
        super().__init__(detail)
        self.policy = policy
        self.quota = quota
        self.window = window
        self.retry_after = retry_after
