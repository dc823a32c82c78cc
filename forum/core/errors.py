"""The errors of the forum; `http/problems.py` gives each its HTTP status.

Every error carries a `code`, finer than its class and stable: clients choose screens and words by it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

# Who made a change: handle, name and title, as of the author of a post.
Changer = Mapping[str, str | None]


class ForumError(Exception):
    """An error that the caller can act on; `detail` is a sentence for people."""

    default_code: ClassVar[str]

    def __init__(self, detail: str, *, code: str | None = None, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.facts = facts


class NotSignedIn(ForumError):
    """Only members can do this, and nobody is signed in."""

    default_code = "not_signed_in"


class SecondFactorNeeded(NotSignedIn):
    """The password is right; a second factor is needed too. `step` proves the first step; no answer shows it."""

    default_code = "second_factor_needed"
    step: str | None = None


class NotFound(ForumError):
    """It does not exist, or the viewer may not see it. Both get the same answer, so that nothing is given away."""

    default_code = "not_found"


class Forbidden(ForumError):
    """The viewer can see it but may not do this."""

    default_code = "forbidden"


class RoleWithheld(Forbidden):
    """The viewer's role may allow it, but does not count until they sign in with a second factor."""

    default_code = "role_withheld"


class SignInAgain(Forbidden):
    """Only somebody who signed in recently may do this: another person may have picked up the device."""

    default_code = "sign_in_again"


class Invalid(ForumError):
    """Well-formed input that is not acceptable; `pointer` is the JSON pointer (RFC 6901) of what to change."""

    default_code = "invalid"

    def __init__(self, detail: str, pointer: str, *, code: str | None = None, **facts: Any) -> None:
        super().__init__(detail, code=code, **facts)
        self.pointer = pointer


class PersonalInformation(ForumError):
    """A text may show who somebody is, and its author was not asked yet. `confirm` is the answer to that."""

    default_code = "personal_information"

    def __init__(self, detail: str, details: Sequence[Any], confirm: str) -> None:
        super().__init__(detail, findings=[one.as_json() for one in details], confirm=confirm)
        self.details = details


class Conflict(ForumError):
    """The present state does not allow it, or it exists already."""

    default_code = "conflict"


class Stale(Conflict):
    """Something was changed after it was shown: by whom, when, and the number that it has now."""

    default_code = "stale"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        current: int,
        changed_by: Changer | None,
        changed_at: datetime,
        **more: Any,
    ) -> None:
        super().__init__(detail, code=code, current=current, changed_by=changed_by, changed_at=changed_at, **more)


class Busy(Conflict):
    """The same request is still being processed; try again in a moment."""

    default_code = "request_in_progress"


class Overloaded(ForumError):
    """Too many requests need the same thing at this moment; try again in a moment."""

    default_code = "overloaded"


class Throttled(ForumError):
    """A limit is reached: `policy` names it, and after `retry_after` seconds it can be tried again."""

    default_code = "too_many_requests"

    def __init__(self, detail: str, *, policy: str, quota: int, window: int, retry_after: int) -> None:
        super().__init__(detail, code=f"limit_{policy.replace('-', '_')}")
        self.policy = policy
        self.quota = quota
        self.window = window
        self.retry_after = retry_after


class UnusableSetting(Exception):
    """A setting names something that cannot be used; the sentence says what. The forum does not start."""
