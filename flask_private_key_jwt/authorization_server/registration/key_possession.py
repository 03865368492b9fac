"""Proof that a client holds the keys it registers: for each new key, a JWT that is signed with it.

Without it a client could register somebody else's key, or a key that nobody holds. The setting
``OAUTH2_REGISTRATION_KEY_POSSESSION`` requires it; keys that are registered already need no new proof.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ... import clock
from ...errors import InvalidClientMetadata
from ...jose import jose
from ...replay.base import KEY_POSSESSION, Mark
from ...settings.server import ServerSettings
from ..keys.client_keys import MAX_KEYS, ClientKey, read_jwks
from ..registered_client import RegisteredClient

MEMBER = "key_possession"
"""The member of an update that carries the JWTs, as a list; never stored."""

TYP = "key-possession+jwt"
_TYPES = frozenset({TYP})


def check_possession(
    metadata: Mapping[str, Any],
    *,
    before: RegisteredClient,
    after: RegisteredClient,
    audience: str,
    settings: ServerSettings,
) -> tuple[Mark, ...]:
    """Check that an update proves possession of each of its new keys.

    :param metadata: The update as it was sent.
    :param audience: The client's ``registration_client_uri``, which the JWTs must name as ``aud``.
    :return: The marks that the replay store must remember before the update is saved.
    :raises InvalidClientMetadata: A new key is not proven; or there is a new ``jwks_uri``, which cannot be proven,
        because its keys may be others tomorrow.
    """
    if after.is_public and not before.is_public:
        raise InvalidClientMetadata(
            "a client that held keys cannot go on without: nothing would prove it is the same",
            cause="key_possession_dropped",
        )
    if after.jwks_uri is not None and after.jwks_uri != before.jwks_uri:
        raise InvalidClientMetadata(
            "a new jwks_uri cannot be proven: OAUTH2_REGISTRATION_KEY_POSSESSION is required",
            cause="key_possession_jwks_uri",
        )
    new_keys = _find_new_keys(before, after)
    proofs = _parse_proofs(metadata.get(MEMBER), settings) if new_keys else ()
    return tuple(_check_key(key, proofs, audience=audience, settings=settings) for key in new_keys)


def _find_new_keys(before: RegisteredClient, after: RegisteredClient) -> list[ClientKey]:
    known = {key.public.thumbprint for key in _usable_keys(before)}
    # One key may have several entries, but it needs only one proof.
    added = {key.public.thumbprint: key for key in _usable_keys(after)}
    return [key for thumbprint, key in added.items() if thumbprint not in known]


def _usable_keys(client: RegisteredClient) -> tuple[ClientKey, ...]:
    try:
        return read_jwks(client.jwks)[0] if client.jwks is not None else ()
    except jose.JoseProblem:  # a set registered under older rules may be unreadable: then it proves no key
        return ()


def _parse_proofs(proofs: object, settings: ServerSettings) -> Sequence[jose.JWT]:
    if proofs is None:
        return ()
    if not isinstance(proofs, list) or len(proofs) > MAX_KEYS or not all(isinstance(proof, str) for proof in proofs):
        raise InvalidClientMetadata(
            f"{MEMBER} is not a list of at most {MAX_KEYS} JWTs", cause="key_possession_not_a_list"
        )
    return [_parse(proof, settings) for proof in proofs]


def _parse(proof: str, settings: ServerSettings) -> jose.JWT:
    try:
        return jose.read(
            proof, typ=_TYPES, algs=settings.ASSERTION_SIGNING_ALGS, max_bytes=settings.ASSERTION_MAX_BYTES
        )
    except jose.JoseProblem as problem:
        raise problem.as_refusal(InvalidClientMetadata, MEMBER) from None


def _check_key(key: ClientKey, proofs: Sequence[jose.JWT], *, audience: str, settings: ServerSettings) -> Mark:
    thumbprint = key.public.thumbprint
    for jwt in proofs:
        if key.public.fits(jwt.alg) and key.is_named_by(jwt) and jose.verify(jwt, key.public):
            return _check_claims(jwt, thumbprint, audience, settings)
    raise InvalidClientMetadata(
        f"{MEMBER} holds no JWT signed with the new key {thumbprint}", cause="key_possession_missing"
    )


def _check_claims(jwt: jose.JWT, thumbprint: str, audience: str, settings: ServerSettings) -> Mark:
    """Check that the JWT was made for this client at this server and is valid now; return the mark to remember."""
    skew, longest = settings.CLOCK_SKEW_SECONDS, settings.ASSERTION_LIFETIME_SECONDS
    try:
        if jose.require_audience(jwt.claims) != (audience,):
            raise jose.JoseProblem(f"aud {jose.shorten(jwt.claims['aud'])} is not {audience!r}", cause="aud")
        jti = jose.require_jti(jwt.claims)
        used_from, until = jose.check_life(jwt.claims, now=clock.now(), skew=skew, longest=longest)
    except jose.JoseProblem as problem:
        raise problem.as_refusal(InvalidClientMetadata, MEMBER) from None
    return Mark(KEY_POSSESSION, settings.ISSUER, thumbprint, jti, until, used_from)
