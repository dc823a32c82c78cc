"""Mail: put down in the transaction that wants it, written when it is sent, and never with a word of a post."""

from forum.mailer.letters import TEST, compose
from forum.mailer.links import DEAD, Opened, digest, forget, opened, owner
from forum.mailer.sending import (
    BY_AGE,
    SEND,
    call_off,
    end_changes,
    end_resets,
    put_down,
    sender,
    tell_of_sign_in,
    tidy,
    unsent,
)
from forum.mailer.tables import Kind, Link, Mail
from forum.mailer.transport import TRANSPORT_ERRORS, Transport, transport_of

__all__ = [
    "BY_AGE",
    "DEAD",
    "SEND",
    "TEST",
    "TRANSPORT_ERRORS",
    "Kind",
    "Link",
    "Mail",
    "Opened",
    "Transport",
    "call_off",
    "compose",
    "digest",
    "end_changes",
    "end_resets",
    "forget",
    "opened",
    "owner",
    "put_down",
    "sender",
    "tell_of_sign_in",
    "tidy",
    "transport_of",
    "unsent",
]
