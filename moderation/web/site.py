"""What moderation hands to the pages of the forum: its routers, its templates and what its pages say was done."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fastapi import APIRouter

from forum.web.languages import mark
from forum.web.pages import Entry, PostLink
from moderation.case_queue import sees_queue
from moderation.concerns.queries import leads_concerns
from moderation.safeguarding import sees_dangers
from moderation.web import (
    assessments,
    audit_log,
    board_moderators,
    cases,
    concerns,
    contact,
    crisis_phrases,
    decisions,
    detail_effects,
    disclosures,
    handover,
    known_details,
    member_history,
    member_posts,
    on_call,
    on_sight,
    own_reports,
    own_safety,
    own_statements,
    own_talks,
    public_reports,
    reason_templates,
    reports,
    rule_editor,
    rulebook,
    safeguarding,
    screening_notice,
    sealed_words,
    service_complaints,
    swept_posts,
    talks,
    together,
    transparency,
    watched_terms,
)
from moderation.web.pages import SECTION

ROUTERS: Sequence[APIRouter] = (
    cases.router,
    concerns.router,
    contact.router,
    public_reports.router,
    service_complaints.router,
    assessments.router,
    transparency.router,
    decisions.router,
    disclosures.router,
    detail_effects.router,
    known_details.router,
    talks.router,
    sealed_words.router,
    on_call.router,
    crisis_phrases.router,
    handover.router,
    own_safety.router,
    on_sight.router,
    swept_posts.router,
    member_history.router,
    member_posts.router,
    together.router,
    reason_templates.router,
    watched_terms.router,
    rule_editor.router,
    rulebook.router,
    safeguarding.router,
    screening_notice.router,
    audit_log.router,
    board_moderators.router,
    own_statements.router,
    own_reports.router,
    reports.router,
    own_talks.router,
)
OWN: Sequence[Entry] = (
    Entry("/me/statements", mark("What moderators decided about you")),
    Entry("/me/reports", mark("What you reported")),
    Entry("/me/talks", mark("What moderators wrote to you")),
)
TEMPLATES = Path(__file__).with_name("templates")
ENTRIES = (
    Entry(SECTION, mark("Moderation"), sees_queue, is_work=True),
    Entry(safeguarding.SECTION, mark("Safeguarding"), sees_dangers, is_work=True),
    Entry(concerns.PATH, mark("Concerns"), leads_concerns, is_work=True),
)
POST_LINKS = (
    PostLink("/moderation/posts/{id}/case", mark("Look into this"), frozenset({"moderator"})),
    PostLink("/moderation/posts/{id}/case", mark("What was decided"), frozenset({"moderator"}), was_removed=True),
)
DONE: Mapping[str, str] = {
    "case-claimed": mark("You took this case. It is yours for ten minutes."),
    "case-released": mark("You handed the case on. The others were told."),
    "case-recused": mark("You stepped back from the case. Somebody else decides it."),
    "case-decided": mark("It is decided."),
    "cases-dismissed": mark("Those that you ticked are left as they are."),
    "on-call-here": mark("Thank you. You are told first of what cannot wait."),
    "on-call-gone": mark("You are no longer told first."),
    "phrase-added": mark("The phrase is sought from now on."),
    "phrase-off": mark("The phrase is no longer sought."),
    "phrase-on": mark("The phrase is sought again."),
    "rule-written": mark("A new edition of the rules is published."),
    "term-off": mark("The term is no longer watched for. Its versions are kept."),
    "template-deleted": mark("The template is deleted."),
    "concern-raised": mark("It has arrived."),
    "concern-waits": mark("It has arrived, and waits."),
    "concern-erased": mark("It is erased."),
    "note-kept": mark("Your note is kept."),
    "message-settled": mark("It is settled."),
    "swept-settled": mark("It stays as it is, and off this list."),
    "report-answered": mark("Your answer is there to be read. The report is settled."),
    "report-assigned": mark("It is a report on the case of that post now."),
    "complaint-answered": mark("Your answer is there to be read. The complaint is settled."),
    "written": mark("Thank you. Your message has arrived."),
    "written-urgently": mark(
        "Thank you. It has arrived, but nobody may read it for hours. If it cannot wait, ring now."
    ),
    "message-sent": mark("Your message is sent."),
    "talk-closed": mark("The talk is closed."),
    "appealed": mark("You have asked for a second look. Somebody else decides now, and you hear of it here."),
    "answered": mark("Your answer is sent."),
    "complained": mark("Somebody else looks at what was written to you."),
    "reported": mark("Thank you. A moderator reads it, and you hear what came of it."),
    "reported-danger": mark("Thank you. Moderators are told at once. In danger now? Please call for help."),
    "talk-opened": mark("The talk is open again."),
}
