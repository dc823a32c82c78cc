"""When letters leave: once a day at the member's hour, never in their quiet hours, whatever the clocks do."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forum.core.weekly_hours import known_zones
from forum.notifications import letter_times
from forum.notifications.letter_times import LetterMode, LetterTimes, first_free, is_quiet, next_time

ZONES = (
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Chatham",
    "Pacific/Kiritimati",  # +14
    "Etc/GMT+12",
    "Etc/GMT-14",
    "Pacific/Apia",  # left out 30 December 2011
    "Africa/Casablanca",
    "Antarctica/Troll",  # two hours
)
MOMENTS = st.dates(date(2010, 1, 1), date(2037, 1, 1)).flatmap(
    lambda day: st.times().map(lambda hour: datetime.combine(day, hour, UTC))
)


def daily(at: time, zone: str = "Europe/London", quiet: tuple[time, time] | None = None) -> LetterTimes:
    return LetterTimes(LetterMode.DAILY, at, zone, *(quiet or ()))


def letters(times: LetterTimes, since: datetime, until: datetime) -> list[datetime]:
    """When letters leave to somebody who is told something at every moment."""
    found = [next_time(times, since)]
    while found[-1] < until:
        found.append(next_time(times._replace(sent_at=found[-1]), found[-1]))
    return found[:-1]


def local(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime("%d.%m. %H:%M")


def test_a_letter_at_an_hour_that_a_night_does_not_have_comes_when_it_would_have_been() -> None:
    sent = letters(daily(time(1, 30)), datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC))
    assert [local(moment, "Europe/London") for moment in sent] == ["28.03. 01:30", "29.03. 02:30", "30.03. 01:30"]


def test_a_letter_at_an_hour_that_a_night_has_twice_comes_once() -> None:
    sent = letters(daily(time(1, 30)), datetime(2026, 10, 23, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC))
    assert [local(moment, "Europe/London") for moment in sent] == ["24.10. 01:30", "25.10. 01:30", "26.10. 01:30"]
    assert sent[1] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_day_that_a_zone_left_out_has_no_letter() -> None:
    times = daily(time(10), "Pacific/Apia")
    sent = letters(times, datetime(2011, 12, 29, 0, tzinfo=UTC), datetime(2012, 1, 1, 12, tzinfo=UTC))
    assert [local(moment, "Pacific/Apia") for moment in sent] == [
        "29.12. 10:00",
        "31.12. 10:00",
        "01.01. 10:00",
    ]


@settings(max_examples=50)
@given(
    zone=st.one_of(st.sampled_from(ZONES), st.sampled_from(sorted(known_zones()))),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    start=st.dates(date(1990, 1, 1), date(2037, 1, 1)),
)
def test_each_day_has_one_daily_letter(zone: str, at: time, start: date) -> None:
    since = datetime.combine(start, time(), UTC)
    sent = letters(daily(at, zone), since, since + timedelta(days=370))
    here = ZoneInfo(zone)
    # What a clock shows an instant before the letter and an hour that may have been left out: the hour is the member's.
    wanted = {day: datetime.combine(day, at, here).astimezone(UTC) for day in _days(start, 372)}
    assert sent == sorted({moment for moment in wanted.values() if since < moment < since + timedelta(days=370)})
    assert all(later - earlier >= timedelta(hours=20) for earlier, later in pairwise(sent))


def _days(start: date, count: int) -> list[date]:
    return [start + timedelta(days) for days in range(-1, count)]


@given(
    zone=st.sampled_from(ZONES),
    quiet=st.tuples(st.times(), st.times()).filter(lambda quiet: quiet[0] != quiet[1]),
    now=MOMENTS,
    mode=st.sampled_from([LetterMode.SOON, LetterMode.DAILY]),
)
def test_no_letter_leaves_in_quiet_hours(zone: str, quiet: tuple[time, time], now: datetime, mode: LetterMode) -> None:
    times = LetterTimes(mode, time(10), zone, *quiet)
    assert not is_quiet(times, next_time(times, now))
    assert not is_quiet(times, first_free(times, now))
    assert now <= first_free(times, now) <= now + timedelta(days=2)


@given(
    zone=st.sampled_from(ZONES),
    now=MOMENTS,
)
def test_soon_is_after_ten_minutes_and_never_more_than_eight_a_day(zone: str, now: datetime) -> None:
    times = LetterTimes(LetterMode.SOON, time(10), zone)
    assert next_time(times, now) == now + letter_times.SOON
    assert len(letters(times, now, now + timedelta(days=1))) == 8


@pytest.mark.parametrize("mode", [LetterMode.SOON, LetterMode.DAILY])
def test_a_pause_is_a_pause(mode: LetterMode) -> None:
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    until = datetime(2026, 7, 14, 7, tzinfo=UTC)
    times = LetterTimes(mode, time(10), "Europe/London", time(22), time(8), paused_until=until)
    assert next_time(times, now) == {LetterMode.SOON: until, LetterMode.DAILY: until + timedelta(hours=2)}[mode]


def test_a_letter_that_was_late_waits_for_the_end_of_the_night() -> None:
    times = daily(time(10), quiet=(time(22), time(8)))
    assert first_free(times, datetime(2026, 7, 1, 22, 30, tzinfo=UTC)) == datetime(2026, 7, 2, 7, tzinfo=UTC)


def test_a_zone_that_is_no_longer_known_is_that_of_london() -> None:
    assert next_time(daily(time(10), "Atlantis/Centre"), datetime(2026, 1, 1, tzinfo=UTC)) == datetime(
        2026, 1, 1, 10, tzinfo=UTC
    )
