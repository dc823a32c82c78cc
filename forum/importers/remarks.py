"""What a reader found on the way that is no record: what it repaired, and what it left behind."""

from enum import StrEnum

ARTICLE = "an article or page"  # what is said beside a remark, where one of WordPress is there, and cannot be read


class Remark(StrEnum):
    """What was found, of which record; the report says what becomes of it."""

    DOUBLE_ENCODED = "double_encoded"  # UTF-8 that was taken for Latin letters and encoded again: repaired
    LATIN = "latin"  # no UTF-8, but Western letters of one byte each: repaired
    BYTES_DROPPED = "bytes_dropped"  # bytes that are no text
    CONTROLS_DROPPED = "controls_dropped"  # control characters, which nobody sees
    LOST_BEFORE = "lost_before"  # "????", where the old board's database could not keep an emoji
    # The same of a name, a title, a description or the question of a poll.
    LINE_MENDED = "line_mended"
    LINE_DROPPED = "line_dropped"
    LINE_LOST = "line_lost"
    LINK_BOARD = "link_board"  # a board that only led to an address
    THREAD_WITHOUT_BOARD = "thread_without_board"
    POST_WITHOUT_THREAD = "post_without_thread"
    AUTHOR_UNKNOWN = "author_unknown"
    POINTER_TO_NOTHING = "pointer_to_nothing"  # what a moved thread left behind, and the thread is gone
    HIDDEN_BY_EXTENSION = "hidden_by_extension"  # a post or a thread, by a column that phpBB itself does not have
    UNNAMED = "unnamed"  # a post that was shown without its author's name
    BAN_OF_ADDRESS = "ban_of_address"  # by IP or mail: nothing here can be banned by them
    BAN_OVER = "ban_over"
    OTHER_TABLE = "other_table"  # of an extension, in which people may have written
    PRIVATE_MESSAGES = "private_messages"
    OLD_FORM_IN_NEW_BOARD = "old_form_in_new_board"  # BBCode in a board that writes XML since
    PINGBACK = "pingback"  # another site's link to an article
    SPAM_OR_BIN = "spam_or_bin"
    NOT_APPROVED = "not_approved"  # a comment that nobody looked at
    OTHER_COMMENT = "other_comment"  # of a plugin: orders and the like
    NOT_PUBLIC = "not_public"  # an article: a draft, private, planned, in the bin
    LOCKED_ARTICLE = "locked_article"  # behind a password
    RESTRICTED = "restricted"  # an article or a comment that a plugin showed to some readers only
    OTHER_CONTENT = "other_content"  # pages that nobody wrote below, menus, pictures
    OTHER_KIND = "other_kind"  # of an entry that a plugin made: perhaps stories that people wrote
    PLUGIN_FORUM = "plugin_forum"  # what people wrote in a forum that a plugin made, such as bbPress
    COMMENT_LEFT_BEHIND = "comment_left_behind"  # below what does not move
    ANSWERS_NOTHING = "answers_nothing"  # the comment that it answers does not move
    ANSWERS_LATER = "answers_later"  # it answers itself, or one that stands below it
    OF_FEW = "of_few"  # an article in which a plugin shows some words to some readers only: they are left out
    READ_TWICE = "read_twice"
    NO_NUMBER = "no_number"  # an entry that cannot be named
    NO_DATE = "no_date"
