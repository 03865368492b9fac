"""Small encrypted values that a browser keeps for the server: nobody else can read or change them, and they expire."""

import json
from typing import Any

from cryptography.fernet import InvalidToken, MultiFernet

from .. import clock
from .derived import Secrets


class Seal:
    """Seals JSON values and opens them again; nothing is stored, so any worker can open them.

    :param secrets: The application's secrets.
    :param purpose: What the values are for: a value that was sealed for another purpose cannot be opened.
    :param lifetime: How long a sealed value is valid, in seconds.
    """

    def __init__(self, secrets: Secrets, *, purpose: str, lifetime: int) -> None:
        self._secrets = secrets
        self._purpose = purpose
        self._lifetime = lifetime

    def seal(self, value: Any) -> str:
        """A string for a URL or a cookie that nobody else can read.

        :raises ConfigurationError: The application has no secret.
        """
        text = json.dumps(value, separators=(",", ":"))
        return self._cipher().encrypt_at_time(text.encode(), clock.now()).decode()

    def find(self, sealed: str) -> Any:
        """The value that was sealed; ``None`` if it has expired or was not sealed here.

        :raises ConfigurationError: The application has no secret.
        """
        try:
            # Fernet still accepts a value that is exactly ttl seconds old; here it has expired by then.
            return json.loads(self._cipher().decrypt_at_time(sealed.encode(), self._lifetime - 1, clock.now()))
        except InvalidToken:
            return None

    def _cipher(self) -> MultiFernet:
        return self._secrets.cipher(self._purpose)
