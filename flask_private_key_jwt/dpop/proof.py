"""Check a DPoP proof (RFC 9449 §4.3), at both servers; build one, in a client (§4.2)."""

import hmac
import math
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from .. import clock
from ..bounded_cache import BoundedCache
from ..errors import InvalidDPoPProof, UseDPoPNonce
from ..jose import jose
from ..replay.base import PROOF, Mark
from ..settings.shared import SharedSettings
from ..signals.metering import Meter
from ..web.url import find_web_url
from .nonce import Nonces

TYP = "dpop+jwt"
_TYPES = frozenset({TYP})
KEY_CACHE_SIZE = 2048
KEY_CACHE_BYTES = 1 << 23
LONGEST_CACHED_HEADER = 2048
"""A longer header is not cached: no key needs one, and a sender must not be able to fill the memory."""
# Characters that a path may contain unescaped (RFC 3986 §3.3). WSGI decodes the path: an app sees ":" for "%3A".
_LITERAL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class DPoPProof:
    """A proof that passed every check of RFC 9449 §4.3, but is not used up yet."""

    thumbprint: str
    """RFC 7638 SHA-256 thumbprint of the proof key, base64url: the ``jkt``."""
    marks: tuple[Mark, ...]
    """What the replay store must remember before the proof is accepted."""


@dataclass(frozen=True, slots=True)
class _KnownHeader:
    """The header of a proof whose signature was valid. All proofs of one client with one key have the same header."""

    header: jose.Claims
    key: jose.PublicKey


class ProofChecker:
    """Checks proofs for one server.

    :param settings: The server's settings.
    :param nonces: The server's nonces if a proof must have one, else ``None``.
    :param server: The server's name in a mark: see :attr:`.replay.base.Mark.server`.
    :param meter: Whose observer is told of the clients' clocks.
    """

    def __init__(
        self, settings: SharedSettings, nonces: Nonces | None, *, server: str, meter: Meter | None = None
    ) -> None:
        self._settings = settings
        self._nonces = nonces
        self._server = server
        self._meter = meter or Meter()
        self._known: BoundedCache[str, _KnownHeader] = BoundedCache(
            max_entries=KEY_CACHE_SIZE, max_bytes=KEY_CACHE_BYTES
        )

    @property
    def cache(self) -> BoundedCache[str, _KnownHeader]:
        """The keys of proofs that were valid."""
        return self._known

    def new_nonce(self) -> str | None:
        """The nonce to send with an answer; ``None`` if proofs need no nonce (RFC 9449 §8.2)."""
        return self._nonces.issue(now=clock.now()) if self._nonces else None

    def check(self, proof: str, *, method: str, url: str, ath: str | None = None, jkt: str | None = None) -> DPoPProof:
        """Check one ``DPoP`` header against its request.

        :param method: The request's HTTP method.
        :param url: The request's URL by configuration, without query and fragment.
        :param ath: At a resource server, :func:`access_token_hash` of the request's token.
        :param jkt: The thumbprint of the key that the token is bound to. Only a proof of this key is cached, so that
            the holder of one token cannot fill the memory with other keys. The caller compares the thumbprints.
        :raises InvalidDPoPProof: The proof is malformed, or was made for another request or token.
        :raises UseDPoPNonce: Everything else is right, but the nonce is missing, unknown or too old.
        """
        now = clock.now()
        try:
            jwt, key = self._check_signature(proof, jkt)
            observer = self._meter.observer
            if observer is not None and (issued := jose.read_date(jwt.claims, "iat")) is not None:
                observer.note_clock("proof", issued - now)
            jti = jose.require_jti(jwt.claims)
            _check_target(jwt.claims, method=method, url=url)
            if ath is not None:
                _check_ath(jwt.claims, ath)
            used_from, until = self._check_age(jwt.claims, now=now)
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InvalidDPoPProof, "proof") from None
        if self._nonces is not None:
            used_from, until = self._check_nonce(jwt.claims, self._nonces, now=now)
        return DPoPProof(key.thumbprint, (Mark(PROOF, self._server, key.thumbprint, jti, until, used_from),))

    def _check_signature(self, proof: str, jkt: str | None) -> tuple[jose.JWT, jose.PublicKey]:
        if "," in proof:
            raise InvalidDPoPProof("more than one DPoP header", cause="proof_repeated")
        settings, head = self._settings, proof.partition(".")[0]
        known = self._known.get(head)
        jwt = jose.read(
            proof,
            typ=_TYPES,
            algs=settings.DPOP_SIGNING_ALGS,
            max_bytes=settings.DPOP_PROOF_MAX_BYTES,
            known_header=known.header if known else None,
        )
        key = known.key if known else _import_key(jwt)
        if not jose.verify(jwt, key):
            raise jose.JoseProblem("the signature does not verify with its jwk", cause="signature")
        if known is None and len(head) <= LONGEST_CACHED_HEADER and jkt in (None, key.thumbprint):
            self._known.keep(head, _KnownHeader(jwt.header, key))
        return jwt, key

    def _check_age(self, claims: jose.Claims, *, now: int) -> tuple[int, int]:
        """Check the times of a proof; return the first and the last second in which it can be used.

        ``exp`` and ``nbf`` are optional, but checked if present. With nonces, ``iat`` does not limit the age: the nonce
        is by our clock, ``iat`` by the client's (RFC 9449 §11.1).
        """
        skew, lifetime = self._settings.CLOCK_SKEW_SECONDS, self._settings.DPOP_PROOF_LIFETIME_SECONDS
        iat = jose.require_date(claims, "iat")
        jose.check_times(claims, now=now, skew=skew, late=skew, begins=("nbf",) if self._nonces else ("nbf", "iat"))
        if self._nonces is None and now >= iat + lifetime:
            reason = f"iat is {math.floor(now - iat)} s ago, and a proof is good for {lifetime} s"
            details = {
                "expected": f"iat after {now - lifetime}",
                "received": f"iat {iat}",
                "seconds": math.floor(now - iat),
                "made": iat - now,
            }
            raise jose.JoseProblem(reason, cause="expired", details=details)
        return math.floor(iat) - skew, math.ceil(iat) + lifetime + skew

    def _check_nonce(self, claims: jose.Claims, nonces: Nonces, *, now: int) -> tuple[int, int]:
        """Check the nonce of a proof; return the first and the last second in which the proof can be used."""
        nonce = claims.get("nonce")
        if nonce is not None and not isinstance(nonce, str):
            raise InvalidDPoPProof("proof: nonce is not text", cause="proof_nonce_not_text")
        issued_from = None if nonce is None else nonces.find_start(nonce, now=now)
        if issued_from is None:
            reason = "proof: no nonce" if nonce is None else "proof: the nonce is foreign or too old"
            raise UseDPoPNonce(
                reason,
                cause="proof_nonce_missing" if nonce is None else "proof_nonce_stale",
                nonce=nonces.issue(now=now),
            )
        skew = self._settings.CLOCK_SKEW_SECONDS
        return issued_from - skew, now + 2 * nonces.lifetime + skew


def _import_key(jwt: jose.JWT) -> jose.PublicKey:
    try:
        key = jose.import_public_jwk(jwt.header.get("jwk"))
    except jose.JoseProblem as problem:
        raise jose.JoseProblem(f"jwk: {problem}", cause=f"jwk_{problem.cause}") from None
    if not key.fits(jwt.alg):
        details = {"expected": sorted(key.algs), "received": jwt.alg}
        raise jose.JoseProblem(f"jwk: alg {jwt.alg!r} does not fit the key", cause="jwk_alg", details=details)
    return key


def _check_target(claims: jose.Claims, *, method: str, url: str) -> None:
    jose.check_claim(claims, "htm", method)
    htu = jose.require_text(claims, "htu")
    if htu != url and not _is_same_target(htu, url):
        details = {"expected": url, "received": htu}
        raise jose.JoseProblem(f"htu {jose.shorten(htu)} is not {url!r}", cause="htu", details=details)


def _is_same_target(htu: str, url: str) -> bool:
    normalized = normalize_htu(htu)
    return normalized is not None and normalized == normalize_htu(url)


def _check_ath(claims: jose.Claims, expected: str) -> None:
    ath = jose.require_text(claims, "ath")
    if not hmac.compare_digest(ath.encode("utf-8", "surrogatepass"), expected.encode()):
        raise jose.JoseProblem("ath names another access token", cause="ath")


def access_token_hash(access_token: str) -> str:
    """The ``ath`` of an access token (RFC 9449 §4.2)."""
    return jose.b64url(sha256(access_token.encode("utf-8", "surrogatepass")).digest())


def normalize_htu(url: str) -> str | None:
    """A URL without query and fragment, normalized by RFC 3986 §6.2.2 and §6.2.3; ``None`` if it is not http(s).

    Scheme and host in lower case, no default port, escapes in upper case and only where needed, ``/`` for an
    empty path. The path stays case-sensitive. Dot segments are not resolved, so such a URL matches no request.
    """
    found = find_web_url(url.partition("#")[0].partition("?")[0])
    if found is None:
        return None
    return f"{found.origin}{_ESCAPE.sub(_unescape, found.path) or '/'}"


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _LITERAL else match[0].upper()


def build_proof(
    key: jose.PrivateKey,
    *,
    jti: str,
    method: str,
    url: str,
    now: int,
    access_token: str | None = None,
    nonce: str | None = None,
) -> str:
    """Make a proof for one request (RFC 9449 §4.2).

    :param url: The request's URL; its query and fragment are removed.
    :param now: ``iat``, in seconds since the epoch.
    :param access_token: The token of the request, at a resource server.
    :param nonce: The newest nonce that this server gave.
    """
    claims: dict[str, Any] = {"jti": jti, "htm": method, "htu": url.partition("#")[0].partition("?")[0], "iat": now}
    if access_token is not None:
        claims["ath"] = access_token_hash(access_token)
    if nonce is not None:
        claims["nonce"] = nonce
    return jose.sign({"typ": TYP, "jwk": key.public.jwk}, claims, key)
