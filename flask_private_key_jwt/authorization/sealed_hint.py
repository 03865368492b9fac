"""An ``id_token_hint`` that was posted, on its way through a URL: what it says, sealed, for a minute."""

import base64
import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from .. import clock
from ..keys.derived import Secrets
from ..tokens.id_token import IdTokenHint

LIFETIME_SECONDS = 60
_PURPOSE = "posted id_token_hint"


class SealedHints:
    """Seals hints and opens them again; nothing is stored, so any worker will do.

    URLs are kept in logs and histories, and an ID token says who somebody is.

    :param secrets: The application's secrets.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def seal(self, hint: IdTokenHint) -> str:
        """A text for a URL, of which nobody learns anything."""
        text = json.dumps([hint.subject, hint.client_id])
        return self._cipher().encrypt_at_time(text.encode(), clock.now()).decode()

    def find(self, sealed: str) -> IdTokenHint | None:
        """What was sealed; ``None``: it was too long ago, or not by us."""
        try:
            # Fernet counts the last second in; what lives for a minute is over after it.
            text = self._cipher().decrypt_at_time(sealed.encode(), LIFETIME_SECONDS - 1, clock.now())
        except InvalidToken:
            return None
        subject, client_id = json.loads(text)
        return IdTokenHint(subject, client_id)

    def _cipher(self) -> MultiFernet:
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in self._secrets.derive(_PURPOSE)])
