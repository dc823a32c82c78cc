"""Which mails that come back count: reports of letters that can never be delivered, by the letter's own secret."""

import time
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from forum.mail import templates
from forum.mail.returned import LARGEST, find_off_token
from forum.mail.smtp import IN_ANY_SCRIPT

TOKEN = "bTk2cXhwUGx3c0p0YQ"
LETTER = templates.compose(
    templates.NEWS,
    "no-reply@example.org",
    "heron@example.com",
    datetime(2026, 11, 1, tzinfo=UTC),
    "https://forum.example.org/",
    off_link=f"https://forum.example.org/unsubscribe/{TOKEN}",
).as_bytes(policy=IN_ANY_SCRIPT)


REPORT = """\
From: MAILER-DAEMON@example.net
Subject: Undelivered
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Sorry. Action: failed

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.net

Final-Recipient: rfc822; heron@example.com
{status}

--b
Content-Type: {kind}

"""


def report(
    status: str = "Action: failed\nStatus: 5.1.1", returned: bytes = LETTER, kind: str = "message/rfc822"
) -> bytes:
    """What a mail server writes, as RFC 3464 has it; its subject and words differ from server to server."""
    return REPORT.format(status=status, kind=kind).encode() + returned + b"\n--b--\n"


def test_a_report_of_a_letter_that_cannot_be_delivered_counts() -> None:
    headers = LETTER.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    assert find_off_token(report()) == TOKEN
    assert find_off_token(report(returned=headers, kind="text/rfc822-headers")) == TOKEN
    assert find_off_token(report("action: Failed\nStatus:  5.2.2 (mailbox full for good)")) == TOKEN
    assert find_off_token(report().replace(b"\n", b"\r\n")) == TOKEN
    assert find_off_token(report(returned=headers.replace(b": <", b":\n <"))) == TOKEN
    assert find_off_token(report() + b"x" * 20 * LARGEST) == TOKEN
    # To an address in any script (RFC 6533).
    assert find_off_token(report(kind="message/global").replace(b"/delivery", b"/global-delivery")) == TOKEN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00\xfe",
        LETTER,  # somebody answered with the letter itself
        report("Action: delayed\nStatus: 4.4.1"),
        report("Action: failed\nStatus: 4.4.1"),
        report("Action: delivered\nStatus: 2.0.0"),
        report(returned=b"Subject: another mail\n\nHello"),
        report(returned=b"", kind="message/rfc822"),
        report(returned=LETTER, kind="text/plain"),
        report().decode().encode("utf-16"),
        report()[: len(report()) // 3],
        b"x" * LARGEST + report(),
    ],
)
def test_no_other_mail_counts(content: bytes) -> None:
    assert find_off_token(content) is None


NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(200))
HEADERS = (b"Content-Type: ", b"Action: ", b"Status: ", b"List-Unsubscribe: ", b"")


@pytest.mark.parametrize(
    "content",
    [
        NESTED + b"\n" * LARGEST,
        b"Content-Type: message/rfc822\n\n" * 30_000,
        b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\nContent-Type: message/rfc822\n\n" * 30_000,
        b"Content-Type: message/delivery-status\n\n" + b"Action: failed\n\n" * 60_000,
        *(
            b"--b\nContent-Type: message/delivery-status\n\n" + header + filling * (LARGEST // 4 // len(filling))
            for header in HEADERS
            for filling in (
                b"=?utf-8?q?a?= ",
                b"; a=b",
                b'";',
                b"(",
                b"<",
                b"/unsubscribe/",
                b" ",
                b"\n ",
                b"-",
                b"a: b\n",
            )
        ),
    ],
)
def test_whoever_writes_a_mail_for_it_to_choke_on_keeps_it_busy_for_no_time(content: bytes) -> None:
    begun = time.process_time()
    assert find_off_token(content) is None
    assert time.process_time() - begun < 2  # some hundredths; of a parser that such mails choke, minutes


def test_a_holiday_notice_is_no_report() -> None:
    notice = EmailMessage()
    notice["Auto-Submitted"] = "auto-replied"
    notice.set_content(f"I am away. <https://forum.example.org/unsubscribe/{TOKEN}>\nAction: failed\nStatus: 5.0.0")
    assert find_off_token(notice.as_bytes()) is None
