"""The authorization server in the same app as the API, if there is one. Its code is not imported."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..jose.derived import Secrets
from ..jose.jose import Claims, PublicKey
from ..replay.base import ReplayStore
from ..settings.server import ServerSettings

SERVER_KEY = "private_key_jwt"
"""Its key in ``app.extensions``."""


class OwnServer(Protocol):
    """The part of the authorization server that the API uses."""

    @property
    def settings(self) -> ServerSettings:
        """Its settings, which tell whether it is the API's issuer."""

    @property
    def secrets(self) -> Secrets:
        """The application's secrets; they may be missing while a set-up command runs."""

    @property
    def replay(self) -> ReplayStore:
        """Where it remembers used proofs; the API uses the same store."""

    @property
    def describe(self) -> Callable[[], Mapping[str, Any]]:
        """Returns its metadata document (RFC 8414 §2)."""

    def verification_keys(self) -> tuple[PublicKey, ...]:
        """The public keys that verify its tokens.

        :raises StoreUnavailable: The database did not answer.
        """

    def newest_verification_keys(self) -> tuple[PublicKey, ...]:
        """The same, after a look whether another process has changed them.

        :raises StoreUnavailable: The database did not answer.
        """

    def is_revoked(self, claims: Claims) -> bool:
        """Whether the token, or the grant it came from, was revoked, or its client is removed or disabled.

        :raises StoreUnavailable: The database did not answer.
        """
