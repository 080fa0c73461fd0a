"""Why signing in through the provider did not work: a sentence for the person, another for the log."""

from __future__ import annotations

from enum import Enum

from django.utils.translation import gettext_lazy as _


class Why(Enum):
    EXPIRED = "expired"
    DENIED = "denied"
    INACTIVE = "inactive"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"


STATUS = {Why.EXPIRED: 400, Why.DENIED: 403, Why.INACTIVE: 403, Why.UNREACHABLE: 503, Why.REFUSED: 502}
SENTENCES = {
    Why.EXPIRED: _(
        "This sign-in was begun more than ten minutes ago or in another browser, or it is over already. "
        "Please try again."
    ),
    Why.DENIED: _("The sign-in service did not let you in, or you did not agree to be named to this site."),
    Why.INACTIVE: _("Your account on this site is closed. Please ask an administrator."),
    Why.UNREACHABLE: _("The sign-in service cannot be reached. Please try again in a few minutes."),
    Why.REFUSED: _(
        "The sign-in service gave an answer that this site cannot accept. Please tell an administrator: "
        "the log of this site says why."
    ),
}


class SignOnFailed(Exception):
    """Nobody is signed in. detail: for the log, never for the page."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"{why.value}: {detail}"[:1000])
        self.why = why
