"""A request that was let in, and ``current_token``: the claims of its verified token."""

from collections.abc import MutableMapping
from typing import Any, cast

from flask import request
from werkzeug.local import LocalProxy

from ..jose.jose import Claims
from ..tokens.verification import AccessToken
from .credentials import Credentials

_KEY = "flask_private_key_jwt.admission"


class Admission:
    """A request that was let in, with its token and the guard that checked it.

    :param by: The guard that let it in.
    :param online: Whether the issuer was asked about the token.
    """

    def __init__(self, by: object, token: AccessToken, credentials: Credentials, *, online: bool) -> None:
        self.by = by
        self.token = token
        self.credentials = credentials
        self.online = online
        self._claims: Claims | None = None

    @property
    def claims(self) -> Claims:
        """A copy of the claims for the view, because later requests use the original."""
        if self._claims is None:
            self._claims = _copy(dict(self.token.claims))
        return self._claims


def _copy(value: Any) -> Any:
    """A copy of what came from JSON; ``deepcopy`` takes three times as long, because it expects anything."""
    if isinstance(value, dict):
        return {name: _copy(part) if isinstance(part, (dict, list)) else part for name, part in value.items()}
    if isinstance(value, list):
        return [_copy(part) for part in value]
    return value


def remember_admission(environ: MutableMapping[str, Any], admission: Admission) -> None:
    """Note on the request that it was let in."""
    # In the WSGI environment and not in flask.g: in an outer app context, as tests push one, requests share g.
    environ[_KEY] = admission


def find_admission(environ: MutableMapping[str, Any], *, by: object) -> Admission | None:
    """The admission of this request by this guard, if any; that of another app's guard does not count."""
    admission: Admission | None = environ.get(_KEY)
    return admission if admission is not None and admission.by is by else None


def _find_claims() -> Claims | None:
    admission: Admission | None = request.environ.get(_KEY)
    return admission.claims if admission else None


current_token: Claims = cast(Claims, LocalProxy(_find_claims))
"""The claims of the verified access token, e.g. ``current_token["client_id"]`` (RFC 9068 §2.2).

It is false (``if current_token:``) if there is no token: in a view that is not protected, for an anonymous caller of an
``optional`` view, and outside a request.
"""
