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
    "looks": mark("Pages look like this now, on this device."),
    "announced": mark("Everybody can read it now."),
    "announcement-ended": mark("It is gone from the pages."),
    "saved": mark("Saved."),
}
