"""What the claims of a client assertion must say: for whom it was made, and for how long it is good (RFC 7523 §3)."""

from collections.abc import Sequence

from ...jose import jose
from ...settings.server import ServerSettings
from ..registered_client import RegisteredClient

EXPLICIT_TYPE = "client-authentication+jwt"
COMPATIBILITY_LIFETIME_SECONDS = 3600
"""A ``compatibility`` client's assertion may live at least so long, because Authlib's own client uses this lifetime."""


def check_audience(
    jwt: jose.JWT, client: RegisteredClient, settings: ServerSettings, *, endpoints: Sequence[str]
) -> None:
    """Accept the issuer as the only audience (rfc7523bis §4), or the endpoints' URLs too if the operator allows it.

    Each further accepted value lets a hostile server pass on an assertion that a client made for that server. So the
    operator can allow it for clients it vouches for; a client that registered itself must name the issuer.

    :param endpoints: The URLs that may be named besides: of the token endpoint, then of the endpoint that was called.
    :raises JoseProblem: The assertion was made for somebody else.
    """
    values = jose.require_audience(jwt.claims)
    strict = settings.PROFILE == "fapi2"
    if strict and not isinstance(jwt.claims["aud"], str):
        details = {"expected": settings.ISSUER, "received": jwt.claims["aud"]}
        # FAPI 2.0 Security Profile §5.3.2.1
        raise jose.JoseProblem("aud is not a string", cause="aud_not_text", details=details)
    accepted = {settings.ISSUER}
    may_name_several = False
    if strict or jwt.typ == EXPLICIT_TYPE:
        pass
    elif settings.PROFILE == "smart":
        accepted.add(endpoints[0])  # clients of SMART know no other name, those that registered themselves either
    elif _may_name_endpoints(client, settings):
        accepted |= {*endpoints}
        may_name_several = True
    if len(values) != 1 and not may_name_several:
        details = {"expected": sorted(accepted), "received": jwt.claims["aud"]}
        raise jose.JoseProblem("aud is not exactly one value", cause="aud_not_one", details=details)
    if not values or not accepted.issuperset(values):
        details = {"expected": sorted(accepted), "received": jwt.claims["aud"]}
        raise jose.JoseProblem(
            f"aud {jose.shorten(jwt.claims['aud'])} is not {sorted(accepted)}", cause="aud", details=details
        )


def _may_name_endpoints(client: RegisteredClient, settings: ServerSettings) -> bool:
    if client.assertion_audience == "compatibility":
        return True
    return settings.ASSERTION_AUDIENCE == "compatibility" and client.is_vouched_for(settings)


def check_life(claims: jose.Claims, client: RegisteredClient, settings: ServerSettings, *, now: int) -> tuple[int, int]:
    """RFC 7523 §3, items 4 to 6; returns the same as :func:`.jose.check_life`.

    :param now: Seconds since the epoch.
    :raises JoseProblem: It is expired, not good yet, or good for too long.
    """
    if settings.PROFILE == "atproto":
        jose.require_date(claims, "iat")
    longest = settings.ASSERTION_LIFETIME_SECONDS
    if client.assertion_audience == "compatibility" and settings.PROFILE not in ("fapi2", "smart"):
        longest = max(longest, COMPATIBILITY_LIFETIME_SECONDS)
    return jose.check_life(claims, now=now, skew=settings.CLOCK_SKEW_SECONDS, longest=longest)
