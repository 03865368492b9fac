"""DPoP nonces (RFC 9449 §8, §9): not stored, shared by all workers, valid for one to two windows, for many uses."""

import hmac
from functools import cached_property
from hashlib import sha256

from ..jose.derived import Secrets
from ..jose.jose import b64url


class Nonces:
    """Makes and recognises the nonces of one server.

    :param secrets: The application's secrets; every worker must have the same.
    :param purpose: ``as`` or ``rs``: neither server accepts the nonces of the other (RFC 9449 §9).
    :param lifetime: Length of a window, in seconds.
    """

    def __init__(self, secrets: Secrets, *, purpose: str, lifetime: int) -> None:
        self._secrets = secrets
        self._purpose = f"dpop nonce {purpose}"
        self.lifetime = lifetime

    def issue(self, *, now: int) -> str:
        """The nonce of the current window, 32 characters of NQCHAR."""
        return self._nonce(self._keys[0], now // self.lifetime)

    def find_start(self, nonce: str, *, now: int) -> int | None:
        """The start of the window of *nonce*, in seconds since the epoch; ``None`` if *nonce* is not valid.

        Nonces of the current window and of the one before are valid.
        """
        window = now // self.lifetime
        given = nonce.encode("utf-8", "surrogatepass")
        for key in self._keys:
            for index in (window, window - 1):
                if hmac.compare_digest(self._nonce(key, index).encode(), given):
                    return index * self.lifetime
        return None

    @cached_property
    def _keys(self) -> tuple[bytes, ...]:
        # At first use, because a set-up command needs no secret. Cached, because HKDF costs as much as a check.
        return self._secrets.derive(self._purpose)

    @staticmethod
    def _nonce(key: bytes, window: int) -> str:
        return b64url(hmac.digest(key, window.to_bytes(8), sha256)[:24])
