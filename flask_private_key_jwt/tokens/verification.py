"""What an access token says, verified with its issuer's keys (RFC 9068 §4): at an API, and at the issuer itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .. import clock
from ..dpop.confirmation import load_jkt
from ..dpop.proof import access_token_hash
from ..errors import InvalidToken
from ..jose import jose
from .verified_tokens import Keys, VerifiedTokens

TYP = "at+jwt"
_TYPES = frozenset({TYP})
_TEXT_CLAIMS = ("sub", "client_id", "jti")


class IssuerKeys(Protocol):
    """Where a verifier gets the issuer's keys."""

    def load(self) -> Keys:
        """The keys; the same tuple object until new keys are fetched.

        :raises TemporarilyUnavailable: They are not known and cannot be fetched.
        """

    def load_newer(self, known: Keys) -> Keys:
        """Newer keys, if there are any, after a ``kid`` was not found in *known*; else *known*."""


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The keys of an issuer in the same app: nothing is fetched.

    :param read: Returns the public keys; the same tuple object until they change.
    :param read_newest: Asks the database first whether they have changed.
    """

    read: Callable[[], Keys]
    read_newest: Callable[[], Keys] | None = None

    def load(self) -> Keys:
        """See :meth:`IssuerKeys.load`."""
        return self.read()

    def load_newer(self, known: Keys) -> Keys:
        """Those of now: another process may have let a new key sign at once. One SELECT, if they have not changed.

        :raises StoreUnavailable: The database did not answer: nobody can tell whether the key is good.
        """
        return known if self.read_newest is None else self.read_newest()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified token of the issuer, for this server. Only its times remain to be checked, at every use."""

    claims: jose.Claims = field(repr=False)
    client_id: str
    scopes: frozenset[str]
    jkt: str | None
    """Thumbprint of the key that it is bound to; ``None`` for a Bearer token (RFC 9449 §6.1)."""
    valid_from: float
    """The later of ``iat`` and ``nbf``, in seconds since the epoch."""
    valid_until: float
    """``exp``, in seconds since the epoch."""
    ath: str
    """Its hash, which a proof must name (RFC 9449 §4.2)."""
    nested: tuple[str, ...]
    """The claims that are objects or lists: who gets a copy of the claims may change these too."""


class TokenVerifier:
    """Verifies the access tokens of one issuer.

    :param issuer: The only accepted ``iss``.
    :param resource: The resource server's own identifier, required in ``aud``; ``None`` accepts any ``aud``, at the
        issuer itself.
    :param algs: The accepted algorithms.
    :param max_bytes: Longest accepted token, in bytes.
    :param clock_skew: How far the issuer's clock may differ from ours, in seconds.
    """

    def __init__(
        self, *, issuer: str, resource: str | None, algs: Sequence[str], max_bytes: int, clock_skew: int
    ) -> None:
        self._issuer = issuer
        self._resource = resource
        self._algs = frozenset(algs)
        self._max_bytes = max_bytes
        self._clock_skew = clock_skew
        # A client sends one token many times. Its signature is verified once, and again when the issuer's keys change.
        self._verified: VerifiedTokens[AccessToken] = VerifiedTokens()
        self.cache = self._verified.entries
        """The tokens that this process has verified."""

    def verify(self, text: str, keys: IssuerKeys) -> AccessToken:
        """Verify an access token, for use now.

        :param text: The token as it was sent.
        :param keys: Where the issuer's keys are.
        :raises InvalidToken: It is malformed, expired, from another issuer, for another API, or not an access token.
        :raises TemporarilyUnavailable: The issuer's keys are not known and cannot be fetched.
        """
        token = self.load(text, keys)
        self.check_time(token)
        return token

    def load(self, text: str, keys: IssuerKeys) -> AccessToken:
        """As :meth:`verify`, but without checking the token's times."""
        if len(text) > self._max_bytes:
            raise InvalidToken(f"token: longer than {self._max_bytes} bytes", cause="token_too_long")
        token = self._verified.find(text, keys.load)
        if token is None:
            try:
                jwt = self._parse(text)  # first, so that a token of another issuer causes no fetch of the keys
                known = check_signature(jwt, keys, keys.load())
                token = self._read_claims(jwt.claims, ath=access_token_hash(text))
            except jose.JoseProblem as problem:
                raise problem.as_refusal(InvalidToken, "token") from None
            self._verified.add(text, known, token)
        return token

    def _parse(self, text: str) -> jose.JWT:
        # The typ excludes ID tokens, assertions and proofs (RFC 9068 §5).
        jwt = jose.read(text, typ=_TYPES, algs=self._algs, max_bytes=self._max_bytes)
        jose.check_claim(jwt.claims, "iss", self._issuer)
        return jwt

    def _read_claims(self, claims: jose.Claims, *, ath: str) -> AccessToken:
        """Check what does not change with time (RFC 9068 §2.2, §4)."""
        if self._resource is None:
            jose.require_audience(claims)
        else:
            jose.check_audience(claims, self._resource)
        for name in _TEXT_CLAIMS:
            jose.require_text(claims, name)
        scope = claims.get("scope", "")
        if not isinstance(scope, str):
            raise jose.JoseProblem("scope is not text", cause="scope_not_text")
        return AccessToken(
            claims=claims,
            client_id=claims["client_id"],
            scopes=frozenset(scope.split()),
            jkt=load_jkt(claims),
            valid_from=max(jose.require_date(claims, "iat"), jose.read_date(claims, "nbf") or 0),
            valid_until=jose.require_date(claims, "exp"),
            ath=ath,
            nested=tuple(name for name, value in claims.items() if isinstance(value, (dict, list))),
        )

    def check_time(self, token: AccessToken) -> None:
        """Check that a token is valid now (RFC 9068 §4), allowing for clock skew.

        :raises InvalidToken: It is expired, or not valid yet.
        """
        now, skew = clock.now(), self._clock_skew
        try:
            jose.check_expiry(token.valid_until, now=now, late=skew)
            jose.check_begun("iat or nbf", token.valid_from, now=now, skew=skew)
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InvalidToken, "token", client_id=token.client_id) from None


def check_signature(jwt: jose.JWT, keys: IssuerKeys, known: Keys) -> Keys:
    """Check that the issuer signed *jwt*.

    :param known: The keys that *keys* returned before.
    :return: The keys used for the check: *known*, or newer ones.
    :raises JoseProblem: The issuer did not sign it, or no longer publishes the key that signed it.
    """
    candidates = _candidates(jwt, known)
    if not candidates and jwt.kid is not None:
        known = keys.load_newer(known)
        candidates = _candidates(jwt, known)
    if not candidates:
        raise jose.JoseProblem(
            f"the issuer has no key with kid {jose.shorten(jwt.kid)}",
            cause="no_key",
            details={"keys": _tell_keys(jwt, known)},
        )
    # Try every key with this kid, or all keys if the JWT has no kid (RFC 7515 §4.1.4).
    if not any(key.fits(jwt.alg) and jose.verify(jwt, key) for key in candidates):
        raise jose.JoseProblem(
            "the signature does not verify with the issuer's key",
            cause="signature",
            details={"keys": _tell_keys(jwt, known)},
        )
    return known


def _tell_keys(jwt: jose.JWT, keys: Keys) -> list[dict[str, Any]]:
    """Each of *keys*, by its names, with the reason why it did not verify *jwt*."""
    return [{"kid": key.kid, "thumbprint": key.thumbprint, "why": _why_not(jwt, key)} for key in keys]


def _why_not(jwt: jose.JWT, key: jose.PublicKey) -> str:
    if jwt.kid not in (None, key.kid):
        return "not tried: the header names another key"
    if not key.fits(jwt.alg):
        return f"not tried: it verifies {', '.join(sorted(key.algs))}, and the alg is {jwt.alg}"
    return "tried: the signature does not verify with it"


def _candidates(jwt: jose.JWT, keys: Keys) -> Sequence[jose.PublicKey]:
    return keys if jwt.kid is None else [key for key in keys if key.kid == jwt.kid]
