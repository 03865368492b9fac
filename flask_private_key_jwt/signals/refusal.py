"""How a refusal is reported: a constant sentence to the caller, the reason to the log and the signal."""

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .. import errors
from ..errors import OAuthError
from .events import RequestRefused, find_announcer

log = logging.getLogger("flask_private_key_jwt")


REFERENCE_HEADER = "Error-Reference"


KEEPER_KEY = "private_key_jwt_refusals"
"""The app's :class:`KeepsRefusals` in ``app.extensions``, if it has one."""


NO_STORE = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache"))


_LONGEST_REASON = 600


EXPECTED = (errors.UseDPoPNonce, errors.MissingToken, errors.InactiveToken)
"""Refusals of normal operation, logged at INFO: any client's first request may get one (RFC 9449 §8, RFC 6750 §3.1),
and every token expires."""


_LARGEST_NUMBER = 2**53
"""A larger one cannot be written as JSON, if it is infinite, or is not read the same everywhere."""


_UNPRINTABLE = re.compile(r"[^ -~]")


_JWT = re.compile(r"(?:(?<![\w-])|(?<=\\[abfnrtv]))(?![\w-]{43}(?![\w.-]))e[wy][\w.-]{20,}")
"""A JWT: its JOSE header begins with base64url of "{". At the start of a word, or after an escape such as ``\\t``.
Forty-three characters alone are the thumbprint of a key, one in two thousand of which begins like that."""


_REQUEST_URI = re.compile(r"urn:ietf:params:oauth:request_uri:[\w-]+")
"""Anyone who has a ``request_uri`` may open the request in the client's place, until it is used (RFC 9126 §7.1)."""


class KeepsRefusals(Protocol):
    """Keeps refusals for ``flask oauth2 explain``."""

    def note(self, error: OAuthError, *, reference: str, endpoint: str) -> None:
        """Keep *error* under the reference of its answer, later and without an error."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, independent of the framework."""

    status: int
    body: Mapping[str, Any] | None
    """A JSON object, or ``None`` for an empty body."""
    headers: tuple[tuple[str, str], ...] = NO_STORE


def error_response(error: OAuthError, *, endpoint: str, sender: object) -> Answer:
    """Log the private reason, send the signal, and return the answer to a refused request (RFC 6749 §5.2).

    :param endpoint: Where it happened, e.g. ``token``.
    :param sender: The sender of the signal: the Flask app, without Flask the protector.
    """
    reference = describe_refusal(error, endpoint=endpoint, sender=sender)
    body = {"error": error.code, "error_description": error.description}
    return Answer(error.status, body, (*error.get_headers(), (REFERENCE_HEADER, reference)))


def describe_refusal(error: OAuthError, *, endpoint: str, sender: object) -> str:
    """Log a refusal's private reason, and send :data:`~flask_private_key_jwt.signals.request_refused`.

    :return: The reference id that ties the answer to the log.
    """
    reference = secrets.token_hex(8)
    reason = clean_reason(error.reason)
    level = logging.ERROR if error.status >= 500 else logging.INFO if isinstance(error, EXPECTED) else logging.WARNING
    announcer = find_announcer(sender)
    if not announcer.log_json:
        log.log(
            level,
            "%s refused: %s: %s [cause %s, client %s, reference %s]",
            endpoint,
            error.code,
            reason,
            error.cause,
            error.client_id,
            reference,
        )
    if announcer.wants(RequestRefused):
        refused = RequestRefused(error.code, error.cause, reason, reference, endpoint, error.client_id)
        announcer.tell(refused, level=level)
    keeper: KeepsRefusals | None = getattr(sender, "extensions", {}).get(KEEPER_KEY)
    if keeper is not None:
        try:
            keeper.note(error, reference=reference, endpoint=endpoint)
        except Exception:  # no memory for a thread, for example; the caller gets the answer all the same
            log.exception("a refusal is not kept [reference %s]", reference)
    return reference


def clean_reason(reason: str) -> str:
    """A private reason for a log, a signal or a terminal: printable, on one line, and without JWTs."""
    # A reason quotes foreign text already; this also keeps the log entry on one line and printable. A caller may have
    # put its assertion into another parameter. It is not spent yet, so nobody may be able to read it in a log.
    printable = _UNPRINTABLE.sub(_escape, reason[:_LONGEST_REASON])
    return _REQUEST_URI.sub("(a request_uri)", _JWT.sub("(a JWT)", printable))[:_LONGEST_REASON]


def clean_details(details: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """*details* with all foreign text shortened and made printable, and without JWTs."""
    return None if details is None else {name: _clean(value) for name, value in details.items()}


def _clean(value: Any) -> Any:
    if value is None or isinstance(value, bool) or (isinstance(value, (int, float)) and abs(value) < _LARGEST_NUMBER):
        return value
    if isinstance(value, str):
        return clean_reason(value)[:200]
    if isinstance(value, Mapping):
        return {clean_reason(str(name))[:100]: _clean(item) for name, item in list(value.items())[:20]}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(item) for item in list(value)[:20]]
    return clean_reason(repr(value))[:200]


def _escape(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


class attributed_to:  # noqa: N801 - reads as what it does: with attributed_to(client_id)
    """A refusal raised inside the block is attributed to this client, in the log and the signal."""

    __slots__ = ("_client_id",)

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OAuthError):
            error.client_id = self._client_id
