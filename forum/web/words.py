"""Words for people, by the `code` of an error: the API's own sentences speak to programs too.

A code without words here gets those of its class. `%(…)s` are facts of the error.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from forum.core import errors
from forum.web.languages import Language, mark

# What is said first, by kind of danger, as `crisis_help.WORDS` has it.
HELP: Mapping[str, str] = {
    "attempt": mark(
        "If you have taken something or hurt yourself, ring 999 now, also if you feel well. It is not too late."
    ),
    "child_in_danger": mark("If a child is in danger now, ring 999. Say where you are first."),
    "danger": mark("If somebody is near who could hurt you, choose a way that they cannot hear."),
    "suicide": mark(
        "What you wrote sounds very hard. You do not have to be alone with it tonight. These people listen now."
    ),
    "self_harm": mark("What you wrote sounds very hard. These people listen, and they do not judge."),
    "carer": mark(
        "You worry about somebody. If they are in danger now, ring 999. These people also help those who care."
    ),
    "disclosure": mark(
        "What was done is hard to tell and to hear. You do not have to know what to do: these people do."
    ),
    "encouragement": mark(
        "Somebody wrote to you what nobody should have to read. It is not true. A moderator looks at it."
    ),
}
BY_CODE: Mapping[str, str] = {
    "blank": mark("Write something here first."),
    "required": mark("Write something here first."),
    "too_short": mark("This is too short."),
    "too_long": mark("This is too long. Please make it shorter."),
    "several_lines": mark("Write this on one line."),
    "thread_locked": mark("This thread is closed for now. You can read it, but not write in it."),
    "thread_gone": mark("Nothing in this thread can be read any more. Please begin a new one."),
    "board_closed": mark("This board is closed now. You can read it. What you wrote, you can keep until it opens."),
    "board_archived": mark("This board is kept for reading. Nobody can write here any more."),
    "read_only_board": mark("You can read this board, but not write on it."),
    "account_reviewed": mark("Moderators read what you write before it appears. While that is so, you cannot do this."),
    "account_silenced": mark("You cannot write at the moment. You can go on reading."),
    "account_suspended": mark("You cannot use your account at the moment."),
    "account_banned": mark("Your account is closed."),
    "unverified_address": mark("Please confirm your e-mail address before your first post. The link is in our mail."),
    "not_the_author": mark("Only the person who wrote this can do that."),
    # administration
    "adviser_needs_title": mark("An adviser needs a title and the name of who they speak for. Readers see both."),
    "already_has_role": mark("They have this role already."),
    "board_exists": mark("There is a board with this short name already. Choose another."),
    "board_changed": mark("Somebody changed this board while you were looking at it. Please read it again."),
    "board_not_found": mark("There is no such board any more."),
    "boards_incomplete": mark("The boards have changed in the meantime. Here they are as they stand now."),
    "hours_missing": mark("Say on which days, from when and until when."),
    "invitation_not_found": mark("This invitation is not here any more, or it is for another address."),
    "last_administrator": mark("There would be no administrator left. Find another one first."),
    "not_a_day": mark("Write each day like this: 2026-12-25."),
    "too_many_closed_days": mark("A board has at most 100 closed days."),
    "too_many_hours": mark("A board has at most 21 hours in a week."),
    "mail_not_found": mark("This mail is no longer here: it was sent or dropped."),
    "member_not_found": mark("Nobody has this name here."),
    "not_an_administrator": mark("This is for administrators."),
    "not_an_adviser": mark("This is for advisers."),
    "own_account": mark("Others look after your own account. Change your address yourself."),
    "password_too_short_for_staff": mark(
        "For a role here, a password needs 15 characters. It has to be changed first."
    ),
    "proposal_not_found": mark("They are not proposed as an administrator any more."),
    "role_not_for_one_board": mark("Only a moderator can be for one board."),
    "role_not_held": mark("They do not have this role any more."),
    "title_only_for_advisers": mark("Only advisers have a title. Leave both fields empty for this role."),
    "too_many_webhooks": mark("There are ten webhooks already. Remove one first."),
    "unknown_audience": mark("Choose at least one of these."),
    "unknown_cursor": mark("This list has changed. Please begin it again."),
    "webhook_address_not_public": mark("This address is not on the public internet."),
    "webhook_address_unusable": mark("The address has to begin with https://, without a user name and without “#”."),
    "webhook_changed": mark("Somebody else changed this webhook in the meantime. What you typed is still below."),
    "webhook_exists": mark("This address is told already."),
    "webhook_not_found": mark("This webhook is not here any more."),
    "webhook_off": mark("This webhook is off. Turn it on first."),
    "webhook_without_events": mark("Choose at least one of these."),
    "wrong_format": mark("This does not have the right form. Look at the hint above it."),
    # writing
    "personal_information": mark(
        "Some of these words may show who somebody is. Change them, or post them as they are."
    ),
    "ignoring_oneself": mark("This is you. You cannot ignore yourself."),
    "member_is_staff": mark("They work here. What they write is for everybody, so nobody can ignore them."),
    "no_such_post_in_thread": mark("The post that you answer is not here any more. You can send this without it."),
    "reaction_not_found": mark("This forum does not have this button any more."),
    "own_name": mark("This is your own name. You can take another."),
    "reason_missing": mark("Please say why nobody was asked."),
    "reason_would_be_held": mark("This reason cannot be shown to readers as it is. Please put it in another way."),
    "rule_missing": mark("Please choose which rule it breaks."),
    "adviser_post": mark("An adviser wrote this post: nobody needs to say that it is right."),
    "board_not_advised": mark("Advisers do not answer on this board."),
    "note_would_be_held": mark("This note cannot be kept as it is. Please put it in another way."),
    "resource_changed": mark("Somebody else changed this a moment ago. Please look at it again."),
    "template_changed": mark("Somebody else changed this template a moment ago. Please look at it again."),
    "template_not_found": mark("This template is not here any more."),
    "template_would_be_held": mark("This template cannot be kept as it is. Please put it in another way."),
    "word_changed": mark("This word is explained already. Read what it means now. To change that, send yours again."),
    "too_many_templates": mark("Your organisation has 200 templates already. Delete one first."),
    "unfilled_placeholder": mark(
        "Something of the template is not filled in yet. Look for {…}: put in what belongs there, or take it out."
    ),
    "unknown_placeholder": mark("Only {name}, {board} and {link:what it leads to} can stand in braces."),
    "thread_claimed": mark("Somebody else keeps this thread to answer it. You can still answer, if it cannot wait."),
    "thread_locked_or_moved": mark("This thread was closed or moved a moment ago. Please read it again."),
    "too_many_bookmarks": mark("You saved 2,000 posts. Please take one off the list first."),
    "too_many_drafts": mark("You have 50 drafts. Please send or delete one first."),
    "too_many_ignored": mark("You ignore 200 people. Please stop ignoring somebody first."),
    "looks_official": mark(
        "This has words or a sign in it that look as if this place had put them there. Please leave them out."
    ),
    "too_many_links": mark("There are too many links in it. Please take some out."),
    "too_many_subscriptions": mark("You chose for 2,000 places what you are told. Please take one off the list first."),
    # around the forum
    "time_too_far": mark("Choose a day within a year."),
    "too_many_announcements": mark("Five announcements stand there already. Take one away first."),
    "glossary_full": mark("The glossary has 500 words already. Take one out first."),
    "too_many_resources": mark("There are 500 places of help already. Remove one first."),
    "too_many_resources_here": mark("Ten places of help stand here already. Take one away first."),
    "too_many_tags": mark("Please give eight at most, with commas between them."),
    "unreachable_resource": mark("Please give a telephone, a number for texts or a page."),
    "unusable_link": mark("Please write the whole address. It begins with https://"),
    "unusable_term": mark("Please use letters and digits only, two characters or more, in up to four words."),
    "not_a_time": mark("Write the day and the time, such as 2026-12-24 16:40."),
    "unreadable_day": mark("Write the day as year, month and day, such as 2026-12-24."),
    "wrong_login_or_password": mark("That name and password do not fit together. Check both and try again."),
    # one's account
    "already_appealed": mark("You have asked for a second look already. Somebody else decides."),
    "appeal_time_over": mark("The time to ask for a second look is over."),
    "handle_changed_recently": mark("You can take another short name once in 90 days."),
    "handle_looks_like_another": mark("This looks like the name of somebody else here. Please choose another."),
    "invalid_handle": mark("Use 3 to 30 letters and digits, without spaces. A dot, “-” or “_” can stand between them."),
    "invalid_name": mark("Use 1 to 60 letters, and not many accents on one."),
    "name_has_badge": mark("This has a sign in it that looks like one of ours. Please leave it out."),
    "handle_taken": mark("Somebody has this name already. Please choose another."),
    "hour_in_quiet_hours": mark("This time is in your quiet hours. Change one of them."),
    "invitation_expired": mark("This invitation is too old. Please ask for another."),
    "link_expired": mark("This link does not work any more. Please ask for a new one."),
    "name_held": mark("This name may give somebody away or hurt. Please choose another."),
    "name_looks_like_staff": mark("This looks like the name of somebody who works here. Please choose another."),
    "name_reserved": mark("This name is kept for the people who run the forum. Please choose another."),
    "password_stolen": mark("This password is known to thieves. Please choose another."),
    "password_too_common": mark("Many people use this password, so it is easily guessed. Please choose another."),
    "password_too_long": mark("This password is too long."),
    "password_too_short": mark("This password is too short. Four words in a row are a good one."),
    "password_too_weak": mark("This password is easily guessed. Four words in a row are a good one."),
    "not_chosen": mark("Please choose one of these."),
    "not_stated": mark("Please tick this box. Without it you can read here, but not join."),
    "quiet_hours_empty": mark("The quiet hours end when they begin. For none, leave both empty."),
    "quiet_hours_half": mark("Write when the quiet hours begin and when they end, or leave both empty."),
    "report_not_dismissed": mark("You can ask for a second look only where nothing was done."),
    "rules_changed": mark("The rules were changed a moment ago. Please read them again."),
    "second_step_over": mark("It took a little long. Please begin again with your password."),
    "too_young": mark("This forum is not for people of your age. “Help now” names who is there for you."),
    "phrase_too_wide": mark("This is found too often to call people. Make it longer, or let it wait in the queue."),
    "phrase_unusable": mark(
        "This cannot be sought. Repeats need an upper bound, as in {0,3}, brackets must match, and it must be more "
        "than words that everybody writes."
    ),
    "too_many_phrases": mark("There are 200 phrases already. Please switch one off first."),
    "too_many_known_details": mark("This list is full. Please take something off it first."),
    "too_many_shifts": mark("The rota is full. Please take a shift out first."),
    "help_everywhere": mark("A term that shows help is looked for on every board, and in no name."),
    "help_kind_missing": mark("Choose which help its author is shown."),
    "pattern_looks_around": mark("A pattern cannot look ahead or behind. Please leave out (?= (?! (?<= and (?<!."),
    "pattern_matches_nothing": mark("This pattern is also found in an empty text. It would be found everywhere."),
    "pattern_refers_back": mark("A pattern cannot refer back to what it found."),
    "pattern_too_large": mark("This pattern is too large. Please use smaller numbers of repeats."),
    "pattern_too_long": mark("A pattern has 500 characters at most."),
    "pattern_unusable": mark("This is not a pattern. Please look at its brackets and signs."),
    "term_changed": mark("Somebody changed this term while you were looking at it."),
    "term_exists": mark("This term is watched for already."),
    "term_too_broad": mark("It is in more than 5 % of the posts: it cannot hold any. Let a moderator decide."),
    "term_without_letters": mark("A term needs at least one letter or digit."),
    "too_many_terms": mark("There are too many terms. Please switch one off first."),
    "word_with_spaces": mark("A word has no spaces in it. Choose “Several words”."),
    "days_crossed": mark("The first day is after the last."),
    "search_not_found": mark("We forget what was searched for after an hour. Please search again."),
    "search_too_long": mark("This took too long. Please try other words, or fewer."),
    "unknown_author": mark("There is nobody of this name."),
    "unknown_board": mark("This board is not here any more. Please choose another."),
    "unknown_zone": mark("We do not know this time zone. Please choose one from the list."),
    "address_taken": mark("Somebody here has this address already. Perhaps it is you, with another name."),
    "passkey_exists": mark("This passkey is known here already."),
    "too_many_passkeys": mark("You have 20 passkeys already. Remove one first."),
    "wrong_code": mark("This code is not the right one, or it was used already. Look at your app again."),
    "wrong_password": mark("This is not your present password."),
    "wrong_passkey": mark("This passkey is not known here, or it took too long. Please try again."),
    "passkey_copied": mark("Somebody else may have a copy of this passkey. Sign in in another way and remove it."),
    # moderation
    "account_left": mark("This member has left."),
    "another_moderator_decides": mark("Somebody else decides this case."),
    "appeal_measures_wrong": mark("To decide something else instead, tick what. Otherwise tick nothing more."),
    "appeal_outcome_missing": mark("Choose one: the decision stays, it is undone, or something else is decided."),
    "assessment_changed": mark("Somebody wrote another version while you were looking at it. Please read it first."),
    "author_is_staff": mark("The author works here. Only an administrator can warn them or shut them out."),
    "body_length": mark("The post would be empty or too long."),
    "code_not_known": mark("Nothing that was sent to us has this code. Look at it again, letter by letter."),
    "complaint_about_own_decision": mark("You decided what this is about. Somebody else answers it."),
    "complaint_answered": mark("Somebody has answered this complaint already."),
    "case_changed": mark("This case changed while you were looking at it. Please read it again."),
    "case_claimed": mark("Somebody else is working on this case."),
    "case_decided": mark("This case is decided."),
    "concern_assessment_changed": mark("Somebody wrote another version of this while you were writing."),
    "concern_closed": mark("It is closed. Open it again first."),
    "concern_is_held": mark("A legal hold keeps it. End the hold first."),
    "concern_is_kept": mark("It is kept until a day that has not come."),
    "disclosure_decided": mark("Somebody decided this already."),
    "dismiss_and_other_measures": mark("Either leave everything as it is, or do something."),
    "edit_and_redact": mark("Either change the words or take some out, not both."),
    "edit_left_waiting": mark("An edit of this post waits. Publish it, refuse it, or remove the post."),
    "exemption_missing": mark("Name the rule of law, or let them have all of it."),
    "later_decision_in_force": mark("A later decision changed these words again. That one has to be undone first."),
    "keep_until_out_of_range": mark("Choose a day that is still to come."),
    "measure_field_missing": mark("Fill this in for what you chose."),
    "measure_missing": mark("Choose what to do."),
    "measure_needs_one_post": mark("This can be done for one post only."),
    "measure_needs_post": mark("This case is about a member, not about a post. Choose something else."),
    "measure_repeated": mark("Choose each thing once."),
    "member_left": mark("This member has left."),
    "no_account_here": mark("They came with an old board and have no account here. Nobody would read it."),
    "no_edit_waits": mark("No edit of this post waits any more."),
    "not_a_lead": mark("They are no safeguarding lead, so they cannot read it anyway."),
    "not_a_moderator": mark("This is for moderators."),
    "not_a_moderator_of_all": mark("This is for moderators of the whole forum and administrators."),
    "not_on_a_team": mark("Only moderators can be on call."),
    "not_on_the_team": mark("Nobody of this name moderates there."),
    "not_a_safeguarding_lead": mark("This is for the safeguarding lead."),
    "own_complaint": mark("You made this complaint. Somebody else answers it."),
    "own_decision_or_appeal": mark("This is about your own decision. Somebody else decides."),
    "own_dismissal": mark("You decided about this before, and it is looked at again. Somebody else decides now."),
    "own_post": mark("This is your own post. You can change it or take it back."),
    "own_record": mark("This is about you. Others decide, and keep notes."),
    "own_report": mark("You reported this. Somebody else decides."),
    "post_changed": mark("This post changed while you were looking at it. Please read it again."),
    "post_in_other_case": mark(
        "One of these posts is in a case with other posts of this member. Decide that case, or choose all of them."
    ),
    "post_left_held": mark("This post waits. Publish it or remove it."),
    "post_not_held": mark("Nothing of this post waits any more."),
    "post_removed": mark("This post is removed already."),
    "post_withdrawn": mark("The author took this post back."),
    "public_report_answered": mark("Somebody has answered this report already."),
    "publish_and_change": mark("Either publish what waits, or change the words."),
    "publish_and_refuse": mark("Either publish what waits, or refuse it."),
    "publish_and_remove": mark("Either publish the post or remove it."),
    "remove_and_refuse": mark("With the post, the edit goes too. Choose only to remove it."),
    "review_too_far": mark("Choose a day within the next 28 days."),
    "address_unknown": mark("No address is known: whoever wrote this has left."),
    "no_acute_danger": mark("Nobody is in acute danger in this case, so the address stays closed."),
    "rota_changed": mark("Somebody changed the rota while you were looking at it."),
    "review_not_within_a_year": mark("The next look comes after the assessment, and within a year of it."),
    "rule_changed": mark("Somebody changed this rule while you were looking at it."),
    "rule_not_found": mark("There is no such rule any more."),
    "rule_or_law_missing": mark("Say which rule or which law it breaks."),
    "span_invalid": mark("These words overlap. Please choose them again."),
    "stepped_back": mark("You stepped back from this case. Somebody else decides."),
    "talk_closed": mark("This talk is closed. Nobody can write here now."),
    "time_not_in_future": mark("Choose a time that is still to come."),
    "time_to_come": mark("That day or time has not come yet."),
    "title_was_taken_out": mark("A moderator took this out of the title before. Please choose other words."),
    "title_changed": mark("The title changed while you were looking at it. Please read it again."),
    "too_many": mark("These are too many at once. Please choose fewer."),
    "words_not_found": mark("These words are not in the post. Please copy them from it again."),
    "words_several_times": mark("These words are there several times. Copy more around them, or take all out."),
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
        return said % {"time": language.soon(now + timedelta(seconds=error.retry_after), now)}
    return said


def sentence(code: str, kind: type[errors.ForumError], language: Language) -> str:
    """Return the sentence for a code, otherwise that of the class or of the class above it."""
    if code in BY_CODE:
        return language.say(BY_CODE[code])
    return language.say(next(BY_CLASS[above] for above in kind.__mro__ if above in BY_CLASS))
