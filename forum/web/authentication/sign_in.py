"""Sign in and out. What somebody wrote when their session had ended comes along, and is not lost."""

from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from fastapi import Response
from pydantic import Json

from forum.authentication import second_step, sessions
from forum.authentication import sign_in as authentication
from forum.authentication.sessions import Transport
from forum.content.crisis_help import Help
from forum.core.errors import ForumError, Invalid, NotSignedIn, SecondFactorNeeded
from forum.http.credentials import Assertion, as_json
from forum.http.current_member import address_of
from forum.http.fields import Password, Text
from forum.http.session_cookie import clear_site, kind_of_client, set_session_cookie
from forum.web.authentication.cookies import device_of, drop_step, keep_device, keep_step, step_of
from forum.web.forms import Form, FormModel
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import AnybodyVisit, Reading, ReadingForm, Visit, own_path

router = page_router()


class SignInForm(FormModel):
    """Who somebody is."""

    login: Text
    password: Password


class CodeForm(FormModel):
    """The second step: what an app shows, or a recovery code; or a passkey, as the script writes it."""

    code: Text | None = None
    credential: Json[Assertion] | None = None


class PasskeyForm(FormModel):
    """A passkey, as the script writes it."""

    credential: Json[Assertion]


@dataclass(frozen=True, kw_only=True)
class SignInPage(FormPage):
    """The form to sign in; with what was written before, if the session had ended."""

    template: ClassVar[str] = "authentication/sign_in.html"
    section: ClassVar[str] = "/sign-in"

    back: str = "/"
    kept_path: str = ""
    kept: Form | None = None
    login: str | None = None  # who is signed in already, and need not say it again
    help: Help | None = None  # where what was written before sounds like danger


@dataclass(frozen=True, kw_only=True)
class AgainPage(SignInPage):
    """The form for the password of somebody who is signed in, but not since a moment ago."""

    template: ClassVar[str] = "authentication/again.html"


@dataclass(frozen=True, kw_only=True)
class CodePage(SignInPage):
    """The second step: a code, or a passkey."""

    template: ClassVar[str] = "authentication/code.html"

    factors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KeptPage(Page):
    """What somebody wrote before they signed in again, to be sent with one button."""

    template: ClassVar[str] = "authentication/kept.html"
    is_own: ClassVar[bool] = True

    path: str
    back: str  # the page on which it was written
    kept: Form


def sign_in_page(
    visit: Visit, *, form: Form | None = None, kept: Form | None = None, kept_path: str = "", back: str = ""
) -> SignInPage:
    """Return the page to sign in; `kept` is what was sent to `kept_path` without a session, from the page `back`."""
    form = form or Form()
    back = own_path(back or _back(visit, form))
    return SignInPage(title=visit.say("Sign in"), form=form, back=back, kept=kept, kept_path=kept_path)


def again_page(
    visit: Visit, *, form: Form | None = None, kept: Form | None = None, kept_path: str = "", back: str = ""
) -> AgainPage:
    """Return the page that asks for the password once more, before something that a lent phone must not do."""
    return AgainPage(
        title=visit.say("Sign in once more"),
        form=form or Form(),
        back=own_path(back or "/"),
        kept=kept,
        kept_path=kept_path,
        login=visit.member.handle,
    )


@router.get("/sign-in")
async def show_sign_in(visit: Reading) -> Response:
    """Show the form to sign in."""
    return visit.show(sign_in_page(visit))


@router.post("/sign-in")
async def sign_in(visit: ReadingForm) -> Response:
    """Sign in, and go back to where one was; with a second factor, ask for it first."""
    try:
        wanted = visit.form.parse(SignInForm)
        attempt = authentication.PasswordSignIn(login=wanted.login, password=wanted.password, **_context(visit))
        opened = await authentication.sign_in(visit.transactions, attempt)
    except SecondFactorNeeded as needed:
        return _ask_second_step(visit, needed)
    except ForumError as error:
        return visit.show(_once_more(visit.refusing(error, NotSignedIn)), 422)
    return _welcome(visit, opened)


@router.get("/sign-in/code")
async def show_code(visit: Reading) -> Response:
    """Show the form of the second step, after a password that was right."""
    step = second_step.unseal(visit.settings, step_of(visit.request), visit.now)
    if step is None:
        return visit.go("/sign-in?" + urlencode({"back": _back(visit, visit.form)}))
    return visit.show(_code_page(visit, step.factors))


@router.post("/sign-in/code")
async def send_code(visit: ReadingForm) -> Response:
    """Sign in with the second step."""
    sealed = step_of(visit.request)
    step = second_step.unseal(visit.settings, sealed, visit.now)
    try:
        wanted = visit.form.parse(CodeForm)
        if wanted.code is None and wanted.credential is None:
            raise Invalid("Write the code first.", "#/code", code="required")
        passkey = as_json(wanted.credential) if wanted.credential else None
        attempt = authentication.SecondStepSignIn(step=sealed, code=wanted.code, passkey=passkey, **_context(visit))
        opened = await authentication.finish_sign_in(visit.transactions, attempt)
    except SecondFactorNeeded as wrong:
        return visit.show(_code_page(visit.refusing(_wrong_factor(wrong)), step.factors if step else ()), 422)
    except ForumError as error:
        # The time between the steps is over: begin with the password again, with what was written still there.
        refused = visit.refusing(error, NotSignedIn)
        return visit.show(_code_page(refused, step.factors) if step else _once_more(refused), 422)
    return _welcome(visit, opened)


@router.post("/sign-in/passkey")
async def sign_in_by_passkey(visit: ReadingForm) -> Response:
    """Sign in with a passkey alone."""
    try:
        wanted = visit.form.parse(PasskeyForm)
        attempt = authentication.PasskeySignIn(passkey=as_json(wanted.credential), **_context(visit))
        opened = await authentication.sign_in_by_passkey(visit.transactions, attempt)
    except ForumError as error:
        return visit.show(_once_more(visit.refusing(error, NotSignedIn)), 422)
    return _welcome(visit, opened)


@router.post("/sign-out")
async def sign_out(visit: AnybodyVisit) -> Response:
    """Sign out, and have the browser forget this site."""
    await visit.act(sessions.sign_out)
    response = visit.go("/", done="signed-out")
    clear_site(response)
    return response


def kept_of(form: Form) -> Form | None:
    """Return what was written before signing in: the fields of that form came along, each with a prefix."""
    values = {name.removeprefix("kept."): value for name, value in form.values.items() if name.startswith("kept.")}
    lists = {name.removeprefix("kept."): value for name, value in form.lists.items() if name.startswith("kept.")}
    return Form(values, lists) if values else None


def _context(visit: Visit) -> dict[str, Any]:
    return {
        "address": address_of(visit.request),
        "device": device_of(visit.request),
        "transport": Transport.COOKIE,
        "client": kind_of_client(visit.request.headers.get("user-agent", "")),
        "before": visit.member,
    }


def _back(visit: Visit, form: Form) -> str:
    return own_path(visit.query("back") or form.values.get("back", "/"))


def _kept_path(form: Form) -> str:
    return own_path(form.values.get("kept_path", ""))


def _once_more(visit: Visit) -> SignInPage:
    """Return the form once more: of somebody who is signed in, the one that asks for the password alone."""
    form, kept = visit.form, kept_of(visit.form)
    if visit.member.id is None:
        return sign_in_page(visit, form=form, kept=kept, kept_path=_kept_path(form))
    return again_page(visit, form=form, kept=kept, kept_path=_kept_path(form), back=_back(visit, form))


def _code_page(visit: Visit, factors: tuple[str, ...]) -> CodePage:
    return CodePage(
        title=visit.say("One more step"),
        form=visit.form if visit.form.error else Form(),
        back=_back(visit, visit.form),
        kept=kept_of(visit.form),
        kept_path=_kept_path(visit.form),
        factors=factors,
    )


def _ask_second_step(visit: Visit, needed: SecondFactorNeeded) -> Response:
    """Ask for the second step: on a page with an address of its own, unless what was written has to come along."""
    if kept_of(visit.form):
        response = visit.show(_code_page(visit, tuple(needed.facts["factors"])))
    else:
        response = visit.go("/sign-in/code?" + urlencode({"back": _back(visit, visit.form)}))
    keep_step(response, needed.step or "")
    return response


def _wrong_factor(wrong: SecondFactorNeeded) -> Invalid:
    is_passkey = wrong.facts.get("pointer") == "#/passkey"
    pointer, code = ("#/credential", "wrong_passkey") if is_passkey else ("#/code", "wrong_code")
    return Invalid(wrong.detail, pointer, code=code)


def _welcome(visit: Visit, opened: authentication.SignedIn) -> Response:
    """Go back to where one was, or show what was written, to be sent now."""
    if kept := kept_of(visit.form):
        title, path = visit.say("You are signed in again"), _kept_path(visit.form)
        response = visit.show(KeptPage(title=title, path=path, back=_back(visit, visit.form), kept=kept))
    else:
        response = visit.go(_back(visit, visit.form), done="signed-in")
    set_session_cookie(response, opened, visit.now)
    keep_device(response, opened.device)
    drop_step(response)
    return response
