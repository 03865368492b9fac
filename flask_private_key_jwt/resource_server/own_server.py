"""The authorization server that lives in the same app as the API, if there is one. Nothing of it is imported."""

from typing import Protocol

from ..jose.derived import Secrets
from ..jose.jose import Claims, PublicKey
from ..replay.base import ReplayStore
from ..settings.server import ServerSettings

SERVER_KEY = "private_key_jwt"
"""Where it is in ``app.extensions``."""


class OwnServer(Protocol):
    """What an API uses of it."""

    @property
    def settings(self) -> ServerSettings:
        """Its settings: whether it is our issuer."""

    @property
    def secrets(self) -> Secrets:
        """The application's secrets, which may be missing while a set-up command runs."""

    @property
    def replay(self) -> ReplayStore:
        """Where it remembers used proofs; ours go there too."""

    def verification_keys(self) -> tuple[PublicKey, ...]:
        """The public keys of its tokens.

        :raises StoreUnavailable: They cannot be read.
        """

    def is_revoked(self, claims: Claims) -> bool:
        """Whether a token counts no longer: it or what it came of was revoked, or its client is removed or disabled.

        :raises StoreUnavailable: That cannot be read.
        """
