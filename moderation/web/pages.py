"""What pages of moderation share: their place in the navigation, words for names, and what a form was sent with."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from forum.core.errors import Conflict, ForumError
from forum.core.idempotency import MemberKey, Repeat
from forum.http.problems import KINDS
from forum.web.pages import FormPage
from forum.web.visits import Visit
from moderation.case_priority import HEAVY
from moderation.web import words

SECTION = "/moderation"


@dataclass(frozen=True, kw_only=True)
class ModerationPage(FormPage):
    """A page for those who moderate."""

    section: ClassVar[str] = SECTION
    categories: ClassVar[Mapping[str, str]] = words.CATEGORIES
    heavy: ClassVar[frozenset[str]] = HEAVY
    kinds: ClassVar[Mapping[str, str]] = words.KINDS
    measures: ClassVar[Mapping[str, str]] = words.MEASURES
    taken: ClassVar[Mapping[str, str]] = words.TAKEN
    told: ClassVar[Mapping[str, str]] = words.TOLD
    standings: ClassVar[Mapping[str, str]] = words.STANDINGS
    visibilities: ClassVar[Mapping[str, str]] = words.VISIBILITIES
    findings: ClassVar[Mapping[str, str]] = words.FINDINGS
    signals: ClassVar[Mapping[str, str]] = words.SIGNALS
    parts: ClassVar[Mapping[str, str]] = words.PARTS
    outcomes: ClassVar[Mapping[str, str]] = words.OUTCOMES
    held_states: ClassVar[Mapping[str, str]] = words.HELD_STATES
    calls: ClassVar[Mapping[str, str]] = words.CALLS
    alarms: ClassVar[Mapping[str, str]] = words.ALARMS
    acts: ClassVar[Mapping[str, str]] = words.ACTS
    capacities: ClassVar[Mapping[str, str]] = words.CAPACITIES
    illegal_kinds: ClassVar[Mapping[str, str]] = words.ILLEGAL_KINDS
    subjects: ClassVar[Mapping[str, str]] = words.SUBJECTS

    @property
    def changed(self) -> ForumError | None:
        """What somebody else did meanwhile, if that is why a form was refused: with who did it and when."""
        error = self.form.error
        return error if isinstance(error, Conflict) and error.facts.get("changed_at") else None

    @property
    def named_rules(self) -> Collection[int]:
        """The numbers of the rules that stand at hand: those that somebody who reported it named."""
        return ()

    @property
    def shows_rules(self) -> bool:
        """Whether all other rules are shown at once, too: one was chosen, or something was not right."""
        is_other = any(number not in map(str, self.named_rules) for number in self.form.lists.get("rules", ()))
        return self.form.error is not None or is_other or bool(self.form.values.get("law"))

    def chose(self, name: str, value: object) -> bool:
        """Return whether a choice was ticked before the form was shown again."""
        return str(value) in self.form.lists.get(name, ())


def repeat_of(visit: Visit) -> Repeat:
    """Return the safe repeat of a form: the same words sent twice, by four taps or a slow line, are done once.

    What a page has as `seen` tells the same words, sent again later on purpose, from those.
    """
    digest = sha256(repr(sorted(visit.form.lists.items())).encode()).hexdigest()
    return MemberKey(visit.viewer.member_id, visit.request.url.path, digest, digest.encode())


def status_of(error: ForumError) -> int:
    """Return the status of a page that shows a form again, with why it was refused."""
    return next(KINDS[above].status for above in type(error).__mro__ if above in KINDS)
