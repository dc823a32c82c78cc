"""What a reader found on the way that is no record: what it repaired, and what it left behind."""

from enum import StrEnum


class Remark(StrEnum):
    """What was found, of which record; the report says what becomes of it."""

    DOUBLE_ENCODED = "double_encoded"  # UTF-8 that was taken for Latin letters and encoded again: repaired
    LATIN = "latin"  # no UTF-8, but Western letters of one byte each: repaired
    BYTES_DROPPED = "bytes_dropped"  # bytes that are no text
    CONTROLS_DROPPED = "controls_dropped"  # control characters, which nobody sees
    LOST_BEFORE = "lost_before"  # "????", where the old board's database could not keep an emoji
    LINK_BOARD = "link_board"  # a board that only led to an address
    THREAD_WITHOUT_BOARD = "thread_without_board"
    POST_WITHOUT_THREAD = "post_without_thread"
    AUTHOR_UNKNOWN = "author_unknown"
    POINTER_TO_NOTHING = "pointer_to_nothing"  # what a moved thread left behind, and the thread is gone
    BAN_OF_ADDRESS = "ban_of_address"  # by IP or mail: nothing here can be banned by them
    BAN_OVER = "ban_over"
    PRIVATE_MESSAGES = "private_messages"
    OLD_FORM_IN_NEW_BOARD = "old_form_in_new_board"  # BBCode in a board that writes XML since
