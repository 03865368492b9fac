"""Who signed in: every check of an ID token that a client has to make (OpenID Connect Core §3.1.3.7, §12.2)."""

import hmac
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...jose import jose
from ...jose.at_hash import build_at_hash
from ...settings.values import ASYMMETRIC_ALGS
from ..errors import SignInError

MAX_BYTES = 1 << 15
SKEW_SECONDS = 30
"""How far the clock of this machine and that of the server may differ, in seconds."""
TYPES = frozenset({None, "jwt"})
"""Access tokens are signed with the same keys: their ``at+jwt`` is no ID token (RFC 9068 §5)."""

IdClaims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExpectedIdToken:
    """What an ID token has to say to be accepted."""

    issuer: str
    client_id: str
    algs: Collection[str]
    """The accepted algorithms; never ``none``, never HMAC."""
    nonce: str | None
    """The nonce of the request; ``None`` after a refresh, where there need not be one (§12.2)."""
    access_token: str
    """What came with it."""
    max_age: int | None = None
    """Longest time since the person signed in, in seconds."""


def choose_algs(metadata: Mapping[str, Any]) -> frozenset[str]:
    """The algorithms of ID tokens that the server's metadata names, without those that prove nothing.

    A server that names none may sign with RS256 (§3.1.3.7, item 7), and with any other public-key algorithm of ours.
    """
    named = metadata.get("id_token_signing_alg_values_supported")
    wanted = ASYMMETRIC_ALGS if not isinstance(named, list) else [alg for alg in named if alg in ASYMMETRIC_ALGS]
    return frozenset(wanted)


def read_id_token(text: object, expected: ExpectedIdToken) -> jose.JWT:
    """Read an ID token, whose signature and claims are **not** checked yet, but whose issuer and algorithm are ours.

    :param text: The member ``id_token`` of the token answer.
    :raises SignInError: There is none, or it is another kind of JWT; the message quotes no token.
    """
    if not isinstance(text, str):
        raise SignInError("The server gave no ID token, although openid was asked for.", cause="id_token_missing")
    try:
        jwt = jose.read(text, typ=TYPES, algs=expected.algs, max_bytes=MAX_BYTES)
        jose.check_claim(jwt.claims, "iss", expected.issuer)  # before anybody fetches keys for it
    except jose.JoseProblem as problem:
        raise _refuse(problem) from None
    return jwt


def check_id_token(
    jwt: jose.JWT, expected: ExpectedIdToken, candidates: Sequence[jose.PublicKey], *, now: int
) -> IdClaims:
    """The claims of an ID token, if it is the issuer's, for this client, from this sign-in.

    :param jwt: From :func:`read_id_token`.
    :param candidates: The issuer's keys that its ``kid`` names; all of them if it has none (RFC 7515 §4.1.4).
    :param now: Seconds since the epoch.
    :raises SignInError: It is not; the message says what is wrong, and quotes no token.
    """
    claims = jwt.claims
    try:
        _check_audience(claims, expected.client_id)
        _check_signature(jwt, candidates)
        jose.require_text(claims, "sub")
        _check_times(claims, now=now)
        _check_nonce(claims, expected.nonce)
        _check_auth_time(claims, expected.max_age, now=now)
        _check_at_hash(claims, expected.access_token, jwt.alg)
    except jose.JoseProblem as problem:
        raise _refuse(problem) from None
    return claims


def check_same_sign_in(renewed: IdClaims, first: IdClaims) -> None:
    """Check that the ID token of a refresh is about the same person and the same sign-in (§12.2).

    :raises SignInError: It is not.
    """
    if renewed["sub"] != first.get("sub"):
        raise SignInError("The refreshed ID token is about another person.", cause="id_token_sub")
    for name in ("auth_time", "nonce"):  # each may be left out
        if name in renewed and renewed[name] != first.get(name):
            raise SignInError(f"The refreshed ID token has another {name}.", cause=f"id_token_{name}")


def _refuse(problem: jose.JoseProblem) -> SignInError:
    return SignInError(f"The ID token is not accepted: {problem}.", cause=f"id_token_{problem.cause}")


def _check_audience(claims: IdClaims, client_id: str) -> None:
    """Items 3 to 5: for this client, and for no other party, because we trust none."""
    jose.check_audience(claims, client_id)
    if len(set(jose.require_audience(claims))) > 1:
        raise jose.JoseProblem(f"aud {jose.shorten(claims['aud'])} names other clients too", cause="aud_others")
    if "azp" in claims:
        jose.check_claim(claims, "azp", client_id)


def _check_signature(jwt: jose.JWT, candidates: Sequence[jose.PublicKey]) -> None:
    """Items 6 to 8. TLS could replace this check, but not for what was kept, or passed through a proxy."""
    if not candidates:
        raise jose.JoseProblem(f"the issuer has no key with kid {jose.shorten(jwt.kid)}", cause="no_key")
    if not any(key.fits(jwt.alg) and jose.verify(jwt, key) for key in candidates):
        raise jose.JoseProblem("the signature does not verify with the issuer's key", cause="signature")


def _check_times(claims: IdClaims, *, now: int) -> None:
    """Items 9 and 10."""
    jose.require_date(claims, "exp")
    jose.require_date(claims, "iat")
    jose.check_times(claims, now=now, skew=SKEW_SECONDS, late=SKEW_SECONDS)


def _check_nonce(claims: IdClaims, nonce: str | None) -> None:
    """Item 11: a code that somebody slipped in brings the ID token of another sign-in (RFC 9700 §4.5.3.2)."""
    if nonce is None:
        return
    given = jose.require_text(claims, "nonce")
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), nonce.encode()):
        raise jose.JoseProblem("nonce is that of another sign-in", cause="nonce")


def _check_auth_time(claims: IdClaims, max_age: int | None, *, now: int) -> None:
    """Item 13."""
    if max_age is None:
        return
    age = now - jose.require_date(claims, "auth_time")
    if age > max_age + SKEW_SECONDS:
        raise jose.JoseProblem(f"the person signed in {math.floor(age)} s ago, not {max_age} s", cause="auth_time")


def _check_at_hash(claims: IdClaims, access_token: str, alg: str) -> None:
    """§3.1.3.8: an access token that was exchanged on the way."""
    if "at_hash" not in claims:
        return
    given = jose.require_text(claims, "at_hash")
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), build_at_hash(access_token, alg).encode()):
        raise jose.JoseProblem("at_hash is that of another access token", cause="at_hash")
