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
    # administration
    "board-made": mark("The board is there now."),
    "board-archived": mark("The board is archived. People can still read it."),
    "board-reopened": mark("The board is open again."),
    "role-given": mark("They have the role now, and were signed out."),
    "role-taken": mark("They no longer have the role, and were signed out."),
    "administrator-proposed": mark("You have proposed them. Another administrator has to agree within a week."),
    "proposal-withdrawn": mark("They are no longer proposed as an administrator."),
    "member-signed-out": mark("They are signed out everywhere."),
    "mailbox-proposed": mark("You have said so. Another administrator has to write the same address within a week."),
    "mailbox-agreed": mark("Two administrators agree. The member is told, and has three days to object."),
    "mailbox-kept": mark("The old address stays."),
    "hold-placed": mark("Nothing of this member is deleted for now."),
    "hold-lifted": mark("The hold is lifted."),
    "invited": mark("The invitation is on its way."),
    "invitation-withdrawn": mark("The invitation is withdrawn."),
    "mail-tried-again": mark("The mail is tried once more."),
    "mail-dropped": mark("The mail is dropped."),
}
