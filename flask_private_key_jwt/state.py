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
from .stores.registration_tokens import RegistrationTokens
from .stores.sqlalchemy_authorizations import SQLAlchemyAuthorizationStore
from .stores.sqlalchemy_refresh_tokens import SQLAlchemyRefreshTokenStore

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
    documents: FetchedDocumentStore
    server: AuthorizationServer
    people: "People"
    logout: Logout
    userinfo: "Guard"
    """What guards UserInfo."""
    authorizations: SQLAlchemyAuthorizationStore
    refresh_tokens: SQLAlchemyRefreshTokenStore
    endpoints: "Mapping[str, Endpoint]"
    """Path below the app -> what answers there."""

    def verification_keys(self) -> tuple[PublicKey, ...]:
        """The public keys of this server's tokens, for an API in the same app."""
        return self.server_keys.current().public

    def is_revoked(self, claims: Claims) -> bool:
        """Whether the grant that an access token came of was revoked, for an API in the same app."""
        acts_for_a_person = claims["sub"] != claims["client_id"]  # what a client does for itself has no such grant
        return acts_for_a_person and self.server.refresh_tokens.is_revoked(claims.get("grant_id", ""))


def current_state() -> State:
    """The State of the current app.

    :raises ConfigurationError: ``init_app`` was not called on it.
    """
    state = flask.current_app.extensions.get(EXTENSION_KEY)
    if not isinstance(state, State):
        raise ConfigurationError("Call PrivateKeyJWT(db).init_app(app) on this app first.")
    return state
