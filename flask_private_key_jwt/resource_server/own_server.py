"""The authorization server that lives in the same app as the API, if there is one. Nothing of it is imported."""

from typing import Protocol

from ..keys.derived import Secrets
from ..keys.jose import Claims, PublicKey
from ..settings import ServerSettings
from ..stores.base import ReplayStore

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
        """Whether what a token came of was revoked, e.g. because its code was used twice (RFC 6749 §4.1.2).

        :raises StoreUnavailable: That cannot be read.
        """
