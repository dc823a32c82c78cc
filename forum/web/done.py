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
    # one's account
    "accepted": mark("Thank you. It is noted that you keep to the rules."),
    "confirmed": mark("Your e-mail address is confirmed."),
    "link-sent": mark("If there is an account, we have sent a mail. Please look into your mailbox."),
    "mailed": mark("We have sent a mail. Please look into your mailbox."),
    "invitation-accepted": mark("You have accepted. Please sign in again, and set up the second step."),
    "read": mark("All of it is marked as read."),
    "second-step-off": mark("The second step is off."),
    "app-off": mark("Your app is not needed any more."),
    "ended": mark("That device is signed out."),
    "handle-changed": mark("You have another name now. Where others mention you, it follows within a minute."),
    "password-changed": mark("Your password is changed. All your other devices are signed out."),
    "passkey-added": mark("Your passkey is added. All your other devices are signed out."),
    "passkey-removed": mark("The passkey is removed."),
    "copying": mark("We are making your copy. It usually takes a minute."),
    "renamed": mark("Your name is changed."),
    "password-set": mark("Your new password is set. Please sign in with it."),
    "refused": mark("Your address stays, and everybody is signed out. Please ask for a new password now."),
    "stays": mark("The account stays, and everybody is signed out. Please ask for a new password now."),
    "staying": mark("You stay. We are glad."),
    "leaving": mark("You have asked to leave. Until the day below you can change your mind."),
    "address-stays": mark("Your address stays as it is."),
}
