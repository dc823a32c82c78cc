"""Sign in and out. What somebody wrote when their session had ended comes along, and is not lost."""

from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.authentication import sessions
from forum.authentication import sign_in as authentication
from forum.authentication.sessions import Transport
from forum.core.errors import ForumError
from forum.http.current_member import address_of
from forum.http.fields import Password, Text
from forum.http.session_cookie import clear_site, kind_of_client, set_session_cookie
from forum.web.forms import Form, FormModel
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import AnybodyVisit, Reading, ReadingForm, Visit, own_path

router = page_router()


class SignInForm(FormModel):
    """Who somebody is."""

    login: Text
    password: Password
    code: Text | None = None


@dataclass(frozen=True, kw_only=True)
class SignInPage(FormPage):
    """The form to sign in; with what was written before, if the session had ended."""

    template: ClassVar[str] = "authentication/sign_in.html"
    section: ClassVar[str] = "/sign-in"

    back: str = "/"
    kept_path: str = ""
    kept: Form | None = None
    asks_code: bool = False  # a second step is set up


@dataclass(frozen=True, kw_only=True)
class AgainPage(SignInPage):
    """The form for the password of somebody who is signed in, but not since a moment ago."""

    template: ClassVar[str] = "authentication/again.html"


@dataclass(frozen=True, kw_only=True)
class KeptPage(Page):
    """What somebody wrote before they signed in again, to be sent with one button."""

    template: ClassVar[str] = "authentication/kept.html"
    is_own: ClassVar[bool] = True

    path: str
    kept: Form


def sign_in_page(
    visit: Visit, *, form: Form | None = None, kept: Form | None = None, kept_path: str = ""
) -> SignInPage:
    """Return the page to sign in; `kept` is what was sent to `kept_path` without a session."""
    form = form or Form()
    back = own_path(visit.query("back") or form.values.get("back", "/"))
    return SignInPage(title=visit.say("Sign in"), form=form, back=back, kept=kept, kept_path=kept_path)


def again_page(visit: Visit, *, kept: Form | None = None, kept_path: str = "") -> AgainPage:
    """Return the page that asks for the password once more, before something that a lent phone must not do."""
    back = visit.path if kept is None else "/"
    return AgainPage(title=visit.say("Sign in once more"), back=own_path(back), kept=kept, kept_path=kept_path)


@router.get("/sign-in")
async def show_sign_in(visit: Reading) -> Response:
    """Show the form to sign in."""
    return visit.show(sign_in_page(visit))


@router.post("/sign-in")
async def sign_in(visit: ReadingForm) -> Response:
    """Sign in, and go back to where one was."""
    form, kept = visit.form, kept_of(visit.form)
    path = own_path(form.values.get("kept_path", ""))
    try:
        wanted = form.parse(SignInForm)
        attempt = authentication.PasswordSignIn(
            login=wanted.login,
            password=wanted.password,
            code=wanted.code,
            passkey=None,
            address=address_of(visit.request),
            device=None,
            transport=Transport.COOKIE,
            client=kind_of_client(visit.request.headers.get("user-agent", "")),
            before=visit.member,
        )
        opened = await authentication.sign_in(visit.transactions, attempt)
    except ForumError as error:
        return visit.show(sign_in_page(visit, form=form.refused(error), kept=kept, kept_path=path), 422)
    if kept is None:
        response = visit.go(own_path(form.values.get("back", "/")), done="signed-in")
    else:
        response = visit.show(KeptPage(title=visit.say("You are signed in again"), path=path, kept=kept))
    set_session_cookie(response, opened, visit.now)
    return response


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
