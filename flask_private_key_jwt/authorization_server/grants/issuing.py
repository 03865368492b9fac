"""Makes the tokens that a grant allows, by the same rules for every grant, ours or the application's own."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...database.deadline import outside_budget
from ...errors import ConfigurationError, InvalidScope
from ...settings.server import ServerSettings
from ...tokens.scope_matching import ScopeMatcher
from ..binding import check_unbound
from ..needs import Offered
from ..tokens.access_token import AccessTokenIssuer, Grant, IssuedToken
from ..tokens.id_token import OPENID, IdTokenIssuer
from ..tokens.revoked import longest_lifetime
from .atproto import check_session
from .base import Allowed
from .policy import TokenPolicy
from .resource import check_single, find_named, resolve_audience, resolve_granted_audience
from .scope import narrow_scope, resolve_scope, split_scope

PUBLIC_BEARER_SECONDS = 600
"""Longest life of a token that whoever has it can use: of a public client, and bound to no key."""


class TokenMaker:
    """Makes the access token of a grant, and the ID token that goes with it.

    :param settings: The server's settings.
    :param policies: The application's token policies, also those that it registers later.
    :param offered: Returns what the application has now: OpenID Connect, or not.
    :param scope_matchers: The application's, also those that it registers later.
    """

    def __init__(
        self,
        settings: ServerSettings,
        access_tokens: AccessTokenIssuer,
        id_tokens: IdTokenIssuer,
        policies: Sequence[TokenPolicy],
        *,
        offered: Offered,
        scope_matchers: Sequence[ScopeMatcher] = (),
    ) -> None:
        self._settings = settings
        self._access_tokens = access_tokens
        self._id_tokens = id_tokens
        self._policies = policies
        self._offered = offered
        self._scope_matchers = scope_matchers

    def make(self, allowed: Allowed) -> IssuedToken:
        """The access token of a grant (RFC 9068), with an ID token for the scope ``openid``. It spends nothing.

        An access token lives no longer than a refresh token may, because a revocation is remembered only that long.

        :raises InvalidRequest: The token must be bound to a key, and there is no proof of one.
        :raises InvalidScope: The scope is not registered for the client, or ``openid`` is asked for without a person.
        :raises InvalidGrant: Under ``atproto``, the id of the person is not a DID.
        :raises InvalidTarget: ``resource`` is not one of ``OAUTH2_RESOURCES``, or was not granted; or the token is for
            several, and would be a Bearer token of a public client.
        :raises OAuthError: A token policy refuses the token.
        :raises ConfigurationError: A token policy sets a claim that only the server sets, or the lifetime is too long.
        :raises StoreUnavailable: The signing key cannot be read.
        """
        grant = self._resolve(allowed)
        extra: dict[str, Any] = {}
        for policy in self._policies:
            extra |= _ask(policy, allowed, grant)
        token = self._access_tokens.issue(grant, extra)
        if OPENID not in grant.scope:
            return token
        return replace(token, id_token=self._id_tokens.issue(grant, token.value, nonce=allowed.nonce))

    def _resolve(self, allowed: Allowed) -> Grant:
        """What the tokens will say, by the rules for every grant."""
        _check_lifetime(allowed.lifetime, self._settings)
        client, granted = allowed.client, allowed.granted
        if allowed.proof is None:
            # The token endpoint has checked this already; an endpoint of the application reads no proof.
            check_unbound(client, self._settings)
        person = granted.subject if granted else allowed.subject
        if granted:
            kept = granted.scope if allowed.scope is None else split_scope(allowed.scope)
            scope = narrow_scope(client, kept, matchers=self._scope_matchers)
        else:
            for_itself = person in (None, client.client_id)
            scope = resolve_scope(client, allowed.scope, acts_for_itself=for_itself, matchers=self._scope_matchers)
        if self._settings.PROFILE == "atproto" and person not in (None, client.client_id):
            check_session(scope, person)
        if OPENID in scope:
            self._check_openid(allowed, person)
        return Grant(
            grant_type=allowed.grant_type,
            client_id=client.client_id,
            subject=client.client_id if person is None else person,
            scope=scope,
            audience=self._resolve_audience(allowed, scope),
            proof=allowed.proof,
            grant_id=granted.grant_id if granted else secrets.token_urlsafe(16),
            lifetime=self._find_lifetime(allowed),
            auth_time=granted.auth_time if granted else None,
        )

    def _find_lifetime(self, allowed: Allowed) -> int:
        lifetime = allowed.lifetime or self._settings.ACCESS_TOKEN_LIFETIME_SECONDS
        return min(lifetime, PUBLIC_BEARER_SECONDS) if allowed.is_for_anybody else lifetime

    def _check_openid(self, allowed: Allowed, person: str | None) -> None:
        """Refuse ``openid`` for a client that acts for itself: an ID token says who signed in."""
        if person in (None, allowed.client.client_id):
            raise InvalidScope("scope openid, but the client acts for nobody", cause="openid_without_person")
        if "openid" not in self._offered():  # a registration may be older than the settings
            raise InvalidScope("scope openid, which is not in OAUTH2_SCOPES", cause="openid_not_offered")

    def _resolve_audience(self, allowed: Allowed, scope: tuple[str, ...]) -> tuple[str, ...]:
        known, requested = self._settings.resources, find_named(allowed.request.resources, self._settings)
        if allowed.granted is None:
            audience = resolve_audience(known, requested)
        else:
            audience = resolve_granted_audience(allowed.granted.resources, known, requested)
        if allowed.is_for_anybody:
            return check_single(audience)
        # The scope gives access to UserInfo, a resource server whose name is the issuer. Like every resource server it
        # accepts only tokens that name it in aud (RFC 9068 §4). Without this scope, a token names the issuer only if
        # OAUTH2_RESOURCES has it.
        if OPENID in scope and self._settings.ISSUER not in audience:
            audience = (*audience, self._settings.ISSUER)
        return audience


def _check_lifetime(lifetime: int | None, settings: ServerSettings) -> None:
    """Refuse a lifetime that is longer than a revocation is remembered: a revoked token would become valid again."""
    if lifetime is None:
        return
    longest = longest_lifetime(settings)
    if lifetime > longest:
        raise ConfigurationError(
            f"A grant of the application asks for an access token of {lifetime} seconds; the longest is {longest}, "
            "OAUTH2_REFRESH_TOKEN_LIFETIME_SECONDS, for which revocations are remembered."
        )


@outside_budget()
def _ask(policy: TokenPolicy, allowed: Allowed, grant: Grant) -> Mapping[str, Any]:
    return policy(allowed.client, allowed.request, grant) or {}
