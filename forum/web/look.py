"""How pages look on one device: text size, colours, language, neutral titles. A cookie of its own, no account."""

from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response

COOKIE = "__Host-forum-look"  # RFC 6265bis §4.1.3.2: this host only, over TLS only
YEAR = 365 * 24 * 3600
CHOICES = {
    "size": ("", "large", "larger"),
    "colours": ("", "light", "dark"),
    "titles": ("", "neutral"),
}


@dataclass(frozen=True)
class Look:
    """What was chosen on this device. An empty text leaves it to the device: its colours, its language."""

    size: str = ""
    colours: str = ""
    titles: str = ""
    language: str = ""


def look_of(request: Request, languages: tuple[str, ...]) -> Look:
    """Return what was chosen on this device; what the cookie has beyond the choices is ignored."""
    return chosen(dict(parse_qsl(request.cookies.get(COOKIE, "")[:200])), languages)


def chosen(values: dict[str, str], languages: tuple[str, ...]) -> Look:
    """Return the look of these values, of which those that are no choice are left out."""
    known = {name: values.get(name, "") for name in CHOICES if values.get(name) in CHOICES[name]}
    language = values.get("language", "")
    return Look(**known, language=language if language in languages else "")


def keep(response: Response, look: Look) -> None:
    """Set the cookie of a look, for a year."""
    value = urlencode({name: choice for name, choice in asdict(look).items() if choice})
    response.set_cookie(COOKIE, value, max_age=YEAR, path="/", secure=True, httponly=True, samesite="lax")
