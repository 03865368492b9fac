"""Which checks each kind of JWT goes through, in the order in which the server makes them, and the causes of each.

The server does not run this: it is how its own answer is told. Tests hold the order against the checks that do run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

JWTKind = Literal["assertion", "proof", "token", "request object"]

_FORM = (
    *("too_long", "malformed", "not_base64", "not_json", "not_object", "too_deep", "member_repeated", "alg_missing"),
    *("kid_not_text", "typ_not_text", "cty_not_text", "x5t_not_text", "x5t#S256_not_text", "crit"),
)
_KEYS = ("no_key", "certificate_not_current", "signature")
_FETCHES = (
    *("client_keys_unavailable", "fetch_busy", "fetch_busy_strangers", "fetch_busy_address", "fetch_busy_host"),
    *("fetch_busy_turn", "fetch_busy_hung", "fetch_busy_new", "fetch_cooldown"),
)
_AUDIENCE = ("aud_missing", "aud_malformed", "aud_not_text", "aud_not_one", "aud")
_ADMITTED = ("client_unknown", "client_disabled")


@dataclass(frozen=True, slots=True)
class JWTCheck:
    """One step of a check."""

    name: str
    """What is looked at: a claim or a part of the JWT."""
    rule: str
    """What has to be so."""
    parts: tuple[str, ...] = ()
    """Its causes, without the kind of JWT before them."""
    causes: tuple[str, ...] = ()
    """Its causes that do not begin with the kind of JWT."""
    rehearsed: bool = True
    """Whether an explanation can make this check: not if it would use something up, or asks about the request."""

    def fails_with(self, cause: str, kind: JWTKind) -> bool:
        """Whether *cause* comes from this check."""
        beginning = f"{kind.replace(' ', '_')}_"
        return cause in self.causes or (cause.startswith(beginning) and cause.removeprefix(beginning) in self.parts)


CHECKS: Mapping[JWTKind, Sequence[JWTCheck]] = {
    "assertion": (
        JWTCheck(
            "request",
            "one way of authenticating, with its client_assertion_type",
            ("missing", "type"),
            ("client_auth_twice",),
            rehearsed=False,
        ),
        JWTCheck("form", "one signed JWT in compact form, with a header that is understood", _FORM),
        JWTCheck("typ", "absent, JWT or client-authentication+jwt", ("typ",)),
        JWTCheck("alg", "an accepted signature algorithm", ("alg",)),
        JWTCheck("response_type", "absent: the JWT is no request object", ("response_type",)),
        JWTCheck(
            "iss, sub",
            "the client_id, in both",
            ("iss_missing", "iss_not_text", "sub_missing", "sub_not_text", "iss_not_sub"),
        ),
        JWTCheck("client_id", "in the form: the same, or none", (), ("client_id_mismatch",), rehearsed=False),
        JWTCheck("client", "registered and enabled", (), _ADMITTED),
        JWTCheck(
            "method",
            "the way of authenticating and the alg that the client is registered for",
            ("alg_not_registered", "kid_missing", "jku"),
            ("client_auth_method", "client_secrets_off", "client_secrets_over"),
        ),
        JWTCheck(
            "signature",
            "by a key that is registered for the client",
            _KEYS,
            (*_FETCHES, "client_secret_wrong", "client_secret_over", "client_secret_unreadable"),
        ),
        JWTCheck("aud", "this server's issuer", _AUDIENCE),
        JWTCheck("exp", "not over", ("exp_missing", "exp_not_number", "expired")),
        JWTCheck("nbf, iat", "not ahead", ("nbf_not_number", "iat_not_number", "iat_missing", "not_yet_valid")),
        JWTCheck("lifetime", "exp is near enough", ("lives_too_long",)),
        JWTCheck("jti", "a string of 1 to 256 characters", ("jti_missing", "jti_malformed")),
        JWTCheck("once", "the jti was not used before", ("replayed",), rehearsed=False),
    ),
    "proof": (
        JWTCheck("header", "one DPoP header", ("missing", "missing_for_grant", "repeated"), rehearsed=False),
        JWTCheck("form", "one signed JWT in compact form, with a header that is understood", _FORM),
        JWTCheck("typ", "dpop+jwt", ("typ",)),
        JWTCheck("alg", "an accepted signature algorithm", ("alg",)),
        JWTCheck("jwk", "a public key that fits the alg", ()),
        JWTCheck("signature", "by the key in jwk", ("signature",)),
        JWTCheck("jti", "a string of 1 to 256 characters", ("jti_missing", "jti_malformed")),
        JWTCheck("htm", "the request's method", ("htm_missing", "htm")),
        JWTCheck("htu", "the request's URL", ("htu_missing", "htu_not_text", "htu")),
        JWTCheck("ath", "the hash of the access token, at an API", ("ath_missing", "ath_not_text", "ath")),
        JWTCheck(
            "times",
            "iat is there and near, exp and nbf hold",
            (
                *("iat_missing", "iat_not_number", "exp_not_number", "nbf_not_number"),
                *("expired", "not_yet_valid"),
            ),
        ),
        JWTCheck(
            "nonce",
            "one of this server's, where it requires one",
            ("nonce_not_text", "nonce_missing", "nonce_stale"),
        ),
        JWTCheck("key", "the one that the token is bound to", ("key_mismatch",), rehearsed=False),
        JWTCheck("once", "the jti was not used before", ("replayed",), rehearsed=False),
    ),
    "token": (
        JWTCheck(
            "request",
            "exactly one token, in the Authorization header",
            ("missing", "in_query"),
            (
                *("authorization_header_malformed", "authorization_header_repeated", "authorization_scheme_unknown"),
                "dpop_not_served",
            ),
            rehearsed=False,
        ),
        JWTCheck("form", "one signed JWT in compact form, with a header that is understood", (*_FORM, "unknown")),
        JWTCheck("typ", "at+jwt", ("typ",)),
        JWTCheck("alg", "an accepted signature algorithm", ("alg",)),
        JWTCheck("iss", "the issuer", ("iss_missing", "iss")),
        JWTCheck("signature", "by a key of the issuer", ("no_key", "signature"), ("issuer_keys_unavailable",)),
        JWTCheck("aud", "the API", _AUDIENCE),
        JWTCheck(
            "sub, client_id, jti",
            "strings",
            (
                *("sub_missing", "sub_not_text", "client_id_missing", "client_id_not_text"),
                *("jti_missing", "jti_not_text"),
            ),
        ),
        JWTCheck("scope", "a string", ("scope_not_text",)),
        JWTCheck("cnf", "the thumbprint of a key, where the token is bound to one", ("cnf",)),
        JWTCheck(
            "dates",
            "iat and exp are numbers",
            ("iat_missing", "iat_not_number", "nbf_not_number", "exp_missing", "exp_not_number"),
        ),
        JWTCheck("exp", "not over", ("expired",)),
        JWTCheck("iat, nbf", "not ahead", ("not_yet_valid",)),
        JWTCheck(
            "scheme",
            "the one that the token was issued for",
            ("bound_as_bearer", "not_bound", "unbound_as_dpop"),
            rehearsed=False,
        ),
        JWTCheck("scopes", "those that the view asks for", (), ("scope_insufficient",), rehearsed=False),
        JWTCheck(
            "revocation",
            "neither revoked, nor is its client gone",
            ("revoked", "inactive"),
            ("client_gone",),
        ),
    ),
    "request object": (
        JWTCheck("client", "registered and enabled", (), _ADMITTED),
        JWTCheck("form", "one signed JWT in compact form, with a header that is understood", _FORM),
        JWTCheck("typ", "absent, JWT or oauth-authz-req+jwt", ("typ",)),
        JWTCheck("alg", "an accepted signature algorithm", ("alg",)),
        JWTCheck(
            "client_id, iss, sub",
            "the client_id in the first two; sub is something else",
            ("client_id_missing", "client_id", "iss", "sub"),
        ),
        JWTCheck("method", "the alg that the client is registered for", ("public_client", "alg_not_registered")),
        JWTCheck("signature", "by a key that is registered for the client", _KEYS, _FETCHES),
        JWTCheck("aud", "names this server's issuer", _AUDIENCE),
        JWTCheck(
            "lifetime",
            "from nbf to exp an hour at most",
            ("exp_missing", "exp_not_number", "nbf_missing", "nbf_not_number", "lives_too_long"),
        ),
        JWTCheck("exp", "not over", ("expired",)),
        JWTCheck("nbf, iat", "not ahead", ("iat_not_number", "not_yet_valid")),
        JWTCheck("parameters", "strings, and no request in the request", ("nested",)),
    ),
}
"""JWTKind of JWT -> its checks, in their order."""

_PREFIXED = {"proof": ("proof_jwk_", "jwk"), "request object": ("request_object_", "parameters")}
"""JWTKind -> how a cause with any ending begins, and its check: a name in the middle of it is the JWT's own."""


def find_kind(cause: str) -> JWTKind | None:
    """The kind of JWT that *cause* is about; ``None``: it is about none."""
    for kind in CHECKS:
        if any(check.fails_with(cause, kind) for check in CHECKS[kind]):
            return kind
    return next((kind for kind in CHECKS if cause.startswith(f"{kind.replace(' ', '_')}_")), None)


def find_failed(cause: str, kind: JWTKind) -> int | None:
    """The number of the check that *cause* comes from, from 0; ``None``: it comes from something else."""
    checks = CHECKS[kind]
    for number, check in enumerate(checks):
        if check.fails_with(cause, kind):
            return number
    beginning, name = _PREFIXED.get(kind, ("", ""))
    if beginning and cause.startswith(beginning):
        return next(number for number, check in enumerate(checks) if check.name == name)
    return None
