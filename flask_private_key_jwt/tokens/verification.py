"""What an access token says, verified with its issuer's keys (RFC 9068 §4): at an API, and at the issuer itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .. import clock
from ..dpop.confirmation import load_jkt
from ..errors import InvalidToken
from ..jose import jose
from .verified_tokens import Keys, VerifiedTokens

TYP = "at+jwt"
_TYPES = frozenset({TYP})
_TEXT_CLAIMS = ("sub", "client_id", "jti")


class IssuerKeys(Protocol):
    """Where a verifier gets the issuer's keys."""

    def load(self) -> Keys:
        """The keys; the very same tuple as long as nothing was fetched.

        :raises TemporarilyUnavailable: There are none to be had.
        """

    def load_newer(self, known: Keys) -> Keys:
        """The keys after a ``kid`` was not among *known*: newer ones if there are, else *known*."""


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The keys of an issuer that lives in the same app: nothing is fetched.

    :param read: Gives the public keys, those it read a moment ago as the very same tuple.
    """

    read: Callable[[], Keys]

    def load(self) -> Keys:
        """See :meth:`IssuerKeys.load`."""
        return self.read()

    def load_newer(self, known: Keys) -> Keys:
        """The same: the server reads its keys again by itself."""
        return known


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token of our issuer, made for us. Only its time is still to be checked, at every use."""

    claims: jose.Claims = field(repr=False)
    client_id: str
    scopes: frozenset[str]
    jkt: str | None
    """Thumbprint of the key it is bound to; ``None`` for a Bearer token (RFC 9449 §6.1)."""
    valid_from: float
    """The later of ``iat`` and ``nbf``, in seconds since the epoch."""
    valid_until: float
    """``exp``, in seconds since the epoch."""


class TokenVerifier:
    """Verifies the access tokens of one issuer.

    :param issuer: The only accepted ``iss``.
    :param resource: The resource server's own identifier, required in ``aud``; ``None``: any, at the issuer itself.
    :param algs: The accepted algorithms.
    :param max_bytes: Longest accepted token.
    :param clock_skew: How far the issuer's clock may be off, in seconds.
    """

    def __init__(
        self, *, issuer: str, resource: str | None, algs: Sequence[str], max_bytes: int, clock_skew: int
    ) -> None:
        self._issuer = issuer
        self._resource = resource
        self._algs = frozenset(algs)
        self._max_bytes = max_bytes
        self._clock_skew = clock_skew
        # A client sends one token many times: its signature is checked once for each set of the issuer's keys.
        self._verified: VerifiedTokens[AccessToken] = VerifiedTokens()

    def verify(self, text: str, keys: IssuerKeys) -> AccessToken:
        """Verify an access token, for use now.

        :param text: The token as it was sent.
        :param keys: Where the issuer's keys are.
        :raises InvalidToken: It is malformed, foreign, expired, for another API, or no access token at all.
        :raises TemporarilyUnavailable: The issuer's keys are not known and cannot be fetched.
        """
        token = self.load(text, keys)
        self.check_time(token)
        return token

    def load(self, text: str, keys: IssuerKeys) -> AccessToken:
        """What an access token says, whether its time is over or to come; otherwise as :meth:`verify`."""
        if len(text) > self._max_bytes:
            raise InvalidToken(f"token: longer than {self._max_bytes} bytes", cause="token_too_long")
        token = self._verified.find(text, keys.load)
        if token is None:
            try:
                jwt = self._parse(text)  # first: what is no token of our issuer's is no reason to ask for its keys
                known = check_signature(jwt, keys, keys.load())
                token = self._read_claims(jwt.claims)
            except jose.JoseProblem as problem:
                raise problem.as_refusal(InvalidToken, "token") from None
            self._verified.add(text, known, token)
        return token

    def _parse(self, text: str) -> jose.JWT:
        # The typ keeps ID tokens, assertions and proofs out (RFC 9068 §5).
        jwt = jose.read(text, typ=_TYPES, algs=self._algs, max_bytes=self._max_bytes)
        # Before the keys are asked for: a token of another issuer is no reason to fetch ours again.
        jose.check_claim(jwt.claims, "iss", self._issuer)
        return jwt

    def _read_claims(self, claims: jose.Claims) -> AccessToken:
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
        )

    def check_time(self, token: AccessToken) -> None:
        """Check that the time of a token has come and is not over (RFC 9068 §4), as far as clocks may differ.

        :raises InvalidToken: It has not, or it is.
        """
        now, skew = clock.now(), self._clock_skew
        try:
            jose.check_expiry(token.valid_until, now=now, late=skew)
            jose.check_begun("iat or nbf", token.valid_from, now=now, skew=skew)
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InvalidToken, "token", client_id=token.client_id) from None


def check_signature(jwt: jose.JWT, keys: IssuerKeys, known: Keys) -> Keys:
    """Check that the issuer signed *jwt*.

    :param known: What *keys* gave before.
    :return: The set of keys it was checked with: *known*, or newer ones.
    :raises JoseProblem: It did not; or the keys it did with are not published any more.
    """
    candidates = _candidates(jwt, known)
    if not candidates and jwt.kid is not None:
        known = keys.load_newer(known)
        candidates = _candidates(jwt, known)
    if not candidates:
        raise jose.JoseProblem(f"the issuer has no key with kid {jose.shorten(jwt.kid)}", cause="no_key")
    # Of several keys with one kid, or of all where there is none, one that fits must do (RFC 7515 §4.1.4).
    if not any(key.fits(jwt.alg) and jose.verify(jwt, key) for key in candidates):
        raise jose.JoseProblem("the signature does not verify with the issuer's key", cause="signature")
    return known


def _candidates(jwt: jose.JWT, keys: Keys) -> Sequence[jose.PublicKey]:
    return keys if jwt.kid is None else [key for key in keys if key.kid == jwt.kid]
