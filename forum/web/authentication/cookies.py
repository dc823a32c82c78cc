"""Cookies around signing in: a known device, and that the password was right a moment ago."""

from fastapi import Request, Response

from forum.authentication.second_step import LASTS
from forum.authentication.sessions import DEVICE_LASTS

# RFC 6265bis §4.1.3.2: this host only, over TLS only.
DEVICE = "__Host-forum-device"
STEP = "__Host-forum-step"
_LONGEST = 1000  # no cookie of ours is longer


def device_of(request: Request) -> str | None:
    """Return the token of a device that somebody signed in on before; the API calls it `device`."""
    return _of(request, DEVICE)


def keep_device(response: Response, device: str) -> None:
    """Remember the device: wrong passwords of others cannot lock its owner out on it. Signing out forgets it."""
    _set(response, DEVICE, device, int(DEVICE_LASTS.total_seconds()))


def step_of(request: Request) -> str:
    """Return the note that the password was right; an empty text without one."""
    return _of(request, STEP) or ""


def keep_step(response: Response, step: str) -> None:
    """Keep the note that the password was right until the code comes."""
    _set(response, STEP, step, int(LASTS.total_seconds()))


def drop_step(response: Response) -> None:
    """Delete that note: it has done what it was for."""
    response.delete_cookie(STEP, path="/", secure=True, httponly=True, samesite="strict")


def _of(request: Request, name: str) -> str | None:
    value = request.cookies.get(name)
    return value if value and len(value) <= _LONGEST else None


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="strict")
