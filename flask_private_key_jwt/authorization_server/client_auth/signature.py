"""Which key of a client signed a JWT: an assertion (RFC 7523 §3, item 9) or a request object (RFC 9101 §6.2)."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ...errors import OAuthError
from ...jose import jose
from ..keys.client_keys import ClientKey, ClientKeys, KeySet
from ..keys.remote_documents import DocumentUnavailable
from ..registered_client import RegisteredClient
from ..stores.contracts import ClientStore

R = TypeVar("R", bound=OAuthError)


class NotSigned(Exception):
    """No key of the client signed the JWT, or its keys cannot be fetched; the message is a private reason.

    :param cause: The code of the reason; ``None``: the client publishes its keys, and they cannot be fetched.
    :param keys: Every key that was looked at, and why it is not the one.
    """

    def __init__(self, reason: str, *, cause: str | None, keys: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(reason)
        self.cause = cause
        self.keys = keys

    def as_refusal(self, refusal: type[R], kind: str) -> R:
        """The refusal of a request that holds such a JWT.

        :param kind: What it is, as in :meth:`.JoseProblem.as_refusal`.
        """
        if self.cause is None:
            return refusal(f"the client's keys {self}", cause="client_keys_unavailable")
        problem = jose.JoseProblem(str(self), cause=self.cause, details={"keys": self.keys})
        return problem.as_refusal(refusal, kind)


class ClientSignatures:
    """Checks signatures with the keys that are registered for one client, and no others (RFC 8725 §3.10).

    :param clients: Knows whether a client registered by a document has a newer version.
    :param keys: Finds the keys.
    """

    def __init__(self, clients: ClientStore, keys: ClientKeys) -> None:
        self._clients = clients
        self._keys = keys

    def find_signer(self, jwt: jose.JWT, client: RegisteredClient, *, now: int) -> ClientKey:
        """The key that signed *jwt*; the caller has checked its ``alg`` against an allow-list.

        :param now: Seconds since the epoch: a key may have a certificate that is not valid now.
        :raises NotSigned: There is none.
        :raises FetchBusy: The client's keys cannot be fetched now, because other fetches leave no room.
        """
        known, candidates = self._find_candidates(jwt, client)
        if not candidates:
            raise NotSigned(
                f"no key of the client fits kid {jwt.kid!r} and alg {jwt.alg!r}",
                cause="no_key",
                keys=tell_keys(known, jwt, now=now),
            )
        current = [key for key in candidates if key.is_current(now=now)]
        if not current:
            raise NotSigned(
                "the certificate of the key is expired or not valid yet",
                cause="certificate_not_current",
                keys=tell_keys(known, jwt, now=now),
            )
        for key in current:
            if jose.verify(jwt, key.public):
                self._clients.confirm(client)
                self._keys.confirm(client)
                return key
        raise NotSigned("the signature does not verify", cause="signature", keys=tell_keys(known, jwt, now=now))

    def _find_candidates(self, jwt: jose.JWT, client: RegisteredClient) -> tuple[KeySet, KeySet]:
        """The client's keys, and those of them that may have signed."""
        try:
            found = self._keys.candidates(client, jwt)
            if not found[1] and (newer := self._clients.newer(client)) is not None:
                found = self._keys.candidates(newer, jwt)
        except DocumentUnavailable as problem:
            raise NotSigned(f"at {problem.reason}", cause=None) from None
        return found


def tell_keys(keys: KeySet, jwt: jose.JWT, *, now: int) -> list[dict[str, Any]]:
    """Each of *keys*, by its names, with the reason why it did not verify *jwt*."""
    return [
        {"kid": key.public.kid, "thumbprint": key.public.thumbprint, "why": _why_not(key, jwt, now=now)} for key in keys
    ]


def _why_not(key: ClientKey, jwt: jose.JWT, *, now: int) -> str:
    if not key.public.fits(jwt.alg):
        return f"not tried: it verifies {', '.join(sorted(key.public.algs))}, and the alg is {jwt.alg}"
    if not key.is_named_by(jwt):
        return "not tried: the header names another key"
    if not key.is_current(now=now):
        return "not tried: its certificate is not valid at this time"
    return "tried: the signature does not verify with it"
