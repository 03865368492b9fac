"""Step 5: what allows the token. A new grant is one file and one line of the table, which decides what is served."""

from ..needs import Need
from . import authorization_code, client_credentials, refresh_token
from .base import BuiltInGrant

_PEOPLE: frozenset[Need] = frozenset({"people"})

GRANTS = (
    BuiltInGrant(
        authorization_code.NAME, authorization_code.AuthorizationCodeGrant, needs=_PEOPLE, for_public_clients=True
    ),
    BuiltInGrant(refresh_token.NAME, refresh_token.RefreshTokenGrant, needs=_PEOPLE, for_public_clients=True),
    BuiltInGrant(client_credentials.NAME, client_credentials.ClientCredentialsGrant),
)
"""Our own grants, in the order of the metadata document. An application's grant is tried before ours."""

BUILT_IN = frozenset(grant.name for grant in GRANTS)
"""Their names."""

BY_PEOPLE = frozenset(grant.name for grant in GRANTS if "people" in grant.needs)
"""The names of those that give a client nothing which no person has allowed."""

FOR_PUBLIC_CLIENTS = frozenset(grant.name for grant in GRANTS if grant.for_public_clients)
"""The names of those that a client which cannot authenticate may use."""
