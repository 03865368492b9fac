"""A request that was let in."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from ..jose.jose import Claims
from ..tokens.verification import AccessToken
from .credentials import Credentials

_KEY = "flask_private_key_jwt.admission"


class Admission:
    """A request that was let in, with its token and the guard that checked it.

    :param by: The guard that let it in.
    :param online: Whether the issuer was asked about the token.
    """

    __slots__ = ("_claims", "by", "credentials", "online", "token")

    def __init__(self, by: object, token: AccessToken, credentials: Credentials, *, online: bool) -> None:
        self.by = by
        self.token = token
        self.credentials = credentials
        self.online = online
        self._claims: dict[str, Any] | None = None

    @property
    def claims(self) -> Claims:
        """A copy of the claims for the view, because later requests use the original."""
        if self._claims is None:
            token = self.token
            claims = self._claims = dict(token.claims)
            for name in token.nested:
                claims[name] = _copy(claims[name])
        return self._claims


def _copy(value: Any) -> Any:
    """A copy of what came from JSON; ``deepcopy`` takes three times as long, because it expects anything."""
    if isinstance(value, dict):
        return {name: _copy(part) if isinstance(part, (dict, list)) else part for name, part in value.items()}
    if isinstance(value, list):
        return [_copy(part) for part in value]
    return value


def remember_admission(notes: MutableMapping[str, Any], admission: Admission) -> None:
    """Note on a request that it was let in.

    :param notes: Its WSGI environment, or its ASGI scope.
    """
    # Not in flask.g: in an outer app context, as tests push one, requests share g. Not in a context variable either:
    # a task that outlives its request, as those of a WebSocket or of an MCP session, would go on with its token.
    notes[_KEY] = admission


def find_admission(notes: Mapping[str, Any], *, by: object) -> Admission | None:
    """The admission of this request by this guard, if any; that of another app's guard does not count."""
    admission: Admission | None = notes.get(_KEY)
    return admission if admission is not None and admission.by is by else None


def find_token(request: Any) -> Claims | None:
    """The claims of the verified access token of a request (RFC 9068 §2.2), for the view to read and change.

    :param request: An ASGI scope; an object that has one as its ``scope``, such as the requests of Starlette, FastAPI
        and Quart; or a WSGI environment.
    :return: ``None`` if there is no token: where nothing is protected, or for an anonymous caller.
    """
    return find_claims(
        request if isinstance(request, Mapping) and _KEY in request else getattr(request, "scope", request)
    )


def find_claims(notes: Mapping[str, Any]) -> Claims | None:
    """The same, in a WSGI environment or an ASGI scope."""
    admission: Admission | None = notes.get(_KEY)
    return admission.claims if admission else None
