"""Where a client's keys are: given by value (``jwks``), or at a URL (``jwks_uri``), never both (RFC 7591 §2)."""

from collections.abc import Mapping
from typing import Any

from ...errors import InvalidClientMetadata
from ...fetching.fetch_target import FetchRefused, fetch_policy, read_target
from ...jose.jose import JoseProblem
from ...settings.server import ServerSettings
from ..keys.client_keys import WrongCertificate, read_jwks
from .kept_members import keep_known_members

JWKSOrURI = tuple[Mapping[str, Any] | None, str | None]


def check_key_source(metadata: Mapping[str, Any], alg: str | None, settings: ServerSettings) -> JWKSOrURI:
    """Check a registration's ``jwks`` or ``jwks_uri``, and return what is kept of both: one of them is ``None``.

    A ``jwks_uri`` is neither looked up nor fetched: who registers is not to learn what it leads to.

    :param metadata: The registration, without members that are ``None``.
    :param alg: The one algorithm the client will sign with, if it says so.
    :raises InvalidClientMetadata: Neither is there, or both; or the one that is there is not acceptable.
    """
    accepted = settings.ASSERTION_SIGNING_ALGS
    if alg is not None and alg not in accepted:
        raise InvalidClientMetadata(
            f"token_endpoint_auth_signing_alg {alg!r} is not accepted here; it may be {', '.join(accepted)}"
        )
    if "jwks" in metadata and "jwks_uri" in metadata:
        raise InvalidClientMetadata("jwks and jwks_uri are both there; a client has its keys in one place")
    if "jwks_uri" in metadata:
        return None, _check_jwks_uri(metadata["jwks_uri"], settings)
    return _check_jwks(metadata.get("jwks"), {alg} if alg else set(accepted)), None


def _check_jwks_uri(url: object, settings: ServerSettings) -> str:
    if not isinstance(url, str):
        raise InvalidClientMetadata("jwks_uri is not a string")
    try:
        read_target(url, fetch_policy(settings, hosts=settings.JWKS_HOSTS))
    except FetchRefused as refusal:
        raise InvalidClientMetadata(f"jwks_uri: {refusal.reason}") from None
    return url


def _check_jwks(jwks: object, wanted: set[str]) -> Mapping[str, Any]:
    if not isinstance(jwks, Mapping):
        raise InvalidClientMetadata("jwks is missing: a private_key_jwt client needs its public keys, as a JWK Set")
    try:
        keys, passed_over = read_jwks(jwks)
    except JoseProblem as problem:
        raise InvalidClientMetadata(f"jwks: {problem}") from None
    if wrong := [problem for problem in passed_over if isinstance(problem, WrongCertificate)]:
        raise InvalidClientMetadata(f"jwks: {wrong[0]}")
    if not any(key.public.algs & wanted for key in keys):
        why = f" ({'; '.join(map(str, passed_over))})" if passed_over else ""
        raise InvalidClientMetadata(f"jwks holds no public key that can verify {' or '.join(sorted(wanted))}{why}")
    return keep_known_members(jwks)
