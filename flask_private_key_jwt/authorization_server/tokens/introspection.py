"""Introspection (RFC 7662): describes a valid token to a caller that may know about it."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from ...database.deadline import outside_budget
from ...errors import InactiveToken, InvalidClient, InvalidRequest
from ...jose.jose import require_audience
from ...settings.server import ServerSettings
from ...tokens.verification import AccessToken
from ..registered_client import RegisteredClient
from ..stores.contracts import ClientStore
from ..stores.granted import StoredRefreshToken
from .issued import IssuedTokens
from .refresh_token import RefreshTokens
from .revoked import Revocations

IntrospectionPolicy = Callable[[RegisteredClient, Mapping[str, Any]], bool]
"""Caller and claims of an access token -> whether the caller may see them."""
PRIVATE_CLAIMS = frozenset({"grant_id"})
"""Claims of an access token that mean nothing outside this server."""


def may_introspect(caller: RegisteredClient, claims: Mapping[str, Any]) -> bool:
    """The rule without a policy: a client sees its own tokens, and a resource server the tokens made for it.

    If a token is made for several resource servers, each of them sees it.
    """
    audiences = require_audience(claims)
    return claims["client_id"] == caller.client_id or not set(audiences).isdisjoint(caller.introspection_resources)


class TokenIntrospector:
    """Describes tokens.

    :param settings: The server's settings.
    :param issued: Recognizes a token.
    :param refresh_tokens: Knows which refresh tokens still work.
    :param revocations: Knows what was revoked.
    :param clients: Knows which clients are still admitted.
    :param policies: The application's functions, used instead of :func:`may_introspect`; all of them must return true.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        issued: IssuedTokens,
        refresh_tokens: RefreshTokens,
        revocations: Revocations,
        clients: ClientStore,
        policies: Sequence[IntrospectionPolicy],
    ) -> None:
        self._settings = settings
        self._issued = issued
        self._refresh_tokens = refresh_tokens
        self._revocations = revocations
        self._clients = clients
        self._policies = policies

    def describe(self, text: str | None, caller: RegisteredClient) -> dict[str, Any]:
        """The members of the answer about an active token (RFC 7662 §2.2, RFC 9449 §6.2).

        An unauthorized caller is refused before the database is asked about revocation. So neither the answer nor its
        time says whether somebody else's token is still valid.

        :param text: The request's ``token``.
        :raises InvalidClient: The caller is a public client: anybody can claim to be that client.
        :raises InvalidRequest: There is no token.
        :raises InactiveToken: It is not our token, no longer valid, or the caller may not know about it.
        :raises StoreUnavailable: The database did not answer.
        """
        if caller.is_public:
            raise InvalidClient("a public client may not introspect", cause="public_client_introspects")
        if text is None:
            raise InvalidRequest("no token", cause="token_parameter_missing")
        token = self._issued.load(text)
        if isinstance(token, StoredRefreshToken):
            return self._describe_refresh_token(text, token, caller)
        return self._describe_access_token(token, caller)

    def _describe_access_token(self, token: AccessToken, caller: RegisteredClient) -> dict[str, Any]:
        self._issued.check_time(token)
        shown = {name: value for name, value in token.claims.items() if name not in PRIVATE_CLAIMS}
        if not self._may_introspect(caller, shown):
            raise InactiveToken(
                f"the access token belongs to client {token.client_id!r}, not for the caller to see",
                cause="token_foreign",
            )
        if self._revocations.is_revoked(token.claims):
            raise InactiveToken("the access token was revoked", cause="token_revoked")
        if not self._clients.is_admitted(token.client_id):
            raise InactiveToken(f"client {token.client_id!r} is removed or disabled", cause="client_gone")
        # Last, because the application's token policy may have set claims of these names.
        return {**shown, "active": True, "token_type": "Bearer" if token.jkt is None else "DPoP"}

    def _describe_refresh_token(
        self, text: str, stored: StoredRefreshToken, caller: RegisteredClient
    ) -> dict[str, Any]:
        granted = stored.granted
        if granted.client_id != caller.client_id:
            raise InactiveToken(
                f"the refresh token belongs to client {granted.client_id!r}", cause="refresh_token_foreign"
            )
        if not self._refresh_tokens.is_active(text, stored, caller):
            raise InactiveToken(
                "the refresh token was replaced or revoked, or belongs to no key any more", cause="refresh_token_ended"
            )
        members: dict[str, Any] = {
            "active": True,
            "iss": self._settings.ISSUER,
            "sub": granted.subject,
            "client_id": granted.client_id,
            "scope": " ".join(granted.scope),
            "exp": self._refresh_tokens.find_end(stored),
        }
        return members if stored.dpop_jkt is None else {**members, "cnf": {"jkt": stored.dpop_jkt}}

    def _may_introspect(self, caller: RegisteredClient, claims: Mapping[str, Any]) -> bool:
        if not self._policies:
            return may_introspect(caller, claims)
        copy = deepcopy(dict(claims))  # later requests use the original too
        with outside_budget():
            return all(policy(caller, copy) for policy in self._policies)
