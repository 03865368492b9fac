"""DPoP proofs for one server (RFC 9449 §4.2), with the newest nonce that it gave (§8.2)."""

import re
import secrets
from collections.abc import Mapping

from .. import clock
from ..dpop.proof import build_proof
from ..jose import jose

# RFC 9449 §8.1: NQCHAR. A repeated header arrives joined by ", ", which does not match.
_NONCE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,4096}")


class Prover:
    """Makes the proofs for one server; safe to use from several threads.

    A nonce of one server is not valid at another (RFC 9449 §8), so each server has its own prover.

    :param key: The DPoP key; every proof contains its public key.
    """

    def __init__(self, key: jose.PrivateKey) -> None:
        self._key = key
        self._nonce: str | None = None

    @property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint of the key: the ``jkt`` of what is bound to it."""
        return self._key.public.thumbprint

    def prove(self, *, method: str, url: str, access_token: str | None = None) -> str:
        """A new proof for one request.

        :param method: The request's HTTP method: ``htm``.
        :param url: The request's URL; without its query and fragment it is the ``htu``.
        :param access_token: The token in the request, at an API: ``ath``.
        """
        return build_proof(
            self._key,
            jti=secrets.token_urlsafe(18),
            method=method,
            url=url,
            now=clock.now(),
            access_token=access_token,
            nonce=self._nonce,
        )

    def learn(self, headers: Mapping[str, str]) -> bool:
        """Keep the nonce of an answer, success or error (RFC 9449 §8.2).

        :param headers: The answer's headers; a mapping that ignores case.
        :return: Whether the answer has a nonce.
        """
        nonce = headers.get("DPoP-Nonce")
        if nonce is None or not _NONCE.fullmatch(nonce):
            return False
        self._nonce = nonce
        return True
