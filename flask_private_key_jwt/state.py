"""What one app owns: one frozen State in ``app.extensions["private_key_jwt"]``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import flask

from .authorization.logout import Logout
from .client_registry import ClientRegistry
from .errors import ConfigurationError
from .keys.derived import Secrets
from .keys.jose import Claims, PublicKey
from .keys.server_keys import ServerKeys
from .self_registration import SelfRegistration
from .server import AuthorizationServer
from .settings import ServerSettings
from .stores.base import FetchedDocumentStore, ReplayStore
from .stores.counters import Counters
from .stores.registration_tokens import RegistrationTokens
from .stores.sqlalchemy_authorizations import SQLAlchemyAuthorizationStore
from .stores.sqlalchemy_refresh_tokens import SQLAlchemyRefreshTokenStore
from .stores.sqlalchemy_revocations import SQLAlchemyRevocationStore
from .stores.unused_clients import UnusedClients

if TYPE_CHECKING:
    from .endpoints.http import Endpoint
    from .endpoints.people import People
    from .resource_server.guard import Guard

EXTENSION_KEY = "private_key_jwt"


@dataclass(frozen=True, slots=True)
class State:
    """Everything ``init_app`` made for one app."""

    settings: ServerSettings
    secrets: Secrets
    clients: ClientRegistry
    registration_tokens: RegistrationTokens
    self_registration: SelfRegistration
    server_keys: ServerKeys
    replay: ReplayStore
    counters: Counters
    unused_clients: UnusedClients
    documents: FetchedDocumentStore
    server: AuthorizationServer
    people: "People"
    logout: Logout
    userinfo: "Guard"
    """What guards UserInfo."""
    authorizations: SQLAlchemyAuthorizationStore
    refresh_tokens: SQLAlchemyRefreshTokenStore
    revocations: SQLAlchemyRevocationStore
    endpoints: "Mapping[str, Endpoint]"
    """Path below the app -> what answers there."""

    def verification_keys(self) -> tuple[PublicKey, ...]:
        """The public keys of this server's tokens, for an API in the same app."""
        return self.server_keys.current().public

    def is_revoked(self, claims: Claims) -> bool:
        """Whether an access token counts no longer, for an API in the same app: it was revoked, or its client is gone.

        :raises StoreUnavailable: The database did not answer.
        """
        return self.server.revocations.is_revoked(claims) or not self.server.clients.is_admitted(claims["client_id"])


def current_state() -> State:
    """The State of the current app.

    :raises ConfigurationError: ``init_app`` was not called on it.
    """
    state = flask.current_app.extensions.get(EXTENSION_KEY)
    if not isinstance(state, State):
        raise ConfigurationError("Call PrivateKeyJWT(db).init_app(app) on this app first.")
    return state
