"""The second step: set up an app, get recovery codes, turn it off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from markupsafe import Markup
from pydantic import Field

from forum.authentication.second_factor import enrolment, totp
from forum.authentication.second_factor.enrolment import Enrolment
from forum.authentication.second_factor.tables import SecondFactorState
from forum.core.errors import ForumError
from forum.http.fields import Text
from forum.web.confirming import ConfirmPage
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit

router = page_router()

BACK = "/me/second-factor"
SCAN = mark("A picture for your app to scan")


class CodeForm(FormModel):
    """A code that the app shows."""

    code: Annotated[Text, Field(max_length=20)]


@dataclass(frozen=True, kw_only=True)
class SecondFactorPage(Page):
    """What is set up."""

    template: ClassVar[str] = "account/second_factor.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True

    state: SecondFactorState
    has_role: bool


@dataclass(frozen=True, kw_only=True)
class AppPage(FormPage):
    """The picture to scan and the field for the first code, once it was begun."""

    template: ClassVar[str] = "account/app.html"
    section: ClassVar[str] = "/me"

    begun: Enrolment | None
    picture: Markup | None

    @property
    def has_secret(self) -> bool:  # noqa: D102
        return True

    @property
    def groups(self) -> list[str]:
        """The secret in groups of four, to type in."""
        secret = self.begun.secret if self.begun else ""
        return [secret[start : start + 4] for start in range(0, len(secret), 4)]


@dataclass(frozen=True, kw_only=True)
class RecoveryCodesPage(Page):
    """New recovery codes: they are shown once."""

    template: ClassVar[str] = "account/recovery_codes.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    codes: Sequence[str]

    @property
    def has_secret(self) -> bool:  # noqa: D102
        return True


def recovery_codes_page(visit: Visit, codes: Sequence[str]) -> RecoveryCodesPage:
    """Return the page that shows new recovery codes."""
    return RecoveryCodesPage(title=visit.say("Your recovery codes"), codes=codes)


@router.get("/me/second-factor")
async def show_second_factor(visit: OwnVisit) -> Response:
    """Show what is set up."""
    state = await visit.act(enrolment.get_second_factor)
    has_role = visit.viewer.is_staff or visit.viewer.withheld
    return visit.show(SecondFactorPage(title=visit.say("The second step"), state=state, has_role=has_role))


@router.get("/me/second-factor/app")
async def show_app(visit: OwnVisit) -> Response:
    """Show the picture to scan, or the button to begin."""
    return visit.show(await _app_page(visit))


@router.post("/me/second-factor/app")
async def begin(visit: OwnForm) -> Response:
    """Begin to set up an app, or to move to another one."""
    await visit.act(enrolment.begin_enrolment)
    return visit.go("/me/second-factor/app")


@router.get("/me/second-factor/app/code")
async def find_app(visit: OwnVisit) -> Response:
    """Go to the picture: whoever had to sign in again comes back to where the code was sent."""
    return visit.go("/me/second-factor/app")


@router.post("/me/second-factor/app/code")
async def confirm(visit: OwnForm) -> Response:
    """Take the app with a first code of it, and show the recovery codes."""
    try:
        code = visit.form.parse(CodeForm).code
        codes = await enrolment.confirm_enrolment(visit.transactions, visit.viewer, code)
    except ForumError as error:
        return visit.show(await _app_page(visit.refusing(error)), 422)
    return visit.show(recovery_codes_page(visit, codes))


@router.get("/me/second-factor/codes")
async def show_renewal(visit: OwnVisit) -> Response:
    """Ask before new codes replace the earlier ones."""
    return visit.show(_renewal(visit))


@router.post("/me/second-factor/codes")
async def renew(visit: OwnForm) -> Response:
    """Show new recovery codes."""
    try:
        codes = await enrolment.renew_recovery_codes(visit.transactions, visit.viewer)
    except ForumError as error:
        return visit.show(_renewal(visit.refusing(error)), 422)
    return visit.show(recovery_codes_page(visit, codes))


@router.get("/me/second-factor/app/remove")
async def show_app_removal(visit: OwnVisit) -> Response:
    """Ask before the app is removed."""
    return visit.show(
        ConfirmPage(
            title=visit.say("Remove the app"),
            action="/me/second-factor/app/remove",
            words=(
                visit.say("Its codes do not work any more. Your passkeys stay. All your other devices are signed out."),
            ),
            button=visit.say("Remove the app"),
            back=BACK,
            back_words=visit.say("The second step"),
        )
    )


@router.post("/me/second-factor/app/remove")
async def remove_app(visit: OwnForm) -> Response:
    """Remove the app."""
    await visit.act(enrolment.remove_authenticator_app)
    return visit.go(BACK, done="app-off")


@router.get("/me/second-factor/off")
async def show_turning_off(visit: OwnVisit) -> Response:
    """Ask before the second step is turned off."""
    return visit.show(
        ConfirmPage(
            title=visit.say("Turn the second step off"),
            action="/me/second-factor/off",
            words=(
                visit.say(
                    "From then on your password is enough to sign in. The app, passkeys and recovery codes are removed."
                ),
                visit.say("If you have a role here, it does not count without a second step."),
            ),
            button=visit.say("Turn it off"),
            back=BACK,
            back_words=visit.say("The second step"),
        )
    )


@router.post("/me/second-factor/off")
async def turn_off(visit: OwnForm) -> Response:
    """Turn the second step off."""
    await visit.act(enrolment.turn_off_second_factor)
    return visit.go(BACK, done="second-step-off")


async def _app_page(visit: Visit) -> AppPage:
    begun = await visit.act(enrolment.find_begun_enrolment)
    picture = Markup(totp.qr_code(begun.uri, visit.say(SCAN))) if begun else None  # noqa: S704 - of segno
    return AppPage(title=visit.say("Set up an app"), form=visit.form, begun=begun, picture=picture)


def _renewal(visit: Visit) -> ConfirmPage:
    return ConfirmPage(
        title=visit.say("New recovery codes"),
        form=visit.form,
        action="/me/second-factor/codes",
        words=(visit.say("The codes that you have now do not work any more. The new ones are shown once."),),
        button=visit.say("Show new codes"),
        back=BACK,
        back_words=visit.say("The second step"),
    )
