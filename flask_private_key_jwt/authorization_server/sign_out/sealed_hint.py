"""An ``id_token_hint`` that was posted, on its way through a URL: what it says, sealed, for a minute."""

from ...jose.derived import Secrets
from ...jose.seal import Seal
from ..tokens.id_token import IdTokenHint

LIFETIME_SECONDS = 60


class SealedHints:
    """Seals hints and opens them again.

    URLs are kept in logs and histories, and an ID token says who somebody is.

    :param secrets: The application's secrets.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._seal = Seal(secrets, purpose="posted id_token_hint", lifetime=LIFETIME_SECONDS)

    def seal(self, hint: IdTokenHint) -> str:
        """A string for a URL that nobody else can read."""
        return self._seal.seal([hint.subject, hint.client_id])

    def find(self, sealed: str) -> IdTokenHint | None:
        """What was sealed; ``None``: it was too long ago, or not by us."""
        members = self._seal.find(sealed)
        return IdTokenHint(*members) if members else None
