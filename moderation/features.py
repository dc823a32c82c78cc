"""What each feature of moderation adds to jobs, clean-up, copies of personal data and erasure."""

from forum.features import Feature
from forum.mail.outbox import MailHooks
from forum.mail.tables import MailKind
from moderation import (
    assessments,
    case_alerts,
    case_calls,
    cases,
    contact,
    disclosures,
    finding_tallies,
    findings,
    handover,
    name_reports,
    on_call,
    own_safety,
    past_warnings,
    refused_texts,
    rule_changes,
    rules,
    spam_signs,
    transparency,
)
from moderation.concerns import disclosures as concern_disclosures
from moderation.concerns import telling
from moderation.privacy import ModerationPersonalData
from moderation.public_reports import actions as public_reports
from moderation.sanction_expiry import STANDING_ENDED, tell_that_sanction_ended
from moderation.service_complaints import queries as service_complaints
from moderation.service_complaints import telling as complaint_news
from moderation.withdrawn_posts import ERASE_WITHDRAWN, erase_withdrawn_posts

_PERSONAL_DATA = ModerationPersonalData()

FEATURES: tuple[Feature, ...] = (
    Feature(name="privacy", export=_PERSONAL_DATA.export_sections, personal_data=_PERSONAL_DATA),
    Feature(name="cases", figures=cases.FIGURES),
    Feature(
        name="case_calls",
        export=case_calls.export_own,
        figures=case_calls.FIGURES,
        jobs=lambda _context: {case_calls.CALL_NEXT: case_calls.call_next},
    ),
    Feature(
        name="case_alerts",
        jobs=lambda _context: {cases.ALERT: case_alerts.alert, case_alerts.WATCH: case_alerts.watch},
        schedule={case_alerts.WATCH: "* * * * *"},
        mail_hooks={MailKind.CASE_URGENT: MailHooks(case_alerts.is_still_urgent)},
    ),
    Feature(name="sanction_expiry", jobs=lambda _context: {STANDING_ENDED: tell_that_sanction_ended}),
    Feature(
        name="withdrawn_posts",
        jobs=lambda _context: {ERASE_WITHDRAWN: erase_withdrawn_posts},
        schedule={ERASE_WITHDRAWN: "27 * * * *"},
    ),
    Feature(name="refused_texts", clean_up=refused_texts.delete_old),
    Feature(name="rule_changes", jobs=lambda _context: {rules.RULES_CHANGED: rule_changes.tell_members}),
    Feature(name="appeals"),
    Feature(
        name="assessments",
        jobs=lambda _context: {assessments.REMIND: assessments.remind},
        schedule={assessments.REMIND: "17 6 * * *"},
    ),
    Feature(name="audit_log"),
    Feature(name="board_moderators"),
    Feature(
        name="contact",
        export=contact.export_messages,
        clean_up=contact.delete_settled,
    ),
    Feature(
        name="concerns",
        export=concern_disclosures.ask_leads,
        jobs=lambda _context: {telling.WATCH: telling.watch},
        schedule={telling.WATCH: "* * * * *"},
        mail_hooks={MailKind.CONCERN_WAITING: MailHooks(telling.is_still_waiting)},
    ),
    Feature(name="crisis_phrases"),
    Feature(name="decisions"),
    Feature(name="detail_effects"),
    Feature(name="known_details"),
    Feature(name="disclosures", export=disclosures.export_own),
    Feature(name="findings", clean_up=findings.delete_old_findings),
    Feature(name="finding_tallies", clean_up=finding_tallies.delete_old),
    Feature(name="handover", export=handover.export_own, clean_up=handover.delete_old),
    Feature(name="member_history"),
    Feature(name="member_notes"),
    Feature(name="member_posts"),
    Feature(name="name_reports", clean_up=name_reports.forget_given_up_names),
    Feature(name="on_call", export=on_call.export_own, clean_up=on_call.delete_past),
    Feature(name="on_sight"),
    Feature(name="own_safety", export=own_safety.export_own),
    Feature(name="past_warnings", export=past_warnings.export_own),
    Feature(name="reason_templates"),
    Feature(
        name="public_reports",
        jobs=lambda context: {
            public_reports.MATCH: public_reports.make_matcher(context.settings),
            public_reports.REMIND: public_reports.remind,
        },
        schedule={public_reports.REMIND: "37 * * * *"},
        clean_up=public_reports.delete_old,
    ),
    Feature(name="reports"),
    Feature(name="rules"),
    Feature(name="safeguarding"),
    Feature(name="screening_notice"),
    Feature(
        name="service_complaints",
        export=service_complaints.export_own,
        jobs=lambda _context: {complaint_news.REMIND: complaint_news.remind},
        schedule={complaint_news.REMIND: "27 6 * * *"},
        clean_up=complaint_news.delete_old,
        mail_hooks={MailKind.MESSAGE_URGENT: MailHooks(complaint_news.is_still_urgent)},
    ),
    Feature(name="spam_signs", clean_up=spam_signs.delete_old),
    Feature(name="statements"),
    Feature(name="talks"),
    Feature(name="watched_terms"),
    Feature(
        name="transparency",
        jobs=lambda context: {transparency.KEEP: transparency.make_keeper(context.settings)},
        schedule={transparency.KEEP: "47 4 * * *"},
    ),
)
