"""Checks for the claims of a received JWT: one rule for each claim, for every kind of JWT.

A message is the end of a private reason; the caller adds the kind of JWT before it.
"""

import math
from collections.abc import Sequence

from .compact import LARGEST_DATE, Claims, JoseProblem, read_date

MAX_JTI_CHARACTERS = 256


def require_text(claims: Claims, name: str) -> str:
    """A claim that must be a string and not empty.

    :raises JoseProblem: It is missing, empty or not a string.
    """
    if name not in claims:
        raise JoseProblem(f"missing claim {name!r}", cause=f"{name}_missing")
    value = claims[name]
    if not isinstance(value, str) or not value:
        raise JoseProblem(f"{name} is not a string", cause=f"{name}_not_text")
    return value


def require_jti(claims: Claims) -> str:
    """The ``jti`` of a JWT that may be used once (RFC 7519 §4.1.7).

    :raises JoseProblem: It is missing, or not a string of 1 to 256 characters.
    """
    if "jti" not in claims:
        raise JoseProblem("missing claim 'jti'", cause="jti_missing")
    jti = claims["jti"]
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_CHARACTERS:
        raise JoseProblem(f"jti is not a string of 1 to {MAX_JTI_CHARACTERS} characters", cause="jti_malformed")
    return jti


def require_audience(claims: Claims) -> tuple[str, ...]:
    """The ``aud`` of a JWT, one or several (RFC 7519 §4.1.3).

    :raises JoseProblem: ``aud`` is missing, or neither a string nor a list of strings.
    """
    if "aud" not in claims:
        raise JoseProblem("missing claim 'aud'", cause="aud_missing")
    audience = claims["aud"]
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not all(isinstance(item, str) for item in audiences):
        raise JoseProblem("aud is neither a string nor a list of strings", cause="aud_malformed")
    return tuple(audiences)


def check_audience(claims: Claims, expected: str) -> None:
    """Check that *expected* is one of the audiences of a JWT.

    :raises JoseProblem: As :func:`require_audience`, or *expected* is not in ``aud``.
    """
    if expected not in require_audience(claims):
        details = {"expected": expected, "received": claims["aud"]}
        raise JoseProblem(f"aud {shorten(claims['aud'])} does not name {expected!r}", cause="aud", details=details)


def check_claim(claims: Claims, name: str, expected: str) -> None:
    """Check that a claim, such as ``iss``, is exactly *expected*.

    :raises JoseProblem: It is missing or different.
    """
    if name not in claims:
        raise JoseProblem(f"missing claim {name!r}", cause=f"{name}_missing")
    if claims[name] != expected:
        details = {"expected": expected, "received": claims[name]}
        raise JoseProblem(f"{name} {shorten(claims[name])} is not {expected!r}", cause=name, details=details)


def shorten(value: object) -> str:
    """Foreign text for a reason, quoted and cut to 200 characters."""
    return repr(value)[:200]


def require_date(claims: Claims, name: str) -> float:
    """A NumericDate, in seconds since the epoch (RFC 7519 §2).

    :raises JoseProblem: It is missing, or not a number that can be a date.
    """
    value = read_date(claims, name)
    if value is None:
        raise JoseProblem(f"missing claim {name!r}", cause=f"{name}_missing")
    return value


def check_times(claims: Claims, *, now: int, skew: int, late: int, begins: Sequence[str] = ("nbf", "iat")) -> None:
    """Check that a JWT is valid now, by those of its dates that are present.

    :param now: Seconds since the epoch.
    :param skew: How far the maker's clock may be ahead of ours, in seconds.
    :param late: How long the JWT is accepted after its ``exp``, in seconds, for a maker whose clock is behind ours.
    :param begins: The claims that may not be in the future.
    :raises JoseProblem: It is not valid yet, or is expired; the message says by how much.
    """
    try:
        if (expires := read_date(claims, "exp")) is not None:
            check_expiry(expires, now=now, late=late)
        for name in begins:
            if (value := read_date(claims, name)) is not None:
                check_begun(name, value, now=now, skew=skew)
    except JoseProblem as problem:
        issued = claims.get("iat")  # not checked yet, perhaps
        if problem.details and isinstance(issued, (int, float)) and abs(issued) < LARGEST_DATE:
            problem.details = {**problem.details, "made": issued - now}
        raise


def check_expiry(expires: float, *, now: int, late: int) -> None:
    """Check that ``exp`` is not over (RFC 7519 §4.1.4).

    :param late: As in :func:`check_times`.
    :raises JoseProblem: It is over.
    """
    if now >= expires + late:
        raise JoseProblem(
            f"expired, {math.floor(now - expires)} s ago",
            cause="expired",
            details={
                "expected": f"exp after {now - late}",
                "received": f"exp {expires}",
                "seconds": math.floor(now - expires),
            },
        )


def check_begun(name: str, begins: float, *, now: int, skew: int) -> None:
    """Check that ``nbf`` or ``iat`` is not in the future by more than *skew* seconds (FAPI 2.0 §5.3.2.1).

    :raises JoseProblem: It is.
    """
    if begins > now + skew:
        raise JoseProblem(
            f"{name} is in the future, {math.ceil(begins - now)} s ahead",
            cause="not_yet_valid",
            details={
                "expected": f"{name} not after {now + skew}",
                "received": f"{name} {begins}",
                "seconds": math.ceil(begins - now),
            },
        )


def check_life(claims: Claims, *, now: int, skew: int, longest: int) -> tuple[int, int]:
    """Check the times of a JWT that may be used once, and that its ``jti`` need not be remembered for too long.

    :param longest: The latest ``exp``, in seconds from now.
    :return: The first and the last second in which it can be used, in seconds since the epoch. Its ``jti`` must be
        remembered until the last.
    :raises JoseProblem: A date is missing or malformed, or the JWT is expired, not valid yet, or valid for too long.
    """
    expires = require_date(claims, "exp")
    check_times(claims, now=now, skew=skew, late=skew)
    if expires > now + longest + skew:
        raise JoseProblem(
            f"exp is {math.ceil(expires - now)} s ahead, more than {longest} s",
            cause="lives_too_long",
            details={
                "expected": f"exp not after {now + longest + skew}",
                "received": f"exp {expires}",
                "seconds": math.ceil(expires - now),
            },
        )
    issued = read_date(claims, "iat")
    first = expires - longest if issued is None else issued
    return math.floor(first) - skew, math.ceil(expires) + skew
