"""What a page says after something was done: a closed list, so that no address can put words onto a page."""

from collections.abc import Mapping

from forum.web.languages import mark

DONE: Mapping[str, str] = {
    "sent": mark("Your reply is here now."),
    "held": mark("We have it. A moderator reads it first; only you can see it until then."),
    "opened": mark("Your thread is here now."),
    "changed": mark("Your change is saved."),
    "withdrawn": mark("You have taken your post back."),
    "signed-in": mark("You are signed in."),
    "signed-out": mark("You are signed out."),
    "saved": mark("Saved."),
    "kept": mark("We keep what you wrote for a week. Only you can read it."),
    "draft-deleted": mark("What you began to write is deleted."),
    "sending": mark("We are still sending what you wrote. Please look again in a moment."),
    "waits": mark("A moderator reads your change first. Until then, readers see it as it was."),
}
