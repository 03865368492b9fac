"""Decides what a person has to do before a code is issued (OpenID Connect Core §3.1.2.3, §3.1.2.4). No HTTP."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ...errors import ConfigurationError, ConsentRequired, LoginRequired
from ..readable_text import find_short_name
from ..redirect_uri import is_claimed, is_on_device
from ..registered_client import RegisteredClient
from ..registered_uris import find_picture_origin
from ..stores.granted import Consent
from ..tokens.id_token import OPENID
from ..wording.descriptions import Wording
from .parameters import AuthorizationRequest
from .response import name_place

MAX_SUBJECT_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in."""

    subject: str
    """The ``sub`` of their tokens; nobody else ever gets the same (RFC 9068 §2.2)."""
    user: Any = field(repr=False)
    """The application's own object."""
    auth_time: int | None
    """When they signed in, in seconds since the epoch; ``None``: the application has not noted it."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the application's sign-in page needs to know."""

    return_url: str
    """Where to send the browser afterwards: a path of this app, with a query."""
    client: RegisteredClient | None
    """Which client sent the person; ``None``: none did, they want to see their connected applications."""
    login_hint: str | None
    """Who the person is, as the client thinks; an unverified string from the request."""
    reauthenticate: bool
    """Whether somebody has to sign in even if a person is signed in now."""
    ui_locales: tuple[str, ...] = ()
    """The languages that the client asks for, as language tags, the best first (OpenID Connect Core §3.1.2.1)."""
    account: Any = field(default=None, repr=False)
    """The user whom the person chose of those that ``@oauth.accounts`` named; ``None``: any user may sign in."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account that a person may choose."""

    value: str
    """What the form sends as ``decision`` to choose it."""
    name: str
    """How the person knows it: its ``name``, ``username`` or ``email``, otherwise its id."""
    email: str | None
    """Its ``email``, unless that is its name already."""
    is_signed_in: bool
    """Whether this one is signed in now."""


@dataclass(frozen=True, slots=True)
class AccountPage:
    """What the page shows on which a person chooses an account (``prompt=select_account``), and what its form sends.

    The form posts ``decision_token`` and ``decision`` to :attr:`action`: the ``value`` of one of :attr:`accounts`, or
    ``switch_account`` for any other.
    """

    client: RegisteredClient
    """Which client asks."""
    accounts: tuple[Account, ...]
    """The account that is signed in, and after it the others that ``@oauth.accounts`` named."""
    action: str
    """Where the form is posted to: a path of this app."""
    decision_token: str = field(repr=False)
    """Ties the decision to this request, this person and this browser session."""
    is_vouched_for: bool = False
    """Whether the operator stands behind the client; otherwise nobody has verified what it says about itself."""

    @property
    def document_host(self) -> str | None:
        """The host of the document that registers the client, with its port; ``None``: there is none."""
        return find_document_host(self.client)


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """What a consent page shows, and what its form sends back.

    The form posts ``decision_token`` and ``decision``, which is ``allow`` or anything else, to :attr:`action`.
    """

    client: RegisteredClient
    """Which client asks."""
    user: Any = field(repr=False)
    """Who is signed in: the application's own object."""
    scopes: tuple[str, ...]
    """The scopes that the client asks for; :meth:`describe` says in words what each allows."""
    resources: tuple[str, ...]
    """The APIs that the tokens will be for (RFC 8707)."""
    redirect_uri: str
    """Where the answer goes."""
    action: str
    """Where the form is posted to: a path of this app."""
    decision_token: str = field(repr=False)
    """Ties the decision to this request, this person and this browser session."""
    is_vouched_for: bool = False
    """Whether the operator stands behind the client; otherwise nobody has verified what it says about itself."""
    wording: Wording = field(default=Wording(), repr=False)
    """The words for scopes and resources."""
    can_switch_account: bool = False
    """Whether the form may also send the decision ``switch_account``: then somebody else may sign in. Not if the client
    asks for a certain person."""

    @property
    def claimed_name(self) -> str | None:
        """The name that a client gave itself, if the operator does not stand behind it: short, and of one alphabet.

        ``None``: it gave none, or one that could be mistaken for another (see :func:`.readable_text.find_short_name`).
        """
        return None if self.is_vouched_for else find_claimed_name(self.client)

    @property
    def document_host(self) -> str | None:
        """The host of the document that registers the client, with its port: who answers for it; ``None``: there is
        none."""
        return find_document_host(self.client)

    @property
    def client_host(self) -> str | None:
        """Whose site the client is, by its host and port: the one of its document, or of an https redirect URI.

        ``None``: it has none of them, because it runs on the person's device.
        """
        return self.document_host or (self.answer_place if is_claimed(self.redirect_uri) else None)

    @property
    def answer_place(self) -> str:
        """Where the answer goes, as people can recognize it: the host and port, or the private scheme of a program."""
        return name_place(self.redirect_uri)

    @property
    def is_local_only(self) -> bool:
        """Whether every answer goes to a program on this device, where any other program can pretend to be it."""
        uris = self.client.redirect_uris
        return bool(uris) and all(is_on_device(uri) for uri in uris)

    @property
    def client_uri(self) -> str | None:
        """A page about the client (RFC 7591 §2)."""
        return self._find_uri("client_uri")

    @property
    def tos_uri(self) -> str | None:
        """The client's terms of service (RFC 7591 §2)."""
        return self._find_uri("tos_uri")

    @property
    def policy_uri(self) -> str | None:
        """The client's privacy policy (RFC 7591 §2)."""
        return self._find_uri("policy_uri")

    @property
    def logo_uri(self) -> str | None:
        """The logo, only if the operator stands behind the client: the host of a logo learns who is signing in."""
        uri = self._find_uri("logo_uri") if self.is_vouched_for else None
        return uri if uri is not None and find_picture_origin(uri) else None

    def _find_uri(self, member: str) -> str | None:
        uri: str | None = self.client.metadata.get(member)
        # A document could link another's pages, and pass for that one's application.
        if uri is None or self.document_host in (None, name_place(uri)):
            return uri
        return None

    def describe(self, scope: str) -> str:
        """What one of :attr:`scopes` allows, in words for a person: the application's, or ours for standard scopes.

        If there are no words for it, the scope itself. Without ``openid``, ``email`` and the other standard scopes are
        the application's own too.
        """
        return self.wording.describe_scope(scope, has_openid=OPENID in self.scopes)

    def describe_resource(self, uri: str) -> str | None:
        """What one of :attr:`resources` is, in the application's words; ``None``: it gave none."""
        return self.wording.describe_resource(uri)

    @property
    def signed_in_as(self) -> str:
        """How the person knows their account: its ``name``, ``username`` or ``email``, otherwise its id."""
        return name_of(self.user)


class Step(Enum):
    """What comes next."""

    SIGN_IN = "sign in"
    SIGN_IN_AGAIN = "sign in again"
    CHOOSE_ACCOUNT = "choose an account"
    CONSENT = "consent"
    ISSUE = "issue"


def next_step(
    request: AuthorizationRequest,
    person: Person | None,
    *,
    signed_in_since: bool,
    consent: Consent | None,
    now: int,
    has_chosen: bool = False,
) -> Step:
    """What a person has to do next.

    :param signed_in_since: Whether they signed in after this request was first opened.
    :param has_chosen: Whether they chose, for this request, the account that is signed in.
    :param consent: What they allowed this client before.
    :raises LoginRequired: They would have to sign in, and ``prompt`` is ``none``; or they did sign in, but are not the
        person that ``id_token_hint`` names.
    :raises ConsentRequired: They would have to consent, and ``prompt`` is ``none``.
    """
    silent = "none" in request.prompt
    if person is None:
        if silent:
            raise LoginRequired("nobody is signed in", cause="person_not_signed_in")
        return Step.SIGN_IN
    if request.hinted_subject not in (None, person.subject):
        # They signed in and are still not the right person: tell the client, or they would be asked again for ever.
        if silent or signed_in_since:
            raise LoginRequired("somebody else is signed in than id_token_hint names", cause="person_not_hinted")
        return Step.SIGN_IN_AGAIN
    if not is_sign_in_enough(request, person, signed_in_since=signed_in_since, now=now):
        if silent:
            raise LoginRequired("signed in longer ago than max_age, or nobody knows when", cause="sign_in_too_old")
        return Step.SIGN_IN_AGAIN
    if not is_account_chosen(request, signed_in_since=signed_in_since, has_chosen=has_chosen):
        return Step.CHOOSE_ACCOUNT
    if not _is_allowed(request, consent):
        if silent:
            raise ConsentRequired("the person has not consented to this yet", cause="consent_missing")
        return Step.CONSENT
    return Step.ISSUE


def is_sign_in_enough(request: AuthorizationRequest, person: Person, *, signed_in_since: bool, now: int) -> bool:
    """Whether the person need not sign in again for *request*; checked before the consent page and before the code.

    :param signed_in_since: Whether they signed in after this request was first opened.
    """
    return signed_in_since or not _is_too_old(request, person, now=now)


def is_account_chosen(request: AuthorizationRequest, *, signed_in_since: bool, has_chosen: bool) -> bool:
    """Whether the person has chosen an account if *request* wants that; checked before consent and before the code.

    Whoever signs in for a request chooses with it.
    """
    return "select_account" not in request.prompt or signed_in_since or has_chosen


def _is_too_old(request: AuthorizationRequest, person: Person, *, now: int) -> bool:
    if "login" in request.prompt or request.max_age == 0:
        return True
    if person.auth_time is None:
        return request.needs_auth_time
    return request.max_age is not None and now - person.auth_time > request.max_age


def _is_allowed(request: AuthorizationRequest, consent: Consent | None) -> bool:
    """Whether an earlier consent covers the request.

    It never does for a public client whose answer any program on the device could receive: another program may pretend
    to be this client (RFC 6749 §10.2, RFC 8252 §8.6). Nor for one whose document sends the answer to another host: a
    document may change, and the person has to see where it leads to now.
    """
    client, redirect_uri = request.client, request.target.redirect_uri
    if consent is None or "consent" in request.prompt or request.asks_every_time:
        return False
    if client.is_public and not is_claimed(redirect_uri):
        return False
    if (
        client.registered_by == "document"
        and client.is_public
        and name_place(redirect_uri) != name_place(client.client_id)
    ):
        return False
    return consent.covers(request.scope, request.resources)


def find_claimed_name(client: RegisteredClient) -> str | None:
    """The name that a client gave itself, short and of one alphabet; ``None``: it cannot be shown, or there is none."""
    return None if client.client_name is None else find_short_name(client.client_name)


def find_document_host(client: RegisteredClient) -> str | None:
    """The host of the document that registers *client*, with its port: who answers for it; ``None``: there is none."""
    return name_place(client.client_id) if client.registered_by == "document" else None


def name_of(user: Any) -> str:
    """How a person knows their account: its ``name``, ``username`` or ``email``, otherwise its id.

    :raises ConfigurationError: The user has no id either.
    """
    for attribute in ("name", "username", "email"):
        text = getattr(user, attribute, None)
        if isinstance(text, str) and text.strip():
            return text
    return find_subject(user)


def find_subject(user: Any) -> str:
    """The ``sub`` of a user: Authlib's ``get_user_id()``, or Flask-Login's ``get_id()``.

    :raises ConfigurationError: It has neither, the id is ``None``, or it is not a string of 1 to 255 characters.
    """
    kind = type(user).__name__
    for name in ("get_user_id", "get_id"):
        if callable(method := getattr(user, name, None)):
            subject = _read_subject(user, method())
            if not subject:
                raise ConfigurationError(
                    f"{name}() of {kind} gives no id: a token needs its sub. Return a string of 1 to "
                    f"{MAX_SUBJECT_CHARACTERS} characters that is never given to another person; for somebody who is "
                    "not signed in, return no user."
                )
            if len(subject) > MAX_SUBJECT_CHARACTERS:
                raise ConfigurationError(
                    f"{name}() of {kind} gives a string of {len(subject)} characters, not 1 to "
                    f"{MAX_SUBJECT_CHARACTERS}."
                )
            return subject
    raise ConfigurationError(f"{kind} has neither get_user_id() nor get_id(): a token needs its sub.")


def _read_subject(user: Any, user_id: Any) -> str:
    """The string for a user's id; empty if there is none."""
    # Flask-Login's UserMixin gives str(self.id): "None" for a user that has no id yet. All of them would be one person.
    if user_id is None or (user_id == "None" and getattr(user, "id", user_id) is None):
        return ""
    return str(user_id)
