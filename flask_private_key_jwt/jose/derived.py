"""Keys derived from the application's secrets, one per purpose (HKDF, RFC 5869)."""

import base64
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import ConfigurationError
from ..settings.shared import SharedSettings

MIN_SECRET_CHARACTERS = 32


class Secrets:
    """The application's secrets, newest first; each purpose gets its own keys.

    :param values: Secrets of at least 32 characters. Empty if there are none: then :meth:`derive` raises.
    """

    def __init__(self, values: tuple[str, ...]) -> None:
        self._values = values

    def __repr__(self) -> str:
        return f"<Secrets, {len(self._values)} of them>"

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """A 32-byte key for *purpose* from every secret, newest first.

        :raises ConfigurationError: The application has no secret.
        """
        if not self._values:
            raise ConfigurationError(MISSING)
        return tuple(_hkdf(value, purpose) for value in self._values)

    def cipher(self, purpose: str) -> MultiFernet:
        """Encrypts with the newest secret's key for *purpose*, and decrypts with any.

        :raises ConfigurationError: The application has no secret.
        """
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in self.derive(purpose)])


MISSING = (
    "No usable secret: set SECRET_KEY (or OAUTH2_SECRETS) to at least "
    f"{MIN_SECRET_CHARACTERS} random characters. `flask oauth2 secret` makes one."
)


def read_secrets(settings: SharedSettings, config: Mapping[str, Any]) -> Secrets:
    """Read ``OAUTH2_SECRETS``, or else Flask's ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``.

    A fallback that is too short is ignored: the application may need it for old sessions, but no key was ever derived
    from it.

    :raises ConfigurationError: No secret is set, or one is too short.
    """
    secrets = settings.SECRETS
    if not secrets:
        fallbacks = config.get("SECRET_KEY_FALLBACKS") or ()
        if isinstance(fallbacks, (str, bytes)):  # one fallback, set in the environment as a string
            fallbacks = (fallbacks,)
        usable = (text for text in map(_text, fallbacks) if len(text) >= MIN_SECRET_CHARACTERS)
        secrets = (_text(config.get("SECRET_KEY")), *usable)
    if min(map(len, secrets)) < MIN_SECRET_CHARACTERS:
        raise ConfigurationError(MISSING)
    return Secrets(secrets)


def _text(secret: object) -> str:
    """A secret as a string; empty, and so too short, for a value of another type."""
    if isinstance(secret, bytes):
        return secret.decode("latin-1")
    return secret if isinstance(secret, str) else ""


def _hkdf(secret: str, purpose: str) -> bytes:
    info = f"flask_private_key_jwt {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
