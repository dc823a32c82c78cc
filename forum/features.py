"""One list: what each feature adds to jobs, schedule, clean-up, counts, copies of personal data and erasure.

Moderation has a list of its own (`moderation/features.py`), which whoever composes the forum joins to this one. It has
no HTTP, so that the worker loads none; `app.py` lists the routers.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from forum.administration import accounts, invitations
from forum.administration.webhooks import jobs as webhook_jobs
from forum.advising import claims, lateness, notes, sorting
from forum.authentication import arrivals, failed_sign_ins, handles, profiles, sessions
from forum.authentication.second_factor import passkeys
from forum.content import (
    addressed_help,
    announcements,
    board_cards,
    drafts,
    feeds,
    ignored,
    read_marks,
    recount,
)
from forum.content.endorsements import actions as endorsements
from forum.content.posts import quotes, tallies
from forum.content.reactions import actions as reactions
from forum.content.search import jobs as search_jobs
from forum.content.search import spelling
from forum.core import figures, idempotency, jobs, nightly_backups, rate_limits
from forum.core.figures import Figure
from forum.core.jobs import Errand, Handler, Job, Payload
from forum.core.kept_counts import KeptCount, WrongCount
from forum.core.settings import Settings
from forum.core.sweeps import Sweep
from forum.importers import forgetting
from forum.importers.own_past import export_own_past
from forum.mail import outbox
from forum.mail.outbox import MailHooks, MailSender
from forum.mail.tables import MailKind
from forum.members import departure, skeletons
from forum.notifications import advising as advising_told
from forum.notifications import backups as backups_told
from forum.notifications import letter_choices, letter_jobs, new_posts, thread_changes
from forum.notifications import reactions as reactions_told
from forum.notifications import webhooks as webhooks_told
from forum.notifications.inbox import NotificationKind
from forum.notifications.live_events import tables as live_events
from forum.privacy import account_deletion, erasure_jobs, export_contents, exports, handle_changes, lost_mailboxes
from forum.privacy.exports import ExportHook
from forum.privacy.personal_data_source import PersonalDataSource

CLEAN_UP = Job("tidy")

CleanUpHook = Callable[[AsyncSession, datetime], Awaitable[None]]


@dataclass(frozen=True)
class JobContext:
    """What the handlers of jobs are made with."""

    settings: Settings
    exports: Sequence[ExportHook]
    personal_data: PersonalDataSource
    mail_hooks: Mapping[MailKind, MailHooks]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A feature, by its module below `forum` or `moderation`, and what it adds; most add nothing."""

    name: str
    clean_up: CleanUpHook | None = None  # deletes what has expired; no read may need it
    export: ExportHook | None = None
    personal_data: PersonalDataSource | None = None
    jobs: Callable[[JobContext], Mapping[Job, Handler | Errand]] = field(default=lambda _context: {})
    schedule: Mapping[Job, str] = field(default_factory=dict)  # as cron writes it, in UTC
    sweeps: tuple[Sweep, ...] = ()
    mail_hooks: Mapping[MailKind, MailHooks] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()  # what monitoring reads of it
    counts: tuple[KeptCount, ...] = ()  # what it keeps, so that no read counts; in the order in which to mend them


def in_turn(*handlers: Handler) -> Handler:
    """Return one handler of these: for a job that several features wait for, in its one transaction."""

    async def handle(session: AsyncSession, payload: Payload, now: datetime) -> None:
        for handler in handlers:
            await handler(session, payload, now)

    return handle


# In the order in which a member reads them in their copy; what has no part in it comes last.
FEATURES: tuple[Feature, ...] = (
    Feature(name="authentication.profiles", export=export_contents.export_profile),
    Feature(name="content.posts", export=export_contents.export_posts, clean_up=tallies.add_up),
    Feature(
        name="content.posts.quotes",
        jobs=lambda _context: {quotes.RECORD_QUOTES: quotes.record_older_quotes},
        schedule={quotes.RECORD_QUOTES: "*/10 * * * *"},
    ),
    Feature(
        name="content.threads",
        export=export_contents.export_threads,
        counts=(recount.THREADS, recount.NAMES, recount.BOARDS, recount.REACTIONS),
    ),
    Feature(name="content.opening_hours"),
    Feature(name="importers.board_exports"),
    Feature(
        name="content.crisis_help",
        export=export_contents.export_addressed_help,
        clean_up=addressed_help.delete_past,
    ),
    Feature(name="content.drafts", export=export_contents.export_drafts, clean_up=drafts.delete_expired),
    Feature(name="content.read_marks", export=export_contents.export_read_marks, clean_up=read_marks.delete_old_marks),
    Feature(name="content.subscriptions", export=export_contents.export_subscriptions),
    Feature(name="content.bookmarks", export=export_contents.export_bookmarks),
    Feature(name="content.reactions", export=export_contents.export_reactions, clean_up=reactions.delete_leftovers),
    Feature(name="content.ignored", export=export_contents.export_ignored, clean_up=ignored.forget_former_members),
    Feature(
        name="content.search",
        export=export_contents.export_searches,
        jobs=lambda context: {
            search_jobs.INDEX_POST: search_jobs.index_post,
            search_jobs.SET_LANGUAGE: search_jobs.make_language_setter(context.settings),
            search_jobs.FORGET_SEARCHES: search_jobs.forget_searches,
            spelling.COLLECT_WORDS: spelling.collect_words,
        },
        schedule={
            search_jobs.SET_LANGUAGE: "*/5 * * * *",
            search_jobs.FORGET_SEARCHES: "*/5 * * * *",
            spelling.COLLECT_WORDS: "23 2 * * *",
        },
        sweeps=(
            Sweep("index_posts", search_jobs.index_posts, search_jobs.index_each_by_itself),
            Sweep("index_titles", search_jobs.index_titles, search_jobs.leave_titles),
        ),
    ),
    Feature(
        name="content.feeds",
        jobs=lambda _context: {feeds.NOTE_THREADS: feeds.note_threads},
        schedule={feeds.NOTE_THREADS: "*/5 * * * *"},
    ),
    Feature(name="notifications.inbox", export=export_contents.export_notifications),
    Feature(name="notifications.live_events", clean_up=live_events.delete_expired),
    Feature(
        name="notifications.letters",
        export=export_contents.export_letter_choice,
        clean_up=letter_choices.delete_expired,
        jobs=lambda _context: {
            letter_jobs.SEND_DUE: letter_jobs.send_due,
            letter_choices.TURN_OFF: letter_choices.turn_letters_off,
        },
        schedule={letter_jobs.SEND_DUE: "* * * * *"},
        mail_hooks={MailKind.NEWS: letter_jobs.HOOKS},
    ),
    Feature(name="authentication.sessions", export=export_contents.export_sessions, clean_up=sessions.delete_expired),
    Feature(
        name="authentication.second_factor.passkeys",
        export=export_contents.export_passkeys,
        clean_up=passkeys.delete_expired,
    ),
    Feature(name="importers.own_past", export=export_own_past),
    Feature(name="importers.forgetting", clean_up=forgetting.forget_old),
    Feature(name="authentication.failed_sign_ins", clean_up=failed_sign_ins.delete_expired),
    Feature(name="authentication.registration"),
    Feature(name="authentication.arrivals", export=export_contents.export_arrival, clean_up=arrivals.forget),
    Feature(name="authentication.email_addresses"),
    Feature(name="authentication.password_resets"),
    Feature(name="authentication.second_factor.enrolment"),
    Feature(name="administration.accounts", clean_up=accounts.delete_expired),
    Feature(name="administration.board_settings"),
    Feature(name="administration.setup"),
    Feature(name="administration.invitations", clean_up=invitations.delete_expired),
    Feature(name="administration.unsent_mail"),
    Feature(
        name="administration.webhooks",
        clean_up=webhook_jobs.delete_expired,
        jobs=lambda context: {
            webhook_jobs.DELIVER: webhook_jobs.WebhookSender(context.settings),
            webhook_jobs.END_DEAD: webhook_jobs.end_dead,
            webhook_jobs.TELL_OFF: webhooks_told.tell_administrators,
        },
        schedule={webhook_jobs.END_DEAD: "27 * * * *"},
        sweeps=(Sweep("queue_webhooks", webhook_jobs.queue_due, webhook_jobs.postpone_due),),
    ),
    Feature(
        name="advising.waiting_list",
        jobs=lambda _context: {sorting.SORT_WAITING: sorting.sort_waiting},
        schedule={sorting.SORT_WAITING: "* * * * *"},
    ),
    Feature(name="advising.answers"),
    Feature(
        name="advising.claims",
        jobs=lambda _context: {
            claims.END_CLAIMS: claims.end_claims,
            claims.TELL_CLAIM_ANSWERED: advising_told.make_adviser_teller(NotificationKind.CLAIM_ANSWERED),
            claims.TELL_CLAIM_ENDED: advising_told.make_adviser_teller(NotificationKind.CLAIM_ENDED),
        },
        schedule={claims.END_CLAIMS: "* * * * *"},
    ),
    Feature(
        name="advising.lateness",
        jobs=lambda context: {
            lateness.LOOK_FOR_LATE: lateness.make_late_finder(context.settings),
            lateness.TELL_LATE: advising_told.make_late_teller(NotificationKind.ANSWERS_LATE),
            lateness.TELL_VERY_LATE: advising_told.make_late_teller(NotificationKind.ANSWERS_VERY_LATE),
        },
        schedule={lateness.LOOK_FOR_LATE: "0 * * * *"},
    ),
    Feature(name="advising.answer_templates"),
    Feature(name="advising.notes", export=notes.export_own, clean_up=notes.delete_old),
    Feature(
        name="content.endorsements",
        jobs=lambda _context: {
            endorsements.END_ENDORSEMENTS: endorsements.end_endorsements,
            endorsements.TELL_ENDORSED: advising_told.make_author_teller(NotificationKind.ENDORSED),
            endorsements.TELL_ENDORSEMENT_ENDED: advising_told.make_author_teller(NotificationKind.ENDORSEMENT_ENDED),
        },
        schedule={endorsements.END_ENDORSEMENTS: "* * * * *"},
    ),
    Feature(name="content.announcements", clean_up=announcements.delete_expired),
    Feature(name="content.glossary"),
    Feature(name="content.resources"),
    Feature(name="content.boards", clean_up=board_cards.add_up),
    Feature(name="home"),
    Feature(name="core.idempotency", clean_up=idempotency.delete_expired),
    Feature(
        name="core.rate_limits",
        jobs=lambda _context: {rate_limits.FORGET_COUNTS: rate_limits.delete_expired},
        schedule={rate_limits.FORGET_COUNTS: "19 * * * *"},
    ),
    Feature(name="core.jobs", clean_up=jobs.delete_expired),
    Feature(
        name="core.nightly_backups",
        jobs=lambda context: {nightly_backups.LOOK_FOR_BACKUP: nightly_backups.NightlyBackup(context.settings)},
        schedule={nightly_backups.LOOK_FOR_BACKUP: "43 * * * *"},
        figures=nightly_backups.FIGURES,
    ),
    Feature(
        name="notifications.backups",
        jobs=lambda _context: {
            nightly_backups.TELL_BACKUP_FAILED: in_turn(
                backups_told.tell_administrators, webhook_jobs.tell_backup_failed
            )
        },
    ),
    Feature(
        name="mail.outbox",
        clean_up=outbox.delete_expired,
        figures=outbox.FIGURES,
        jobs=lambda context: {outbox.SEND: MailSender(context.settings, context.mail_hooks)},
    ),
    Feature(name="members.advisers"),
    Feature(name="members.cards"),
    Feature(
        name="members.skeletons",
        jobs=lambda _context: {skeletons.RENEW: skeletons.renew_skeletons},
        schedule={skeletons.RENEW: "7 3 * * *"},
    ),
    Feature(name="members.departure", clean_up=departure.delete_leftovers),
    Feature(
        name="privacy.exports",
        clean_up=exports.delete_expired,
        jobs=lambda context: {exports.MAKE: exports.make_exporter(context.exports)},
    ),
    Feature(
        name="privacy.account_deletion",
        jobs=lambda context: {
            account_deletion.DEPART: account_deletion.make_departer(context.personal_data),
            account_deletion.RUN_DUE_DELETIONS: account_deletion.run_due_deletions,
        },
        schedule={account_deletion.RUN_DUE_DELETIONS: "37 * * * *"},
    ),
    Feature(
        name="privacy.handle_changes",
        jobs=lambda context: {
            handles.REPLACE_HANDLE: handle_changes.make_handle_replacer(context.personal_data),
            handles.FORGET_HANDLE: handle_changes.make_handle_forgetter(context.personal_data),
            profiles.REPLACE_NAME: handle_changes.replace_name,
            handle_changes.REPLACE_NAME_IN_THREAD: handle_changes.replace_name_in_thread,
        },
    ),
    Feature(
        name="privacy.erasure_jobs",
        jobs=lambda context: {
            erasure_jobs.ERASE: erasure_jobs.make_eraser(context.personal_data),
            erasure_jobs.ERASE_IN_THREAD: erasure_jobs.make_thread_eraser(context.personal_data),
        },
    ),
    Feature(
        name="notifications.new_posts",
        jobs=lambda _context: {new_posts.TELL_OF_POST: new_posts.tell_of_post},
        sweeps=(Sweep("tell_of_posts", new_posts.tell_of_posts, new_posts.tell_each_by_itself),),
    ),
    Feature(
        name="notifications.reactions",
        jobs=lambda _context: {reactions.TELL_OF_REACTION: reactions_told.tell_author},
    ),
    Feature(name="notifications.thread_changes", jobs=lambda _context: thread_changes.make_tellers()),
    Feature(
        name="privacy.lost_mailboxes",
        clean_up=lost_mailboxes.delete_expired,
        jobs=lambda _context: {lost_mailboxes.REPLACE_DUE: lost_mailboxes.replace_due},
        schedule={lost_mailboxes.REPLACE_DUE: "*/10 * * * *"},
    ),
    Feature(name="privacy.legal_holds"),
)


def handlers_of(features: Sequence[Feature], settings: Settings) -> Mapping[Job, Handler | Errand]:
    """Return the handler of each job of these features, and of the clean-up of them all."""
    [personal_data] = [feature.personal_data for feature in features if feature.personal_data]
    export_hooks = [feature.export for feature in features if feature.export]
    mail_hooks = {kind: hooks for feature in features for kind, hooks in feature.mail_hooks.items()}
    context = JobContext(settings, export_hooks, personal_data, mail_hooks)
    found: dict[Job, Handler | Errand] = {CLEAN_UP: make_cleaner(features)}
    for feature in features:
        found |= feature.jobs(context)
    return found


def schedule_of(features: Sequence[Feature]) -> Mapping[Job, str]:
    """Return when each job runs that runs by the clock."""
    found = {CLEAN_UP: "17 * * * *"}
    for feature in features:
        found |= feature.schedule
    return found


async def compare_counts(session: AsyncSession, features: Sequence[Feature], *, mend: bool) -> Sequence[WrongCount]:
    """Return which counts that these features keep are not what counting gives; put them right where `mend` says so."""
    different: list[WrongCount] = []
    for feature in features:
        for kept in feature.counts:
            found = await kept.find_differences(session)
            if found and mend:
                await kept.mend(session)
            different += found
    return different


def sweeps_of(features: Sequence[Feature]) -> Sequence[Sweep]:
    """Return what a worker looks for again and again."""
    return [sweep for feature in features for sweep in feature.sweeps]


def figures_of(features: Sequence[Feature]) -> tuple[Figure, ...]:
    """Return what monitoring reads of the database: of the queue of jobs, and of each feature."""
    return (*figures.OF_CORE, *(figure for feature in features for figure in feature.figures))


def make_cleaner(features: Sequence[Feature]) -> Handler:
    """Return the job handler that has each feature delete what has expired."""

    async def clean_up(session: AsyncSession, _payload: Payload, now: datetime) -> None:
        for feature in features:
            if feature.clean_up:
                await feature.clean_up(session, now)

    return clean_up
