"""Ask an authorization server whether a token is active, and what it says (RFC 7662); mostly used by APIs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..fetching.exchange import FetchedAnswer
from .endpoint import ADVICE, FormEndpoint
from .endpoint_client import EndpointClient
from .errors import IntrospectionError

INTROSPECTION = FormEndpoint(
    "introspection_endpoint",
    undone="Nothing is known of the token",
    failure=IntrospectionError,
    advice={
        **ADVICE,
        "unauthorized_client": "The server does not let this client introspect tokens: its operator has to allow it.",
        "access_denied": "The server does not let this client introspect tokens: its operator has to allow it.",
    },
)


@dataclass(frozen=True, slots=True)
class Introspection:
    """What the server says about one token (RFC 7662 §2.2)."""

    active: bool
    """Whether the token is active right now. ``False`` also for a token that this client may not ask about."""
    claims: Mapping[str, Any] = field(repr=False)
    """The answer without ``active``; always empty for a token that is not active."""


class IntrospectionClient(EndpointClient):
    """Asks whether tokens are active, as one client of one authorization server; safe to use from several threads.

    The parameters are those of :class:`~flask_private_key_jwt.client.TokenClient`, without ``dpop_key``: a bound
    token is introspected without a proof (RFC 9449 §6.2).
    """

    def introspect(self, token: str, token_type_hint: str | None = None) -> Introspection:
        """Ask what the server knows about a token (RFC 7662 §2.1).

        :param token: An access token or a refresh token.
        :param token_type_hint: ``access_token`` or ``refresh_token``, if known: servers look for that kind first.
        :raises DiscoveryError: The server's metadata could not be fetched, or names no introspection endpoint.
        :raises IntrospectionError: The server did not answer, refused, or did not say whether the token is active.
        """
        form = [("token", token), ("client_id", self.client_id)]
        form += [("token_type_hint", token_type_hint)] if token_type_hint else []
        return read_introspection(self._post(INTROSPECTION, form), token=token)


def read_introspection(answer: FetchedAnswer, *, token: str) -> Introspection:
    """Read an answer of the introspection endpoint.

    :param token: The token in the request; the message must not contain it.
    :raises IntrospectionError: The answer is an error, malformed, or does not say whether the token is active.
    """
    if answer.status != 200:
        raise INTROSPECTION.refusal(answer, token=token)
    members = INTROSPECTION.load_members(answer, as_said=True)
    active = members.pop("active", None)
    if not isinstance(active, bool):  # neither 1 nor "true": RFC 7662 §2.2 requires a boolean
        raise INTROSPECTION.unusable(answer, "answer does not say whether the token is active.")
    return Introspection(active, members if active else {})
