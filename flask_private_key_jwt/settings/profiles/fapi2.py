"""``OAUTH2_PROFILE = "fapi2"``: FAPI 2.0 Security Profile Final, in one table."""

from collections.abc import Mapping

from ..values import ANY_HOST
from .rule import Rule, is_false, is_true

FAPI2_ALGS = ("PS256", "ES256", "EdDSA", "Ed25519")
"""FAPI 2.0 Security Profile §5.4.1."""


def _are_fapi2_algs(value: tuple[str, ...]) -> bool:
    return set(value) <= set(FAPI2_ALGS)


_ALGS = Rule(_are_fapi2_algs, f"signatures are {', '.join(FAPI2_ALGS)} (§5.4.1)", FAPI2_ALGS)
_FOR_ONE_PROCESS = "what was used is remembered by every process, and after a restart"

FAPI2: Mapping[str, Rule] = {
    "ASSERTION_SIGNING_ALGS": _ALGS,
    "DPOP_SIGNING_ALGS": _ALGS,
    "REQUEST_OBJECT_SIGNING_ALGS": _ALGS,
    "TOKEN_SIGNING_ALGS": _ALGS,
    "SIGNING_ALG": Rule(lambda value: value in FAPI2_ALGS, _ALGS.because),
    "ASSERTION_LIFETIME_SECONDS": Rule(lambda value: value <= 300, "a client assertion lives 300 seconds at most"),
    "ASSERTION_AUDIENCE": Rule(
        lambda value: value == "issuer", "a client assertion is for the issuer alone (§5.3.2.1)"
    ),
    "CLIENT_SECRETS_UNTIL": Rule(
        lambda value: value is None, "clients authenticate with keys, never with a shared secret (§5.3.2.1)"
    ),
    "CLOCK_SKEW_SECONDS": Rule(lambda value: value >= 10, "a clock may be 10 seconds ahead (§5.3.2.1)"),
    "DPOP_REQUIRED": Rule(is_true, "every token is bound to a key (§5.3.2.1)", True),
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": Rule(is_true, "every request is pushed (§5.3.2.2)", True),
    "CODE_LIFETIME_SECONDS": Rule(lambda value: value <= 60, "a code lives 60 seconds at most (§5.3.2.1)"),
    "REFRESH_TOKEN_ROTATION": Rule(
        lambda value: value != "all", "a confidential client's refresh token stays as it is (§5.3.2.1)"
    ),
    "CLIENT_ID_HOSTS": Rule(lambda value: ANY_HOST not in value, "the operator knows whose clients there are"),
    "ALLOWED_REDIRECTS": Rule(
        lambda value: value == "application_type", "http on loopback is for native clients only (§5.3.2.2)"
    ),
    "CLIENT_ID_PUBLIC_CLIENTS": Rule(is_false, "there are no public clients (§5.3.2.1)"),
    "PUBLIC_BEARER_TOKENS": Rule(is_false, "every token is bound to a key (§5.3.2.1)"),
    "REPLAY_STORE": Rule(lambda value: value != "memory", _FOR_ONE_PROCESS),
    "FETCH_FROM_LOOPBACK": Rule(is_false, "clients' documents are fetched by https, from public addresses"),
}
"""Setting -> what the profile requires; § refers to the FAPI 2.0 Security Profile."""
