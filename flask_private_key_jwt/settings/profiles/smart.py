"""``OAUTH2_PROFILE = "smart"``: SMART App Launch 2.2 for clients with asymmetric keys, in one table."""

from collections.abc import Mapping

from .rule import Rule, is_false

PROMISED_ALGS = ("RS384", "ES384")
"""What every SMART client can sign with, one of the two at least."""

ASYMMETRIC = "client-confidential-asymmetric"
"""The capability that this package implements."""

SYMMETRIC = "client-confidential-symmetric"
"""The capability of servers whose clients have secrets."""

OPENID_CAPABILITY = "sso-openid-connect"
"""The capability that needs OpenID Connect."""

SMART: Mapping[str, Rule] = {
    "ASSERTION_SIGNING_ALGS": Rule(
        lambda value: set(PROMISED_ALGS) <= set(value), "clients sign with RS384 or ES384, so both are accepted"
    ),
    "ASSERTION_LIFETIME_SECONDS": Rule(lambda value: value <= 300, "a client assertion lives five minutes at most"),
    "ASSERTION_AUDIENCE": Rule(
        lambda value: value == "compatibility",
        "a client assertion is for the URL of the token endpoint, or for the issuer",
        "compatibility",
    ),
    "CLIENT_SECRETS_UNTIL": Rule(
        lambda value: value is None, f"clients have asymmetric keys, and {SYMMETRIC} is not offered"
    ),
    "ACCESS_TOKEN_LIFETIME_SECONDS": Rule(
        lambda value: value <= 3600, "an access token lives an hour at most, and five minutes by default", 300
    ),
    "REPLAY_STORE": Rule(
        lambda value: value != "memory", "a jti counts once, in every process and after a restart too"
    ),
    "FETCH_FROM_LOOPBACK": Rule(is_false, "clients' keys are fetched by https, from public addresses"),
    "SMART_CAPABILITIES": Rule(
        lambda value: ASYMMETRIC in value and SYMMETRIC not in value,
        f"clients have asymmetric keys, so {ASYMMETRIC} is among the capabilities, and {SYMMETRIC} is not",
        (ASYMMETRIC,),
    ),
}
"""Setting -> what the profile requires (Client Authentication: Asymmetric; Backend Services)."""
