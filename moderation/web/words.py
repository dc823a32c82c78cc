"""Words for what moderation has names for: categories, kinds of cases, measures, acts of the record."""

from collections.abc import Mapping

from forum.web.languages import mark

CATEGORIES: Mapping[str, str] = {
    "risk": mark("Somebody may be in danger"),
    "encouragement": mark("Somebody is told to harm themselves"),
    "intimate_image": mark("An intimate picture"),
    "illegal": mark("It may be against the law"),
    "personal_information": mark("It gives away who somebody is"),
    "rule": mark("It may break a rule"),
    "appeal": mark("Somebody asks for a second look"),
    "held": mark("It waits before others see it"),
    "other": mark("Something else"),
    "spam": mark("Advertising"),
}
# Messages of the charity to begin from, to whoever cried for help.
FIRST_WORDS: Mapping[str, str] = {
    "with-you": mark("I am with you"),
    "safe-now": mark("Are you safe now?"),
    "good-to-write": mark("It is good that you wrote"),
}
# What somebody can say of what they see.
SEEN = ("rule", "risk", "personal_information", "illegal", "intimate_image", "spam", "other")
KINDS: Mapping[str, str] = {
    "post": mark("One post"),
    "posts": mark("Several posts"),
    "member": mark("A member"),
    "appeal": mark("An appeal"),
}
# What somebody without an account says.
CAPACITIES: Mapping[str, str] = {
    "named": mark("I am named in it, or it is about me"),
    "parent_or_carer": mark("I look after a child whom it is about, or who is a member here"),
    "helping_an_adult": mark("I help an adult whom it is about, or who is a member here"),
    "group": mark("It is about a group of people to whom I belong"),
    "other": mark("None of these"),
}
PUBLIC_CATEGORIES: Mapping[str, str] = {
    "suicide_or_self_harm": mark("Somebody may be in danger of suicide or self-harm"),
    "personal_information": mark("It gives away who somebody is, or where they live"),
    "court_restriction": mark("A court does not allow this to be said"),
    "intimate_image": mark("It has an intimate picture of somebody, or leads to one"),
    "illegal": mark("It may be against the law in another way"),
    "rule": mark("It breaks a rule of this forum"),
}
ILLEGAL_KINDS: Mapping[str, str] = {
    "child_abuse": mark("Abuse of a child"),
    "coercion": mark("Somebody controls a partner or a relative"),
    "harassment": mark("Harassment, stalking or threats"),
    "hate": mark("Hatred of a group of people"),
    "suicide": mark("Somebody is told to harm themselves"),
    "sexual_exploitation": mark("Sexual exploitation"),
    "fraud": mark("Fraud"),
    "drugs_or_weapons": mark("Drugs or weapons for sale"),
    "terrorism": mark("Terrorism"),
    "other": mark("Something else"),
}
# What whoever reported reads in the end.
CAME_OF_IT: Mapping[str, str] = {
    "upheld": mark("Somebody looked at it, agreed with you, and did something about it."),
    "dismissed": mark("Somebody looked at it, and found that it can stay as it is."),
}
COMPLAINTS_ABOUT: Mapping[str, str] = {
    "not_dealt_with": mark("I reported something, and it was not dealt with"),
    "duties": mark("The forum does not keep its duties under the law"),
    "own_content": mark("What was decided about my words or my account"),
    "screening": mark("A computer is used here in a way that you do not tell us about"),
}
# What somebody who complains can do besides.
ADVICE: Mapping[str, str] = {
    "not_dealt_with": mark("If somebody is in danger now, do not wait for the answer: ring 999."),
    "duties": mark("You can also write to Ofcom, which looks at whether services keep the law."),
    "own_content": mark(
        "Of a decision about your words or your account you can also ask for a second look. That is quicker, and can "
        "undo it."
    ),
    "screening": mark("What a computer looks for here, and what that can lead to, is said to everybody."),
}
# What can be decided, as a choice.
MEASURES: Mapping[str, str] = {
    "publish": mark("Publish what waits"),
    "refuse": mark("Refuse the edit that waits"),
    "redact": mark("Take some words out"),
    "edit": mark("Change the words"),
    "remove": mark("Remove the post"),
    "retitle": mark("Give the thread another title"),
    "lock": mark("Close the thread"),
    "move": mark("Move the thread to another board"),
    "rename": mark("Give the author another name"),
    "warn": mark("Warn the author"),
    "review": mark("Read what the author writes before it appears, for a time"),
    "silence": mark("Let the author read but not write, for a time"),
    "suspend": mark("Shut the author out for a time"),
    "ban": mark("Close the author's account"),
    "dismiss": mark("Leave everything as it is"),
    "uphold": mark("The decision stays"),
    "change": mark("Decide something else instead"),
    "overturn": mark("Undo the decision"),
}
# What was decided, in a list.
TAKEN: Mapping[str, str] = {
    "publish": mark("Published"),
    "refuse": mark("Edit refused"),
    "redact": mark("Words taken out"),
    "edit": mark("Words changed"),
    "remove": mark("Removed"),
    "retitle": mark("Thread given another title"),
    "lock": mark("Thread closed"),
    "move": mark("Thread moved"),
    "rename": mark("Given another name"),
    "warn": mark("Warned"),
    "review": mark("Read before it appears"),
    "silence": mark("Stopped from writing"),
    "suspend": mark("Shut out"),
    "ban": mark("Account closed"),
    "dismiss": mark("Left as it is"),
}
# What an author is told was done.
TOLD: Mapping[str, str] = {
    "publish": mark("What you wrote is published."),
    "refuse": mark("Your edit is not published. Your post stays as it was."),
    "redact": mark("Some words of your post are taken out."),
    "edit": mark("The words of your post are changed."),
    "remove": mark("Your post is removed."),
    "retitle": mark("Your thread has another title."),
    "lock": mark("Your thread is closed. It can still be read."),
    "move": mark("Your thread is on another board."),
    "rename": mark("You have another name here."),
    "warn": mark("This is a warning."),
    "review": mark("You can write here. A moderator reads it before it appears."),
    "silence": mark("You can read here, but not write."),
    "suspend": mark("You cannot use your account."),
    "ban": mark("Your account is closed."),
    "dismiss": mark("Nothing was done."),
}
STANDINGS: Mapping[str, str] = {
    "active": mark("In good standing"),
    "reviewed": mark("Writes, and is read before it appears"),
    "silenced": mark("Can read, not write"),
    "suspended": mark("Shut out for a time"),
    "banned": mark("Account closed by moderators"),
    "left": mark("Has left"),
}
VISIBILITIES: Mapping[str, str] = {
    "visible": mark("Everybody here can read it"),
    "held": mark("Only its author and moderators see it"),
    "removed": mark("Removed"),
    "withdrawn": mark("Taken back by its author"),
}
FINDINGS: Mapping[str, str] = {
    "crisis": mark("Words of somebody in danger"),
    "personal_information": mark("Gives somebody away"),
    "watched_term": mark("A watched term"),
    "spam": mark("Looks like advertising"),
}
DETAILS: Mapping[str, str] = {
    "telephone": mark("Telephone numbers of people"),
    "email": mark("E-mail addresses"),
    "postcode": mark("Postcodes"),
    "address": mark("Addresses"),
    "nhs_number": mark("NHS numbers"),
    "ni_number": mark("National Insurance numbers"),
    "bank_account": mark("Bank accounts"),
    "iban": mark("International bank accounts"),
    "card": mark("Bank cards"),
    "birth_date": mark("Dates of birth"),
    "court_number": mark("Numbers of court cases"),
    "citation": mark("Published judgments"),
    "police_reference": mark("References of the police"),
    "hearing": mark("Days of hearings"),
    "school": mark("Schools and nurseries"),
    "handle": mark("Names and pages elsewhere on the internet"),
    "vehicle": mark("Number plates"),
    "professional": mark("Names of people at work"),
    "child": mark("Names of children"),
    "person": mark("Other names of people"),
    "identifies_child": mark("Several things that together show who a child in a court case is"),
    "identifies_complainant": mark("What shows to whom sexual harm was done"),
    "court_paper": mark("Pages of court papers"),
}
EFFECTS: Mapping[str, str] = {
    "tell": mark("Point it out"),
    "ask": mark("Ask"),
    "ask_and_case": mark("Ask; a moderator looks later"),
    "ask_and_hold": mark("Ask; it waits for a moderator"),
}
# What is known of the account of somebody new.
SIGNALS: Mapping[str, str] = {
    "throw_away_mail": mark("This account has a mail address of a kind that is thrown away."),
    "joined_together": mark("Many accounts joined within the same hour as this one."),
    "joined_from_one_network": mark("This account is one of many that joined from one network within an hour."),
}
PARTS: Mapping[str, str] = {"title": mark("title"), "body": mark("post"), "warning": mark("note before it")}
OUTCOMES: Mapping[str, str] = {"upheld": mark("Something was done"), "dismissed": mark("Nothing was done")}
HELD_STATES: Mapping[str, str] = {
    "waiting": mark("Waits for you"),
    "refused": mark("Refused"),
    "dropped": mark("Given up by its author"),
}
ALARMS: Mapping[str, str] = {
    "case_waiting": mark("that it waits"),
    "case_urgent": mark("that it cannot wait, by mail too"),
    "case_handed_over": mark("that somebody handed it on"),
    "case_taken_over": mark("that somebody else took it over"),
    "case_overdue": mark("that its time has passed"),
    "case_without_decider": mark("that nobody can decide it"),
    "talk_answered": mark("that the member answered"),
}
# What the record says was done, where a page lists it.
CALLS: Mapping[str, str] = {
    "on_call": mark("they are on call"),
    "everybody": mark("nobody is on call, so everybody is"),
    "nobody_answered": mark("nobody answered"),
    "handed_over": mark("it was handed on"),
    "overdue": mark("it should have been decided"),
}
ACTS: Mapping[str, str] = {
    "address.disclosed": mark("had an address shown in an emergency"),
    "accounts.listed": mark("looked through the accounts"),
    "administrator.proposal_withdrawn": mark("took the proposal of an administrator back"),
    "administrator.proposed": mark("proposed an administrator"),
    "adviser.changed": mark("changed an adviser's title"),
    "announcement.ended": mark("ended an announcement"),
    "glossary.removed": mark("took a word out of the glossary"),
    "glossary.written": mark("explained a word in the glossary"),
    "resource.added": mark("wrote down a place of help"),
    "resource.attached": mark("had a place of help stand on a board or in a thread"),
    "resource.changed": mark("changed a place of help"),
    "resource.detached": mark("took a place of help away from a board or a thread"),
    "resource.removed": mark("removed a place of help"),
    "announcement.written": mark("wrote an announcement"),
    "appeal.heard": mark("decided the appeal"),
    "appeal.lodged": mark("asked for a second look"),
    "assessment.written": mark("wrote a version of an assessment"),
    "board.archived": mark("closed a board for good"),
    "board.changed": mark("changed a board"),
    "board.details": mark("changed what people are asked about"),
    "board.exported": mark("took all of a board along"),
    "board.made": mark("made a board"),
    "board.opened": mark("opened a board again"),
    "case.claimed": mark("took the case"),
    "case.decided": mark("decided the case"),
    "case.opened_on_sight": mark("looked into it on sight"),
    "case.recused": mark("stepped back from the case"),
    "case.released": mark("handed the case on"),
    "case.taken_in": mark("put the case together with others"),
    "case.taken_over": mark("took the case over"),
    "danger.noted": mark("noted what was done for somebody in danger"),
    "detail.forgotten": mark("took off what nobody is asked about"),
    "detail.known": mark("added what nobody is asked about"),
    "export.made": mark("wrote all of the forum to a file, to move out"),
    "hold.placed": mark("kept somebody's data by law"),
    "hold.released": mark("ended that data are kept by law"),
    "import.began": mark("began to move an old board here"),
    "import.ended": mark("moved an old board here"),
    "import.forgotten": mark("forgot how people signed in on the old board"),
    "import.told": mark("told members of the old board that it moved"),
    "import.undo_began": mark("began to take the old board back"),
    "import.undone": mark("took the old board back"),
    "invitation.accepted": mark("accepted an invitation"),
    "invitation.sent": mark("invited somebody"),
    "invitation.withdrawn": mark("took an invitation back"),
    "lost_mailbox.agreed": mark("agreed to another address for somebody"),
    "lost_mailbox.proposed": mark("proposed another address for somebody"),
    "lost_mailbox.refused": mark("refused another address"),
    "lost_mailbox.replaced": mark("gave somebody another address"),
    "lost_mailbox.withdrawn": mark("took the proposal of an address back"),
    "mail.dropped": mark("gave up a mail"),
    "mail.tried_again": mark("tried a mail again"),
    "member.left": mark("left"),
    "webhook.made": mark("had another service told what happens here"),
    "webhook.changed": mark("changed what another service is told"),
    "webhook.secret_renewed": mark("gave another service a new secret"),
    "webhook.tested": mark("had a test sent to another service"),
    "webhook.removed": mark("had another service told no more"),
    "public_report.answered": mark("answered a report without a post"),
    "public_report.assigned": mark("found the post of a report"),
    "swept_post.settled": mark("left an old post as it is"),
    "service_complaint.answered": mark("answered a complaint about the service"),
    "message.settled": mark("settled a message to the charity"),
    "on_call.changed": mark("changed who is on call"),
    "on_call.gone": mark("said that they are no longer here"),
    "on_call.here": mark("said that they are here"),
    "phrase.added": mark("added a phrase of danger"),
    "phrase.off": mark("switched a phrase of danger off"),
    "phrase.on": mark("switched a phrase of danger on"),
    "refused_sign_ins.listed": mark("looked through refused sign-ins"),
    "revision.read": mark("read words that were taken out"),
    "role.granted": mark("gave somebody a role"),
    "role.revoked": mark("took a role back"),
    "rule.written": mark("wrote a rule"),
    "second_factor.reset": mark("turned off somebody's second step"),
    "site.copied": mark("wrote a copy of what guests read, to move out"),
    "sessions.ended": mark("signed somebody out everywhere"),
    "talk.begun": mark("began to write to the member"),
    "post.endorsed": mark("said as an adviser that a post is right"),
    "answer_template.changed": mark("changed a template of answers"),
    "answer_template.deleted": mark("deleted a template of answers"),
    "answer_template.written": mark("wrote a template of answers"),
    "post.endorsement_taken_back": mark("no longer says that a post is right"),
    "talk.closed": mark("closed a talk"),
    "talk.reopened": mark("opened a talk again"),
    "talk.written": mark("wrote to the member"),
    "term.switched_off": mark("no longer watches for a term"),
    "term.written": mark("wrote a term that is watched for"),
    "template.discarded": mark("deleted a template"),
    "template.written": mark("wrote a template"),
    "thread.locked": mark("closed a thread"),
    "thread.needs_no_answer": mark("said that a thread needs no adviser's answer"),
    "thread.moved": mark("moved a thread"),
    "thread.open": mark("opened a thread again"),
    "thread.pinned": mark("kept a thread at the top"),
    "thread.renamed": mark("gave a thread another title"),
    "thread.retitled": mark("gave a thread another title"),
    "thread.unpinned": mark("no longer keeps a thread at the top"),
    "title.read": mark("read a title that was taken away"),
    "withdrawn_post.read": mark("read a post that was taken back"),
}
# What an entry of the record is about.
SUBJECTS: Mapping[str, str] = {
    "accounts": mark("the accounts"),
    "announcement": mark("an announcement"),
    "glossary_term": mark("a word of the glossary"),
    "resource": mark("a place of help"),
    "assessment": mark("an assessment"),
    "board": mark("a board"),
    "case": mark("a case"),
    "invitation": mark("an invitation"),
    "mail": mark("a mail"),
    "member": mark("a member"),
    "message": mark("a message"),
    "on_call": mark("who is on call"),
    "phrase": mark("a phrase of danger"),
    "post": mark("post"),
    "public_report": mark("a report"),
    "service_complaint": mark("a complaint"),
    "rule": mark("rule"),
    "answer_template": mark("a template of answers"),
    "template": mark("a template"),
    "term": mark("a watched term"),
    "webhook": mark("another service"),
    "thread": mark("thread"),
}
