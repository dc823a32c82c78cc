"""What may show who somebody is, or where: numbers, places, records and names, in British English.

Each family of recognisers is a module, and returns spans of the kinds of `DetailKind`.
"""

from collections.abc import Iterator
from itertools import chain

from moderation.screening.finding import DetailKind, Finding, FindingKind
from moderation.screening.personal_information import names, numbers, places, records, schools, telephone
from moderation.screening.personal_information.spans import SIEVE, Recognised
from moderation.screening.sieve import Scan

VERSION = "3"  # raise it with every change: each finding says with which version it was made
_RANK = {kind: place for place, kind in enumerate(DetailKind)}


def find(text: str, region: str) -> list[Finding]:
    """Return what may show who somebody is; telephone numbers as they are dialled from `region` or from abroad."""
    kind = FindingKind.PERSONAL_INFORMATION
    return [
        Finding(kind, span.start, span.end, span.recogniser, VERSION)
        for span in _apart(_spans(SIEVE.scan(text), region))
    ]


def _spans(scan: Scan, region: str) -> Iterator[Recognised]:
    yield from places.find_emails(scan)
    yield from telephone.find(scan, region)
    yield from records.find_handles(scan)
    if region == "GB":
        yield from chain(
            numbers.find(scan),
            numbers.find_vehicles(scan),
            records.find_courts(scan),
            records.find_police(scan),
            records.find_dates(scan),
            places.find_addresses(scan),
            places.find_postcodes(scan),
            schools.find(scan),
            names.find_professionals(scan),
            names.find_children(scan),
            names.find_people(scan),
        )


def _apart(spans: Iterator[Recognised]) -> list[Recognised]:
    """Return the spans without those that overlap one that counts more, in the order of the text."""
    taken, kept = set[int](), list[Recognised]()
    for span in sorted(spans, key=lambda one: (_RANK[DetailKind(one.recogniser)], one.start, -one.end)):
        places_of = range(span.start, span.end)
        if taken.isdisjoint(places_of):
            taken.update(places_of)
            kept.append(span)
    return sorted(kept, key=lambda one: one.start)
