"""The voice of a post (member, adviser or staff), and the adviser's badge that it keeps."""

from typing import Any

from forum.content.posts.context import PostingContext
from forum.content.posts.tables import Voice
from forum.members.tables import Role
from forum.members.viewer import Viewer


def voice_of(author: Viewer, context: PostingContext) -> Voice:
    """Return whether somebody writes here as a member, an adviser or staff."""
    if Role.ADVISER in author.roles and context.badge:
        return Voice.ADVISER
    return Voice.STAFF if author.is_staff else Voice.MEMBER


def badge_snapshot(voice: Voice, context: PostingContext) -> dict[str, Any]:
    """Return the columns of a post that keep its adviser's badge: later changes of the badge do not change the post."""
    badge = context.badge if voice == Voice.ADVISER else None
    return {
        "adviser_name": badge and badge.name,
        "adviser_title": badge and badge.title,
        "adviser_organisation": badge and badge.organisation,
    }
