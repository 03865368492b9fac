"""The content of a posted ``id_token_hint``, sealed for a URL. A seal is good for one minute."""

from ...jose.derived import Secrets
from ...jose.seal import Seal
from ..tokens.id_token import IdTokenHint

LIFETIME_SECONDS = 60


class SealedHints:
    """Seals hints and opens them again.

    They are sealed because URLs are kept in logs and histories, and an ID token says who somebody is.

    :param secrets: The application's secrets.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._seal = Seal(secrets, purpose="posted id_token_hint", lifetime=LIFETIME_SECONDS)

    def seal(self, hint: IdTokenHint) -> str:
        """A string for a URL that nobody else can read."""
        return self._seal.seal([hint.subject, hint.client_id])

    def find(self, sealed: str) -> IdTokenHint | None:
        """The hint that was sealed; ``None``: the seal is too old, or not ours."""
        members = self._seal.find(sealed)
        return IdTokenHint(*members) if members else None
