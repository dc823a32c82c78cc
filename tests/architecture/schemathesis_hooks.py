"""What Schemathesis cannot know: how to sign in, and which refusals no schema can express, each with its reason."""

import json
import os
import re
import ssl
from typing import Any

import httpx
import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

LOGIN, PASSWORD = os.environ.get("FORUM_LOGIN"), os.environ.get("FORUM_PASSWORD")  # neither: as a guest
TOKEN = os.environ.get("FORUM_TOKEN")  # of staff, whose sign-in wants a code that opens once
# Which case, statement, report and link there is, by the address, what is before its id, or the operation: no example
# can say.
IDS: dict[str, str] = json.loads(os.environ.get("FORUM_IDS", "{}"))
# To load every authority's certificate for each request took longer than all else.
FORUM = httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

FORGED = "a cursor is opaque, and one that was made up is refused"
USED = "a key stands for one thing, and is refused with another"
NAMED = "what Unicode makes of a name, and whom it looks like, is no regular expression"
GUESSED = "how easily a password is guessed is no regular expression, and staff need 15 characters"
CITED = "only rules that there are can be cited; some acts need one"
OFFERED = "advisers have a title, moderators may have a board, and nobody else"
SEEN = "what can be seen, and is left without what turns its direction, is no regular expression"
HOURS = "quiet hours have a beginning and another end, and a daily mail comes outside of them"
UNASKED = "consent that was not sought needs the reason"
SOON = "it must lie within the next 28 days"
BRACES = "what stands in braces must be a placeholder"
FITTING = "which measures go together, and with which case, depends on the case"

# Operation and pointer of a 422 → why a request that keeps to the document may get it.
EXPECTED = {
    ("list_threads", "query/after"): FORGED,
    ("list_posts", "query/after"): FORGED,
    ("list_waiting_threads", "query/after"): FORGED,
    ("list_notifications", "query/after"): FORGED,
    ("list_newest_threads", "query/after"): FORGED,
    ("list_my_threads", "query/after"): FORGED,
    ("list_bookmarks", "query/after"): FORGED,
    ("list_results", "query/after"): FORGED,
    ("search_posts", "#/board"): "there is no board of this slug",
    ("search_posts", "#/author"): "there is nobody of this handle",
    ("search_posts", "#/since"): "it is after the last day",
    ("list_subscriptions", "query/after"): FORGED,
    ("list_reactions", "query/after"): FORGED,
    ("list_cases", "query/after"): FORGED,
    ("list_log", "query/after"): FORGED,
    ("list_my_reports", "query/after"): FORGED,
    ("list_my_talks", "query/after"): FORGED,
    ("list_my_complaints", "query/after"): FORGED,
    ("list_messages", "query/after"): FORGED,
    ("list_danger_cases", "query/after"): FORGED,
    ("list_concerns", "query/after"): FORGED,
    ("list_concern_audit", "query/after"): FORGED,
    ("raise_concern", "header/Idempotency-Key"): USED,
    ("raise_concern", "#/consent_why"): UNASKED,
    ("raise_concern", "#/about/*"): SEEN,
    ("add_concern_entry", "header/Idempotency-Key"): USED,
    ("add_concern_entry", "#/happened_at"): "it must lie behind",
    ("assess_concern", "#/consent_why"): UNASKED,
    ("review_concern", "#/review_on"): SOON,
    ("hold_concern", "#/review_on"): SOON,
    ("close_concern", "#/keep_until"): "it must lie ahead, and within 100 years",
    ("decide_disclosure", "#/exemption"): "whoever does not get all of it is told by which rule",
    ("list_terms", "query/after"): FORGED,
    ("add_term", "header/Idempotency-Key"): USED,
    **{
        (name, pointer): why
        for name in ("add_term", "try_term", "write_term")
        for pointer, why in (
            ("#/text", "which words can be sought, no schema can say"),
            ("#/boards", "which boards there are, no schema can say"),
            ("#/help_kind", "a kind of help is for a term that shows help"),
            ("#/effect", "what is in too many posts cannot hold any"),
        )
    },
    ("list_case_talks", "query/after"): FORGED,
    ("list_case_messages", "query/after"): FORGED,
    ("list_member_notes", "query/after"): FORGED,
    ("list_adviser_notes", "query/after"): FORGED,
    ("leave_adviser_note", "header/Idempotency-Key"): USED,
    ("add_answer_template", "header/Idempotency-Key"): USED,
    ("add_answer_template", "#/text"): BRACES,
    ("change_answer_template", "#/text"): BRACES,
    ("list_handover_notes", "query/after"): FORGED,
    ("list_swept_posts", "query/after"): FORGED,
    ("leave_handover_note", "header/Idempotency-Key"): USED,
    ("set_board_hours", "#/zone"): "the names of time zones are no regular expression",
    ("set_board_hours", "#/closed_on/*"): "which days a year has is no regular expression",
    ("answer_in_talk", "header/Idempotency-Key"): USED,
    ("complain_of_message", "#/message_id"): "only what a moderator wrote there can be complained of",
    ("write_to_member", "header/Idempotency-Key"): USED,
    ("list_log", "query/subject_id"): "half of a filter is refused: it would be ignored",
    ("list_accounts", "query/after"): FORGED,
    ("list_refused_sign_ins", "query/after"): FORGED,
    ("list_unsent_mails", "query/after"): FORGED,
    ("give_role", "#/title"): OFFERED,
    ("invite", "#/title"): OFFERED,
    ("invite", "#/board"): OFFERED,
    ("invite", "#/email"): "what is an address, beyond `format: email`, is a matter of several RFCs",
    ("open_thread", "header/Idempotency-Key"): USED,
    ("create_post", "header/Idempotency-Key"): USED,
    ("report_post", "header/Idempotency-Key"): USED,
    ("report_name", "header/Idempotency-Key"): USED,
    ("appeal_statement", "header/Idempotency-Key"): USED,
    ("appeal_report", "header/Idempotency-Key"): USED,
    ("note_case", "header/Idempotency-Key"): USED,
    ("note_danger_case", "header/Idempotency-Key"): USED,
    ("decide_case", "header/Idempotency-Key"): USED,
    ("disclose_address", "header/Idempotency-Key"): USED,
    ("invite", "header/Idempotency-Key"): USED,
    ("make_webhook", "header/Idempotency-Key"): USED,
    **{
        (name, pointer): why
        for name in ("make_webhook", "change_webhook")
        for pointer, why in (
            ("#/url", "which addresses can be asked, no schema can say"),
            ("#/events", "the test is sent when it is asked for, and not chosen"),
        )
    },
    ("list_webhook_deliveries", "query/after"): FORGED,
    ("choose_mails", "#/at"): HOURS,
    ("choose_mails", "#/quiet"): HOURS,
    ("choose_mails", "#/paused_until"): "it must lie ahead, and within a year",
    ("choose_mails", "#/zone"): "which time zones there are is a matter of the machine",
    ("list_members", "query/handle/*"): SEEN,
    ("file_public_report", "header/Idempotency-Key"): "how many bits a key has depends on its characters, too",
    ("file_public_report", "#/email"): "what is an address, beyond `format: email`, is a matter of several RFCs",
    ("file_public_report", "#/post"): SEEN,
    ("complain_of_service", "header/Idempotency-Key"): "how many bits a key has depends on its characters, too",
    ("complain_of_service", "#/email"): "what is an address, beyond `format: email`, is a matter of several RFCs",
    ("complain_of_service", "#/report_code"): "only the code of a report that there is",
    ("complain_of_service", "#/report_id"): "only one's own report can be complained of",
    ("write_assessment", "#/next_review_on"): "it must come after the day of the assessment, and within a year of it",
    ("write_to_charity", "header/Idempotency-Key"): "how many bits a key has depends on its characters, too",
    ("join", "header/Idempotency-Key"): "how many bits a key has depends on its characters, too",
    ("mark_thread_read", "#/number"): "only a number that the thread has reached can be read",
    ("ignore_member", "path/handle"): "the document does not say what your handle is",
    ("accept_rules", "#/edition"): "only an edition that there is can be accepted",
    ("create_post", "#/reply_to"): "only a post that is there can be answered",
    ("open_thread", "#/title"): SEEN,
    ("retitle_thread", "#/title"): SEEN,
    ("join", "#/handle"): NAMED,
    ("change_handle", "#/handle"): NAMED,
    ("replace_lost_mailbox", "#/email"): "what is an address, beyond `format: email`, is a matter of several RFCs",
    ("order_boards", "#/slugs"): "which boards there are, no schema can say",
    ("join", "#/name"): NAMED,
    ("join", "#/email"): "what is an address, beyond `format: email`, is a matter of several RFCs",
    ("join", "#/password"): GUESSED,
    ("join", "#/rules_version"): "only a version that there is can be accepted",
    ("join", "#/least_age"): "those who are too young cannot join",
    ("change_me", "#/name"): NAMED,
    ("reset_password", "#/new"): GUESSED,
    ("change_address", "#/current"): "the document does not say what your password is",
    ("change_address", "#/email"): "what is an address, beyond `format: email`, is a matter of several RFCs",
    ("change_password", "#/current"): "the document does not say what your password is",
    ("change_password", "#/new"): GUESSED,
    ("confirm_second_factor", "#/code"): "the document does not say what your app shows",
    ("add_passkey", "#/credential"): "nor what a device makes",
    ("report_post", "#/revision"): "nobody has seen a revision that is not there yet",
    ("report_post", "#/rules"): CITED,
    ("report_name", "#/rules"): CITED,
    ("decide_case", "#/version"): FITTING,
    ("decide_case", "#/revision"): FITTING,
    ("decide_case", "#/measures"): FITTING,
    ("decide_case", "#/rules"): CITED,
    ("add_phrase", "#/text"): "which phrases can be sought, no schema can say",
    ("try_phrase", "#/text"): "which phrases can be sought, no schema can say",
    ("write_rota", "#/items/*/handle"): "only whoever moderates there can be on call",
    ("write_rota", "#/items/*/board"): "there must be such a board",
    ("write_rota", "#/items/*/zone"): "the names of time zones are no regular expression",
    ("decide_case", "#/measures/*/name"): "a renaming gives another name or another handle",
    ("decide_case", "#/measures/*/until"): "it must lie ahead",
    ("list_member_posts", "query/after"): FORGED,
    ("open_post_case", "header/Idempotency-Key"): USED,
    ("open_member_case", "header/Idempotency-Key"): USED,
    ("decide_posts", "header/Idempotency-Key"): USED,
    ("note_member", "header/Idempotency-Key"): USED,
    ("make_board", "header/Idempotency-Key"): USED,
    ("announce", "header/Idempotency-Key"): USED,
    ("explain_term", "path/term"): "letters and digits of every script, as words",
    ("explain_term", "#/see_url"): "it must be the address of a page",
    ("add_resource", "#/url"): "it must be the address of a page",
    ("add_resource", "header/Idempotency-Key"): USED,
    ("change_resource", "#/url"): "it must be the address of a page",
    ("add_resource", "#/telephone"): "there must be one way to reach it",
    ("change_resource", "#/telephone"): "there must be one way to reach it",
    ("announce", "#/until"): "it must lie ahead, and within a year",
    ("decide_posts", "#/posts"): "whose a post is, no schema can say",
    ("decide_posts", "#/measures"): FITTING,
    ("decide_posts", "#/rules"): CITED,
    ("decide_posts", "#/measures/*/name"): "a renaming gives another name or another handle",
    ("decide_posts", "#/measures/*/until"): "it must lie ahead",
}
# What a member is refused whatever they send; advisers, moderators and administrators do it.
NOT_FOR_MEMBERS = {
    "add_phrase",
    "add_concern_entry",
    "add_term",
    "announce",
    "add_resource",
    "attach_to_board",
    "attach_to_thread",
    "change_resource",
    "detach_from_board",
    "detach_from_thread",
    "remove_resource",
    "remove_term",
    "answer_public_report",
    "answer_service_complaint",
    "assign_post_of_report",
    "get_assessment",
    "get_assessment_archive",
    "list_assessments",
    "list_service_complaints",
    "list_waiting_reports",
    "archive_board",
    "assess_concern",
    "change_board",
    "claim_case",
    "close_concern",
    "close_talk",
    "count_cases",
    "decide_case",
    "decide_cases",
    "decide_disclosure",
    "decide_posts",
    "disclose_address",
    "discard_template",
    "dismiss_moderator",
    "end_announcement",
    "make_webhook",
    "list_webhooks",
    "get_webhook",
    "change_webhook",
    "remove_webhook",
    "renew_webhook_secret",
    "send_webhook_test",
    "list_webhook_deliveries",
    "drop_mail",
    "erase_concern",
    "exclude_lead",
    "explain_term",
    "get_account",
    "get_board_archive",
    "get_board_settings",
    "get_case",
    "get_concern",
    "get_danger_case",
    "get_rota",
    "add_known",
    "forget_known",
    "list_details",
    "list_known",
    "set_details",
    "write_rota",
    "say_here",
    "say_gone",
    "get_record",
    "get_term",
    "give_role",
    "hold_concern",
    "hold_member",
    "invite",
    "list_accounts",
    "list_board_settings",
    "list_setup_gaps",
    "make_board",
    "list_case_messages",
    "list_case_talks",
    "list_cases",
    "list_concern_audit",
    "list_concerns",
    "list_danger_cases",
    "list_holds",
    "list_invitations",
    "list_log",
    "list_member_notes",
    "claim_thread",
    "endorse_post",
    "add_answer_template",
    "change_answer_template",
    "delete_answer_template",
    "list_answer_templates",
    "leave_adviser_note",
    "list_adviser_notes",
    "mark_answered",
    "need_no_answer",
    "list_handover_notes",
    "leave_handover_note",
    "list_swept_posts",
    "settle_swept_post",
    "get_own_safety",
    "leave_categories_out",
    "list_contact_messages",
    "settle_contact_message",
    "list_member_posts",
    "list_phrases",
    "list_precision",
    "list_team",
    "list_terms",
    "list_refused_sign_ins",
    "list_templates",
    "list_unsent_mails",
    "list_waiting_threads",
    "lock_thread",
    "move_thread",
    "name_moderator",
    "note_case",
    "note_danger_case",
    "note_member",
    "open_member_case",
    "open_post_case",
    "order_boards",
    "pin_thread",
    "read_sealed_revision",
    "readmit_lead",
    "read_sealed_revision_in_case",
    "read_sealed_title",
    "read_sealed_title_in_case",
    "recuse_from_case",
    "release_case",
    "release_concern",
    "release_member",
    "remove_board_hours",
    "reopen_board",
    "reopen_concern",
    "set_board_hours",
    "reopen_talk",
    "replace_lost_mailbox",
    "review_concern",
    "sign_member_out",
    "switch_phrase_off",
    "switch_phrase_on",
    "take_role",
    "try_mail_again",
    "try_phrase",
    "switch_term_off",
    "try_term",
    "unlock_thread",
    "unpin_thread",
    "withdraw_invitation",
    "withdraw_lost_mailbox",
    "write_assessment",
    "write_rule",
    "write_template",
    "write_term",
    "write_to_member",
}
# What is refused to who has no invitation; tests/forum/ have one. A member who took an invitation up would be a member
# no longer.
NEED_AN_INVITATION = {"accept_invitation"}
# Of advisers alone, or of whoever opened the thread: none of the readers is one.
NEED_ANOTHER = {
    *("add_answer_template", "change_answer_template", "delete_answer_template", "list_answer_templates"),
    *("endorse_post", "leave_adviser_note", "mark_answered"),
}
# What they attach has been removed by then.
NEED_A_RESOURCE = {"attach_to_board", "attach_to_thread"}
# What is refused to who has no authenticator app or passkey at hand; test_second_factor.py and test_passkeys.py in
# tests/forum/authentication/ have one.
NEED_A_DEVICE = {
    "add_passkey",
    "confirm_second_factor",
    "remove_authenticator_app",
    "remove_passkey",
    "rename_passkey",
    "remove_second_factor",
    "renew_recovery_codes",
    "sign_in_by_passkey",
}


# Operations on something of their own: the parameter of the address, and which it is.
ELSEWHERE = {
    "exclude_lead": ("handle", "lead"),
    "readmit_lead": ("handle", "lead"),
    "decide_disclosure": ("disclosure_id", "disclosure"),
    "open_member_case": ("handle", "author"),
    "remove_webhook": ("id", "webhook"),  # not the one that is changed afterwards
}


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Ask for what there is, in every request that keeps to the document."""
    if not case.meta.generation.mode.is_positive:
        return
    path = case.operation.path
    if known := IDS.get(path) or IDS.get(path.partition("/{id}")[0]):
        case.path_parameters["id"] = known
    if token := IDS.get(_name(case)):
        case.body = {**case.body, "token": token}
    if _name(case) == "decide_cases" and IDS:
        one = IDS["/api/v1/moderation/cases"]
        case.body = {"decisions": [{**decision, "case_id": one} for decision in case.body["decisions"]]}
    if _name(case) == "decide_posts" and IDS:
        case.path_parameters["handle"] = IDS["author"]
        case.body = {**case.body, "posts": [{"id": int(IDS["advert"]), "revision": 1}]}
    if (named := ELSEWHERE.get(_name(case))) and IDS:
        case.path_parameters[named[0]] = IDS[named[1]]
    if _name(case) == "raise_concern" and IDS:
        case.body = {**case.body, "about": [IDS["author"]], "posts": [int(IDS["advert"])], "case_id": None}
    if _name(case) == "add_concern_entry" and IDS:
        case.body = {**case.body, "corrects": None}
    if _name(case) == "write_term" and TOKEN:  # under another text, there is one already
        [present, *_] = _present(case).get("items", [{"version": 1}])
        case.body = {**case.body, "text": "gobshite", "version": present["version"]}
    if _name(case) in {"change_board", "set_board_hours", "change_webhook"} and TOKEN:
        case.body = {**case.body, "version": _present(case).get("version", 1)}


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep a failure, unless it is a refusal that is expected."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return True
    # SEEN; and which years are near enough is no format.
    faults = [fault for fault in response.json()["errors"] if fault["code"] not in {"blank", "year_out_of_reach"}]
    pointers = [re.sub(r"/[0-9]+\b", "/*", fault["pointer"]) for fault in faults]
    return not all((_name(case), pointer) in EXPECTED for pointer in pointers)


@schemathesis.check
class EveryOperationIsReached:
    """A run in which everything was refused would prove nothing."""

    def __init__(self) -> None:
        self.tried: set[str] = set()
        self.reached: set[str] = set()

    def after_response(self, _context: Any, response: Any, case: Any) -> None:
        security = case.operation.definition.raw["security"]
        if LOGIN or not security or {} in security:
            self.tried.add(_name(case))
        if response.status_code < 400:
            self.reached.add(_name(case))

    def after_run(self, _context: Any) -> None:
        missed = self.tried - self.reached - NEED_A_DEVICE - NEED_AN_INVITATION - NEED_ANOTHER - NEED_A_RESOURCE
        assert not missed, f"always refused: {sorted(missed)}"


if LOGIN:

    @schemathesis.auth()
    class Member:
        """Signs in, and again when a request has ended the session."""

        def get(self, case: Any, _context: Any) -> str:
            if TOKEN:
                return TOKEN
            address = case.operation.schema.get_base_url() + "api/v1/sessions"
            token: str = FORUM.post(address, json={"login": LOGIN, "password": PASSWORD}).json()["token"]
            return token

        def set(self, case: Any, token: str, _context: Any) -> None:
            case.headers["Authorization"] = f"Bearer {token}"


def _present(case: Any) -> Any:
    """Return what is to be changed, as it is now; a problem where there is no such thing."""
    path = case.operation.path.removesuffix("/hours").format(**case.path_parameters)
    address = case.operation.schema.get_base_url().rstrip("/") + path
    return FORUM.get(address, headers={"Authorization": f"Bearer {TOKEN}"}).json()


def _name(case: Any) -> str:
    name: str = case.operation.definition.raw["operationId"]
    return name
