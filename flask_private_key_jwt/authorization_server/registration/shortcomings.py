"""What keeps a registered client from doing anything: registrations may be valid, and of no use all the same."""

from collections.abc import Collection, Iterator, Sequence

from ... import clock
from ...settings.server import ServerSettings
from ..grants import GRANTS
from ..keys.client_keys import ClientKey
from ..registered_client import PUBLIC, RegisteredClient
from .authentication import is_keyless, supported_methods
from .redirects import CODE_GRANT

_WITHOUT_SCOPE = frozenset(grant.name for grant in GRANTS)
"""The grants that give no token without a scope. An application's own decide for themselves."""


def find_shortcomings(
    client: RegisteredClient,
    settings: ServerSettings,
    *,
    grant_types: Collection[str],
    keys: Sequence[ClientKey] | None,
    has_secret: bool,
) -> list[str]:
    """Why a client can do nothing now, and what it has for nothing, one clause each; empty: it can do all that it may.

    :param grant_types: What the server's token endpoint answers.
    :param keys: The client's keys; ``None``: nobody knows them now.
    :param has_secret: Whether a secret of the client counts.
    """
    return [
        *_find_in_authentication(client, settings, grant_types=grant_types, keys=keys, has_secret=has_secret),
        *_find_in_grants(client, grant_types),
    ]


def _find_in_authentication(
    client: RegisteredClient,
    settings: ServerSettings,
    *,
    grant_types: Collection[str],
    keys: Sequence[ClientKey] | None,
    has_secret: bool,
) -> Iterator[str]:
    method = client.token_endpoint_auth_method
    if method not in supported_methods(settings, grant_types):
        yield f"this server does not accept its token_endpoint_auth_method {method} now"
    elif is_keyless(client) and not has_secret:
        yield f"it has no secret yet: flask oauth2 client secret give {client.client_id}"
    elif method != PUBLIC and not is_keyless(client) and not has_secret and keys is not None:
        alg = client.token_endpoint_auth_signing_alg
        wanted = {alg} if alg else set(settings.ASSERTION_SIGNING_ALGS)
        if not any(key.is_current(now=clock.now()) and key.public.algs & wanted for key in keys):
            yield "none of its keys is valid now"


def _find_in_grants(client: RegisteredClient, grant_types: Collection[str]) -> Iterator[str]:
    usable = client.grant_types.intersection(grant_types)
    if not usable and not client.introspection_resources:
        yield "this server answers none of its grant types"
    elif not client.scope and usable <= _WITHOUT_SCOPE and not client.introspection_resources:
        yield "it has no scope, so it gets no token"
    if client.redirect_uris and CODE_GRANT not in client.grant_types:
        yield f"it has redirect_uris, but not the grant type {CODE_GRANT}"
