"""What one app owns: one frozen State in ``app.extensions["private_key_jwt"]``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import clock
from ..database.database import Database
from ..errors import ConfigurationError
from ..jose.derived import Secrets
from ..jose.jose import Claims, PublicKey
from ..operations.readiness import ReadinessCheck
from ..replay.base import ReplayStore
from ..resource_server.guard import Guard
from ..resource_server.in_flask import current_app
from ..settings.server import ServerSettings
from ..signals.events import Announcer
from ..signals.metering import Caches, Meter
from .authorization.person_grants import PersonGrants
from .endpoint import ServerEndpoint
from .keys.client_key_use import ClientKeyUse
from .keys.client_secrets import ClientSecrets
from .keys.server_keys import ServerKeys
from .needs import REASONS, Need, Offered, find_missing
from .people import People
from .readiness import ServerReadiness
from .registration.overview import ClientOverviews
from .registration.registry import ClientRegistry
from .registration.self_registration import SelfRegistration
from .server import AuthorizationServer
from .sign_out.logout import Logout
from .stores.app_stores import AppStores
from .stores.contracts import FetchedDocumentStore
from .stores.sql.audit import AuditTrail
from .stores.sql.authorizations import SQLAlchemyAuthorizationStore
from .stores.sql.client_key_use import SQLAlchemyClientKeyUseStore
from .stores.sql.client_secrets import SQLAlchemyClientSecretStore
from .stores.sql.counters import Counters
from .stores.sql.refresh_tokens import SQLAlchemyRefreshTokenStore
from .stores.sql.registration_tokens import RegistrationTokens
from .stores.sql.revocations import SQLAlchemyRevocationStore
from .stores.sql.unused_clients import UnusedClients

EXTENSION_KEY = "private_key_jwt"


@dataclass(frozen=True, slots=True)
class State:
    """Everything ``init_app`` made for one app."""

    settings: ServerSettings
    announcer: Announcer
    secrets: Secrets
    clients: ClientRegistry
    registration_tokens: RegistrationTokens
    self_registration: SelfRegistration
    server_keys: ServerKeys
    replay: ReplayStore
    counters: Counters
    unused_clients: UnusedClients
    documents: FetchedDocumentStore
    stores: AppStores
    """All of them, for a command that builds parts of its own."""
    server: AuthorizationServer
    people: People
    offered: Offered
    key_use: ClientKeyUse
    client_secrets: ClientSecrets
    stored_client_secrets: SQLAlchemyClientSecretStore
    stored_key_use: SQLAlchemyClientKeyUseStore
    logout: Logout
    userinfo: Guard
    """Checks the tokens at UserInfo."""
    authorizations: SQLAlchemyAuthorizationStore
    refresh_tokens: SQLAlchemyRefreshTokenStore
    revocations: SQLAlchemyRevocationStore
    endpoints: Mapping[str, ServerEndpoint]
    """Path relative to the app -> the endpoint there."""
    describe: Callable[[], Mapping[str, Any]]
    """The metadata document, for an API in the same app."""
    readiness: ServerReadiness
    database: Database
    trail: AuditTrail
    """The rows that are kept already, also if none are added now."""
    meter: Meter
    caches: Caches
    overviews: ClientOverviews
    person_grants: PersonGrants

    def find_missing(self, needs: frozenset[Need]) -> str | None:
        """The private reason why something with these *needs* is not served; ``None`` if it is."""
        missing = find_missing(needs, self.offered()) if needs else None
        return None if missing is None else REASONS[missing]

    def readiness_checks(self) -> Mapping[str, ReadinessCheck]:
        """What the server needs in order to answer requests: a name -> a function that raises if it is not there."""
        return self.readiness.checks()

    def key_ages(self) -> Mapping[str, Sequence[int]]:
        """State of a signing key (``signs``, ``announced``, ``verifies``) -> the ages of such keys, in seconds.

        :raises StoreUnavailable: The database did not answer, and this process has no copy of the keys.
        :raises ConfigurationError: A key cannot be decrypted.
        """
        ages: dict[str, list[int]] = {"signs": [], "announced": [], "verifies": []}
        ring = self.server_keys.current()
        now = clock.now()
        for key in ring.published:
            state = "signs" if key.slot == ring.signer.slot else "announced" if key.signs_from > now else "verifies"
            ages[state].append(now - key.created_at)
        return ages

    def count_client_keys(self, days: Sequence[int]) -> Mapping[int, int]:
        """Number of days -> how many keys clients have had for at least so long.

        :raises StoreUnavailable: The database did not answer.
        """
        return self.stored_key_use.count_older(now=clock.now(), days=days)

    def verification_keys(self) -> tuple[PublicKey, ...]:
        """The public keys of this server's tokens, for an API in the same app."""
        return self.server_keys.current().public

    def newest_verification_keys(self) -> tuple[PublicKey, ...]:
        """The same, after a look whether another process has changed them.

        :raises StoreUnavailable: The database did not answer.
        """
        return self.server_keys.newest().public

    def is_revoked(self, claims: Claims) -> bool:
        """Whether an access token no longer counts, for an API in the same app.

        Its client may have been removed or disabled, or the token was revoked.

        :raises StoreUnavailable: The database did not answer.
        """
        return self.server.revocations.is_revoked(claims) or not self.server.clients.is_admitted(claims["client_id"])


def current_state() -> State:
    """The State of the current app.

    :raises ConfigurationError: ``init_app`` was not called on this app.
    """
    state = current_app().extensions.get(EXTENSION_KEY)
    if not isinstance(state, State):
        raise ConfigurationError("Call PrivateKeyJWT(db).init_app(app) on this app first.")
    return state
