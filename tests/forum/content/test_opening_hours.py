"""When a board is open: by the clock of its zone, over midnight, on days of closing, when clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from forum.content.opening_hours import Opening, OpeningHours, Outside
from forum.core.weekly_hours import WEEK, WeeklyHours, known_zones

LONDON = "Europe/London"
WORKDAYS = WEEK[:5]
HOLD = Outside.HOLD_ALL
OFFICE = WeeklyHours(WORKDAYS, time(9), time(17))
NIGHT = WeeklyHours(WEEK, time(22), time(2))


def hours(*week: WeeklyHours, zone: str = LONDON, closed: tuple[str, ...] = ()) -> OpeningHours:
    return OpeningHours(zone, week, frozenset(map(date.fromisoformat, closed)), HOLD)


def at(moment: str) -> datetime:
    """A moment of UTC."""
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


# A board's hours, a moment, whether it is open then, and until when that is so.
TABLE = (
    # 9 to 5 on weekdays, in winter. 2026-11-27 is a Friday.
    (hours(OFFICE), "2026-11-27T08:59:59", False, "2026-11-27T09:00"),
    (hours(OFFICE), "2026-11-27T09:00", True, "2026-11-27T17:00"),
    (hours(OFFICE), "2026-11-27T17:00", False, "2026-11-30T09:00"),
    # Over midnight: the morning belongs to the evening before.
    (hours(NIGHT), "2026-11-28T01:59", True, "2026-11-28T02:00"),
    (hours(NIGHT), "2026-11-28T02:00", False, "2026-11-28T22:00"),
    (hours(WeeklyHours(("friday",), time(22), time(2))), "2026-11-28T01:00", True, "2026-11-28T02:00"),
    (hours(WeeklyHours(("friday",), time(22), time(2))), "2026-11-27T01:00", False, "2026-11-27T22:00"),
    # Hours that meet or overlap are one.
    (hours(OFFICE, WeeklyHours(WORKDAYS, time(17), time(20))), "2026-11-27T10:00", True, "2026-11-27T20:00"),
    (hours(OFFICE, WeeklyHours(("friday",), time(8), time(18))), "2026-11-27T10:00", True, "2026-11-27T18:00"),
    # Day and night: nobody needs to know when that ends.
    (hours(WeeklyHours(WEEK, time(0), time(0))), "2026-11-27T10:00", True, None),
    # Closed days: none of the hours begin, those of the evening before go on.
    (hours(OFFICE, closed=("2026-11-27",)), "2026-11-27T10:00", False, "2026-11-30T09:00"),
    (hours(NIGHT, closed=("2026-11-28",)), "2026-11-28T01:00", True, "2026-11-28T02:00"),
    (hours(NIGHT, closed=("2026-11-28",)), "2026-11-28T23:00", False, "2026-11-29T22:00"),
    # The clocks go back: 25 October 2026, at 2 in the morning of British Summer Time.
    (hours(OFFICE), "2026-10-23T08:00", True, "2026-10-23T16:00"),
    (hours(OFFICE), "2026-10-24T12:00", False, "2026-10-26T09:00"),
    (hours(WeeklyHours(("sunday",), time(0), time(4))), "2026-10-25T01:30", True, "2026-10-25T04:00"),
    (hours(WeeklyHours(("sunday",), time(1, 30), time(4))), "2026-10-25T00:29", False, "2026-10-25T00:30"),
    # They go forward: 29 March 2026, at 1 in the morning.
    (hours(WeeklyHours(("sunday",), time(0), time(4))), "2026-03-29T02:59", True, "2026-03-29T03:00"),
    (hours(WeeklyHours(("sunday",), time(1, 30), time(4))), "2026-03-29T01:29", False, "2026-03-29T01:30"),
    # What is left of the hour that there is not: nothing, until the next Sunday.
    (hours(WeeklyHours(("sunday",), time(1, 30), time(2, 15))), "2026-03-29T00:00", False, "2026-04-05T00:30"),
    # The ends of the world: 14 hours before UTC, and 11 behind it.
    (hours(OFFICE, zone="Pacific/Kiritimati"), "2026-11-26T19:00", True, "2026-11-27T03:00"),
    (hours(OFFICE, zone="Pacific/Kiritimati"), "2026-11-27T04:00", False, "2026-11-29T19:00"),
    (hours(OFFICE, zone="Pacific/Pago_Pago"), "2026-11-28T03:00", True, "2026-11-28T04:00"),
    (hours(OFFICE, zone="Pacific/Pago_Pago"), "2026-11-28T04:00", False, "2026-11-30T20:00"),
)


def test_when_a_board_is_open() -> None:
    for one, moment, is_open, until in TABLE:
        assert one.at(at(moment)) == Opening(is_open, at(until) if until else None, HOLD), (one, moment)


def test_however_many_days_are_closed_the_next_opening_is_found() -> None:
    mondays = [date(2026, 11, 30) + timedelta(weeks=number) for number in range(100)]
    once = OpeningHours(LONDON, [WeeklyHours(("monday",), time(9), time(10))], frozenset(mondays), HOLD)
    opening = once.at(at("2026-11-27T10:00"))
    assert not opening.is_open
    assert opening.until == datetime(2028, 10, 30, 9, tzinfo=ZoneInfo(LONDON))


@settings(deadline=None, max_examples=200)
@given(
    zone=st.sampled_from(sorted(known_zones())),
    week=st.lists(
        st.builds(
            WeeklyHours,
            st.lists(st.sampled_from(WEEK), min_size=1, max_size=7, unique=True),
            st.times().map(lambda hour: hour.replace(second=0, microsecond=0)),
            st.times().map(lambda hour: hour.replace(second=0, microsecond=0)),
        ),
        min_size=1,
        max_size=4,
    ),
    closed=st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=20),
    now=st.integers(0, 365 * 24 * 60).map(lambda minutes: at("2026-01-01") + timedelta(minutes=minutes)),
)
def test_what_is_promised_is_kept(zone: str, week: list[WeeklyHours], closed: frozenset[date], now: datetime) -> None:
    """It stays as it is until the moment that is named, and is otherwise from then on; and JSON keeps all of it."""
    one = OpeningHours(zone, week, closed, HOLD)
    assert OpeningHours.of_json(one.as_json()).at(now) == one.at(now)
    opening = one.at(now)
    if opening.until is None:
        assert opening.is_open
        return
    assert opening.until > now
    assert one.at(opening.until - timedelta(seconds=1)).is_open == opening.is_open
    assert one.at(opening.until).is_open != opening.is_open
