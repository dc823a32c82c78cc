"""Words for people, by the `code` of an error: the API's own sentences speak to programs too.

A code without words here gets those of its class. `%(…)s` are facts of the error.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from forum.core import errors
from forum.web.languages import Language, mark

BY_CODE: Mapping[str, str] = {
    "blank": mark("Write something here first."),
    "required": mark("Write something here first."),
    "too_short": mark("This is too short."),
    "too_long": mark("This is too long. Please make it shorter."),
    "several_lines": mark("Write this on one line."),
    "thread_locked": mark("This thread is closed for now. You can read it, but not write in it."),
    "thread_gone": mark("Nothing in this thread can be read any more. Please begin a new one."),
    "board_archived": mark("This board is kept for reading. Nobody can write here any more."),
    "read_only_board": mark("You can read this board, but not write on it."),
    "account_silenced": mark("You cannot write at the moment. You can go on reading."),
    "account_suspended": mark("You cannot use your account at the moment."),
    "account_banned": mark("Your account is closed."),
    "unverified_address": mark("Please confirm your e-mail address before your first post. The link is in our mail."),
    "not_the_author": mark("Only the person who wrote this can do that."),
    # administration
    "adviser_needs_title": mark("An adviser needs a title and the name of who they speak for. Readers see both."),
    "already_has_role": mark("They have this role already."),
    "board_exists": mark("There is a board with this short name already. Choose another."),
    "board_not_found": mark("There is no such board any more."),
    "boards_incomplete": mark("The boards have changed in the meantime. Here they are as they stand now."),
    "invitation_not_found": mark("This invitation is no longer here: it was accepted or withdrawn."),
    "last_administrator": mark("There would be no administrator left. Find another one first."),
    "mail_not_found": mark("This mail is no longer here: it was sent or dropped."),
    "member_not_found": mark("Nobody has this name here."),
    "not_an_administrator": mark("This page is for administrators."),
    "not_an_adviser": mark("This page is for advisers."),
    "own_account": mark("Others look after your own account. Change your address yourself."),
    "password_too_short_for_staff": mark("Their password is too short for a role. They have to choose a longer one."),
    "proposal_not_found": mark("They are not proposed as an administrator any more."),
    "role_not_for_one_board": mark("Only a moderator can be for one board."),
    "role_not_held": mark("They do not have this role any more."),
    "title_only_for_advisers": mark("Only advisers have a title. Leave both fields empty for this role."),
    "unknown_audience": mark("Choose at least one of these."),
    "unknown_cursor": mark("This list has changed. Please begin it again."),
    "wrong_format": mark("This does not have the right form. Look at the hint above it."),
    "wrong_login_or_password": mark("That name and password do not fit together. Check both and try again."),
}
BY_CLASS: Mapping[type[errors.ForumError], str] = {
    errors.NotSignedIn: mark("Please sign in first."),
    errors.NotFound: mark("This page is not here, or not for you."),
    errors.SignInAgain: mark("For this, please sign in once more. Somebody else may hold your phone."),
    errors.RoleWithheld: mark("Your role counts only after you have signed in with your second step."),
    errors.Forbidden: mark("You cannot do this."),
    errors.Stale: mark("Somebody changed this while you were writing."),
    errors.Busy: mark("We are still working on it. Please try again in a moment."),
    errors.Conflict: mark("This cannot be done any more. Something has changed in the meantime."),
    errors.Invalid: mark("Something here is not right yet. Please look at it again."),
    errors.Throttled: mark("That was a lot in a short time. Please wait until %(time)s and try again."),
    errors.Overloaded: mark("Many people are here at the moment. Please try again."),
}


def words_of(error: errors.ForumError, language: Language, now: datetime) -> str:
    """Return the sentence for people about an error; for a limit, with the time at which it works again."""
    said = sentence(error.code, type(error), language)
    if isinstance(error, errors.Throttled):
        return said % {"time": language.clock(now + timedelta(seconds=error.retry_after))}
    return said


def sentence(code: str, kind: type[errors.ForumError], language: Language) -> str:
    """Return the sentence for a code, otherwise that of the class or of the class above it."""
    if code in BY_CODE:
        return language.say(BY_CODE[code])
    return language.say(next(BY_CLASS[above] for above in kind.__mro__ if above in BY_CLASS))
