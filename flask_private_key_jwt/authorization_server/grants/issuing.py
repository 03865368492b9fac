"""What a grant allows, made into tokens: the same rules for every grant, ours or the application's own."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...database.deadline import outside_budget
from ...errors import ConfigurationError, InvalidScope, OAuthError
from ...settings.server import ServerSettings
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..tokens.access_token import AccessTokenIssuer, Grant, IssuedToken
from ..tokens.id_token import OPENID, IdTokenIssuer
from ..tokens.revoked import longest_lifetime
from .authlib_request import AuthenticatedClient
from .policy import TokenPolicy
from .resource import resolve_audience, resolve_granted_audience
from .scope import narrow_scope, resolve_scope, split_scope


class TokenMaker:
    """Makes the access token of a grant, and the ID token that goes with it.

    :param settings: The server's settings.
    :param policies: The application's token policies, those it registers later included.
    :param offers_openid: Whether OpenID Connect is served.
    """

    def __init__(
        self,
        settings: ServerSettings,
        access_tokens: AccessTokenIssuer,
        id_tokens: IdTokenIssuer,
        policies: Sequence[TokenPolicy],
        *,
        offers_openid: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._access_tokens = access_tokens
        self._id_tokens = id_tokens
        self._policies = policies
        self._offers_openid = offers_openid

    def make(
        self,
        client: AuthenticatedClient,
        *,
        grant_type: str,
        subject: str | None,
        scope: str | None,
        lifetime: int | None,
    ) -> IssuedToken:
        """The access token of a grant (RFC 9068), with an ID token for the scope ``openid``.

        :param subject: The person, by an application's own grant; ``None``: what the client carries, or nobody.
        :param scope: What the token is for; ``None``: the client's default, where no person allowed anything before.
        :param lifetime: Of the access token, in seconds; ``None``: ``OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS``. No longer
            than that of a refresh token: a revocation is remembered so long.
        :raises InvalidScope: The scope is not registered for the client, or is ``openid`` where that has no meaning.
        :raises InvalidTarget: ``resource`` is not one of ``OAUTH2_RESOURCES``, or was not granted.
        :raises OAuthError: A token policy says no.
        :raises ConfigurationError: A token policy sets what only the server sets, or the lifetime is too long.
        :raises StoreUnavailable: The signing key cannot be read.
        """
        _check_lifetime(lifetime, self._settings)
        granted = client.granted
        person = granted.subject if granted else subject
        scopes = (
            narrow_scope(client.registered, split_scope(scope or ""))
            if granted
            else resolve_scope(client.registered, scope, acts_for_itself=person in (None, client.client_id))
        )
        if OPENID in scopes:
            self._check_openid(client, person)
        grant = Grant(
            grant_type=grant_type,
            client_id=client.client_id,
            subject=client.client_id if person is None else person,
            scope=scopes,
            audience=self._resolve_audience(client, scopes),
            proof=client.proof,
            grant_id=granted.grant_id if granted else secrets.token_urlsafe(16),
            lifetime=lifetime or self._settings.ACCESS_TOKEN_LIFETIME_SECONDS,
            auth_time=granted.auth_time if granted else None,
        )
        extra: dict[str, Any] = {}
        for policy in self._policies:
            extra |= _ask(policy, client.registered, client.request, grant)
        token = self._access_tokens.issue(grant, extra)
        if OPENID not in scopes:
            return token
        return replace(token, id_token=self._id_tokens.issue(grant, token.value, nonce=client.nonce))

    def _check_openid(self, client: AuthenticatedClient, person: str | None) -> None:
        """An ID token says who signed in: a client that acts for itself can have none."""
        if person is None or person == client.client_id:
            raise InvalidScope("scope openid, but the client acts for nobody", client_id=client.client_id)
        if not self._offers_openid():  # a registration may be older than the settings
            raise InvalidScope("scope openid, which is not in OAUTH2_SCOPES", client_id=client.client_id)

    def _resolve_audience(self, client: AuthenticatedClient, scopes: tuple[str, ...]) -> tuple[str, ...]:
        allowed, requested = self._settings.resources, client.request.resources
        if client.granted is None:
            audience = resolve_audience(allowed, requested, client_id=client.client_id)
        else:
            audience = resolve_granted_audience(
                client.granted.resources, allowed, requested, client_id=client.client_id
            )
        # The scope opens UserInfo, a resource server by the issuer's name: as any other it takes no token that does not
        # name it in aud (RFC 9068 §4). Without the scope, none does unless OAUTH2_RESOURCES holds the issuer.
        if OPENID in scopes and self._settings.ISSUER not in audience:
            audience = (*audience, self._settings.ISSUER)
        return audience


def _check_lifetime(lifetime: int | None, settings: ServerSettings) -> None:
    """Refuse a lifetime of which a revocation would be forgotten before it is over, so that the token came back."""
    longest = longest_lifetime(settings)
    if lifetime is not None and lifetime > longest:
        raise ConfigurationError(
            f"A grant of the application asks for an access token of {lifetime} seconds; the longest is {longest}, "
            "OAUTH2_REFRESH_TOKEN_LIFETIME_SECONDS, for which revocations are remembered."
        )


@outside_budget()
def _ask(policy: TokenPolicy, client: RegisteredClient, request: FormRequest, grant: Grant) -> Mapping[str, Any]:
    try:
        return policy(client, request, grant) or {}
    except OAuthError as refusal:
        refusal.client_id = client.client_id
        raise
