"""A client's request that a person be signed out (OpenID RP-Initiated Logout 1.0), and what to do about it. No HTTP.

This module decides where the browser may go afterwards: only to a registered place of a known client. If the request
has no ID token, only after the person has agreed. In all other cases the person sees a page, so that nobody can misuse
this server's name for a link of their own (RFC 9700 §4.11.2).
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from ...errors import InvalidRequest, UnusableRedirectURI
from ...jose.derived import Secrets
from ...settings.server import ServerSettings
from ...tokens.verification import IssuerKeys
from ..authorization.interaction import Person, name_of
from ..authorization.parameters import Parameters
from ..authorization.response import build_location, check_state
from ..authorization.usable_client import load_usable
from ..registered_client import RegisteredClient
from ..stores.contracts import ClientStore
from ..tokens.id_token import IdTokenHint, read_id_token_hint
from ..wording.languages import read_tags
from .sealed_hint import SealedHints

KNOWN = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales")
"""The parameters that are read, each once; ``logout_hint`` changes nothing (RP-Initiated Logout §2)."""
SEALED_HINT = "sealed_hint"
"""Our own parameter, accepted in a URL only: the content of a posted ``id_token_hint``. If it were accepted in a posted
form, it would be sealed again, and a seal found in a log could be renewed for ever."""


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A logout request that passed every check."""

    client: RegisteredClient | None
    """The client that sent it; ``None``: the request names none."""
    subject: str | None = field(repr=False)
    """The person in the client's ID token; ``None``: there was no hint."""
    redirect_uri: str | None
    """Where the client wants the browser to go afterwards; it is registered."""
    state: str | None
    ui_locales: tuple[str, ...] = ()
    """The languages that the client asks for, as language tags, the best first."""

    def build_query(self) -> str:
        """The request without its hint, for a URL: the same request gives the same string."""
        members = {
            "client_id": self.client.client_id if self.client else None,
            "post_logout_redirect_uri": self.redirect_uri,
            "state": self.state,
            "ui_locales": " ".join(self.ui_locales) or None,
        }
        return urlencode({name: value for name, value in members.items() if value is not None})

    def is_sent_on(self, settings: ServerSettings, *, seen: bool) -> bool:
        """Whether the browser is redirected; otherwise a page of ours shows a link (RFC 9700 §4.11.2).

        A hint is not enough: anybody who may register a client can get an ID token and send it along.

        :param seen: Whether the person saw a page of ours, or was signed out by a client that they had allowed.
        """
        return seen or (self.client is not None and self.client.is_vouched_for(settings))

    def find_location(self, *, confirmed: bool) -> str | None:
        """Where the browser goes after sign-out; ``None``: to a page that says that nobody is signed in.

        :param confirmed: Whether the person agreed. Without a hint, nothing else shows that the link is genuine
            (§2, §6).
        """
        if self.redirect_uri is None or (self.subject is None and not confirmed):
            return None
        return self.redirect_uri if self.state is None else build_location(self.redirect_uri, {"state": self.state})


@dataclass(frozen=True, slots=True)
class LogoutPage:
    """What the page shows that asks whether to sign out, and what its form sends back.

    The form posts ``decision_token`` and ``decision``, which is ``sign_out`` or anything else, to :attr:`action`.
    """

    client: RegisteredClient | None
    """Which client asks for it; ``None``: the request names none."""
    user: Any = field(repr=False)
    redirect_uri: str | None
    """Where the browser goes afterwards; ``None``: to a page of ours."""
    action: str
    decision_token: str = field(repr=False)
    """Ties the decision to this request, this person and this browser session."""
    is_vouched_for: bool = False
    """Whether the operator stands behind the client; otherwise nobody has checked the name that it gave itself."""

    @property
    def signed_in_as(self) -> str:
        """How the person knows their account: its ``name``, ``username`` or ``email``, otherwise its id."""
        return name_of(self.user)


class LogoutStep(Enum):
    """What comes next."""

    ASK = "ask"
    SIGN_OUT = "sign out"
    NOTHING = "nothing"


def next_logout_step(request: LogoutRequest, person: Person | None) -> LogoutStep:
    """What to do about a request (RP-Initiated Logout §2).

    Only an ID token about the person who is signed in signs them out without a question. A link without one, or with
    somebody else's, may be on any page that the person opens.
    """
    if person is None:
        return LogoutStep.NOTHING
    return LogoutStep.SIGN_OUT if request.subject == person.subject else LogoutStep.ASK


class Logout:
    """Reads and checks logout requests.

    :param settings: The server's settings.
    :param clients: Finds the registered client.
    :param keys: This server's own keys, which verify an ID token sent as a hint.
    :param secrets: The application's secrets.
    """

    def __init__(self, settings: ServerSettings, clients: ClientStore, *, keys: IssuerKeys, secrets: Secrets) -> None:
        self._settings = settings
        self._clients = clients
        self._keys = keys
        self._sealed = SealedHints(secrets)

    def read(self, parameters: Parameters) -> LogoutRequest:
        """Check a request (RP-Initiated Logout §2, §4).

        :raises InvalidRequest: A parameter is not acceptable: the person sees a page, and stays signed in.
        :raises StoreUnavailable: The database did not answer.
        """
        hint = self._find_hint(parameters)
        client = self._find_client(parameters.get("client_id"), hint)
        state = parameters.get("state")
        check_state(state)
        return LogoutRequest(
            client=client,
            subject=hint.subject if hint else None,
            redirect_uri=_check_redirect(parameters.get("post_logout_redirect_uri"), client),
            state=state,
            ui_locales=read_tags(parameters.get("ui_locales")),
        )

    def build_query(self, parameters: Parameters) -> str:
        """A posted request as a query: its hint is sealed, and parameters that change nothing are left out.

        :raises InvalidRequest: The hint is not acceptable.
        :raises StoreUnavailable: The keys cannot be read.
        """
        hint = self._find_hint(parameters)
        members = {name: parameters.get(name) for name in ("client_id", "post_logout_redirect_uri", "state")}
        members["ui_locales"] = " ".join(read_tags(parameters.get("ui_locales"))) or None
        if hint is not None:
            # When the seal is too old, the client_id still names the client, and the person is asked.
            members |= {"client_id": members["client_id"] or hint.client_id, SEALED_HINT: self._sealed.seal(hint)}
        return urlencode({name: value for name, value in members.items() if value is not None})

    def _find_hint(self, parameters: Parameters) -> IdTokenHint | None:
        text = parameters.get("id_token_hint")
        if text is None:
            sealed = parameters.get(SEALED_HINT)
            return self._sealed.find(sealed) if sealed else None
        return read_id_token_hint(text, issuer=self._settings.ISSUER, keys=self._keys)

    def _find_client(self, client_id: str | None, hint: IdTokenHint | None) -> RegisteredClient | None:
        """The client that a request names; ``None`` if it names none. A wrong, unknown or disabled one is refused."""
        if hint is not None and client_id not in (None, hint.client_id):
            raise InvalidRequest(
                f"id_token_hint was not issued to client_id {str(client_id)[:100]!r}",
                cause="id_token_hint_other_client",
                client_id=hint.client_id,
            )
        named = hint.client_id if hint else client_id
        if named is None:
            return None
        return load_usable(self._clients, named)


def _check_redirect(uri: str | None, client: RegisteredClient | None) -> str | None:
    if uri is None:
        return None
    if client is None:
        raise UnusableRedirectURI(
            "post_logout_redirect_uri without id_token_hint or client_id: whose is it?",
            cause="post_logout_redirect_uri_without_client",
        )
    if not client.has_post_logout_redirect_uri(uri):
        reason = f"post_logout_redirect_uri {uri[:200]!r} is not registered"
        raise UnusableRedirectURI(reason, cause="post_logout_redirect_uri_not_registered", client_id=client.client_id)
    return uri
