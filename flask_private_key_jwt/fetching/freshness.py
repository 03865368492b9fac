"""How long an HTTP answer says it is good for (RFC 9111 §4.2)."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,10}")


def fresh_for(headers: Mapping[str, str], *, now: int) -> int | None:
    """For how many more seconds the answer may be used without asking again; ``None`` if it does not say.

    ``no-store``, ``no-cache`` and malformed values mean 0 (RFC 9111 §4.2.1, §5.3).

    :param headers: The answer's headers, by name in any case.
    :param now: Seconds since the epoch, for an ``Expires`` without a ``Date``.
    """
    lifetime = _of_cache_control(headers.get("Cache-Control", ""))
    if lifetime is None:
        lifetime = _of_expires(headers, now=now)
    if lifetime is None:
        return None
    return max(0, lifetime - (_seconds(headers.get("Age", "")) or 0))


def _of_cache_control(text: str) -> int | None:
    lifetimes: list[int] = []
    for directive in text.split(","):
        name, _, value = directive.partition("=")
        if name.strip().lower() in ("no-store", "no-cache"):
            return 0
        if name.strip().lower() == "max-age":
            lifetimes.append(_seconds(value) or 0)
    return min(lifetimes, default=None)  # of a repeated directive, the shorter one


def _of_expires(headers: Mapping[str, str], *, now: int) -> int | None:
    if "Expires" not in headers:
        return None
    expires, date = _date(headers["Expires"]), _date(headers.get("Date", ""))
    return 0 if expires is None else max(0, expires - (now if date is None else date))


def _seconds(text: str) -> int | None:
    """A delta-seconds, quoted or not (RFC 9111 §1.2.2)."""
    digits = text.strip().strip('"')
    return int(digits) if _SECONDS.fullmatch(digits) else None


def _date(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
