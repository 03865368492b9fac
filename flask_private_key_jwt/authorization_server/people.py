"""Who is signed in, where people sign in, and how they are asked: the application says it, or Flask-Login does."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import flask
from flask.typing import ResponseReturnValue

from ..database.deadline import outside_budget
from ..errors import ConfigurationError
from .authorization.interaction import ConsentPage, Person, SignIn, find_subject
from .tokens.user_claims import UserClaims
from .wording.descriptions import DescribeScope

UserLoader = Callable[[], Any]
"""The user of the current browser session, or ``None``."""
SignInPage = Callable[[SignIn], ResponseReturnValue]
"""Sends the browser to where people sign in."""
SignOut = Callable[[], Any]
"""Ends the application's own session of the current browser; what it returns does not matter."""
FindAccounts = Callable[[], Iterable[Any]]
"""The users among whom the person at the current browser may choose."""
FindDID = Callable[[Any], str]
"""A user -> the DID of their account."""
ConsentView = Callable[[ConsentPage], ResponseReturnValue]
"""Shows a page whose form sends the decision back."""


class Browser(Protocol):
    """What is known of the browser of the current request."""

    @property
    def auth_time(self) -> int | None:
        """When the person signed in, in seconds since the epoch; ``None``: nobody noted it."""

    def forget(self) -> None:
        """Forget that somebody signed in."""


@dataclass(slots=True)
class People:
    """What the application declares about its people; shared by its apps."""

    load_user: UserLoader | None = None
    sign_in: SignInPage | None = None
    consent: ConsentView | None = None
    sign_out: SignOut | None = None
    claims: UserClaims | None = None
    find_did: FindDID | None = None
    find_accounts: FindAccounts | None = None
    describe_scope: DescribeScope | None = None

    def are_known(self, app: flask.Flask) -> bool:
        """Whether *app* has people at all: it says who they are, or Flask-Login does."""
        return self.load_user is not None or hasattr(app, "login_manager")

    def can_be_signed_out(self, app: flask.Flask) -> bool:
        """Whether *app* says how people sign out: it registered a function, or its people are Flask-Login's."""
        # If the application has a user loader of its own, Flask-Login's logout would leave that user signed in, while
        # our page says that nobody is.
        return self.sign_out is not None or (self.load_user is None and hasattr(app, "login_manager"))

    def sign_out_person(self, session: Browser) -> None:
        """Sign out the person who is signed in at this browser."""
        (self.sign_out or _sign_out_of_flask_login)()
        session.forget()

    def find_person(self, session: Browser) -> Person | None:
        """Who is signed in at this browser, if anybody is.

        :raises ConfigurationError: The user has no id.
        """
        with outside_budget():
            user = (self.load_user or _load_user_of_flask_login)()
            # Flask-Login's anonymous user is an object too, and so is a proxy that stands for nobody.
            if user is None or not getattr(user, "is_authenticated", True):
                return None
            subject = self.find_subject(user)
        return Person(subject, user, session.auth_time)

    def find_subject(self, user: Any) -> str:
        """The ``sub`` of one of the application's users.

        :raises ConfigurationError: The user has no id.
        """
        return find_subject(user) if self.find_did is None else self.find_did(user)

    def find_others(self, person: Person) -> dict[str, Any]:
        """The ``sub`` of each other account that the person may choose -> its user.

        :raises ConfigurationError: A user has no id.
        """
        with outside_budget():
            users = [] if self.find_accounts is None else [*self.find_accounts()]
            # A browser may remember an account that is deleted by now: the application finds no user for it.
            named = {self.find_subject(user): user for user in users if user is not None}
        return {subject: user for subject, user in named.items() if subject != person.subject}

    def send_to_sign_in(self, sign_in: SignIn) -> ResponseReturnValue:
        """Send the browser to where people sign in.

        :raises ConfigurationError: The application has not said where that is.
        """
        return (self.sign_in or _send_to_login_view)(sign_in)

    def ask_for_consent(self, page: ConsentPage) -> ResponseReturnValue:
        """Ask the person; the application may have a page of its own, or only a template."""
        if self.consent is not None:
            return self.consent(page)
        return flask.render_template("private_key_jwt/consent.html", page=page)


def _load_user_of_flask_login() -> Any:
    from flask_login import current_user

    return current_user


def _sign_out_of_flask_login() -> None:
    from flask_login import logout_user

    logout_user()


def _send_to_login_view(sign_in: SignIn) -> ResponseReturnValue:
    manager = getattr(flask.current_app, "login_manager", None)
    if manager is None or manager.login_view is None:
        raise ConfigurationError(
            "Nobody said where people sign in: set login_manager.login_view, or use @oauth.sign_in."
        )
    from flask_login import login_url, logout_user

    if sign_in.reauthenticate:
        logout_user()  # a login view redirects a person who is signed in already
    return flask.redirect(login_url(manager.login_view, sign_in.return_url), 303)
