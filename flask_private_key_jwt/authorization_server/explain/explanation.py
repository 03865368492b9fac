"""What is said of a refusal, or of a JWT: one value, for a person or as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from ... import clock
from ...errors import OAuthError, StoreUnavailable
from ...jose import jose
from ...signals.refusal import clean_details, clean_reason
from ..state import State
from ..stores.contracts import KeptRefusal
from .causes import Meaning, find_meaning
from .order import CHECKS, JWTKind, find_failed, find_kind
from .rehearsal import Circumstances, Rehearsal

CheckOutcome = Literal["ok", "failed", "not reached", "not checked"]
_APIS = ("resource", "userinfo")
"""Endpoints where a proof comes with an access token."""
_TYPES: Mapping[str, JWTKind] = {
    "dpop+jwt": "proof",
    "at+jwt": "token",
    "oauth-authz-req+jwt": "request object",
    "client-authentication+jwt": "assertion",
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check, and what came of it."""

    name: str
    rule: str
    outcome: CheckOutcome


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something was refused, or that it is accepted."""

    kind: JWTKind | None
    """What was checked; ``None``: the refusal is about no JWT."""
    at: int
    """The moment of the check, in seconds since the epoch."""
    accepted: bool
    steps: tuple[CheckResult, ...]
    """The checks, in their order."""
    client_id: str | None = None
    error: str | None = None
    """What the caller was told, as an error code."""
    cause: str | None = None
    reason: str | None = None
    details: Mapping[str, Any] | None = None
    """See :attr:`.errors.OAuthError.details`."""
    times: Mapping[str, float] | None = None
    """The JWT's dates, in seconds after the moment of the check; those before it are negative."""
    request: Mapping[str, Any] | None = None
    """Of a refused request: its ``reference``, its ``endpoint`` and the caller's ``address``."""
    notes: tuple[str, ...] = ()
    """What the explanation does not cover."""

    @property
    def meaning(self) -> Meaning | None:
        """What the cause means, and who has to do what."""
        return None if self.cause is None else find_meaning(self.cause)

    @property
    def clock_difference(self) -> float | None:
        """How far the clock of the JWT's maker is ahead of this server's, in seconds, if it was sent as soon as it was
        made; negative: behind. ``None``: the refusal is not about a time, or the JWT may be old."""
        details = self.details or {}
        if "seconds" not in details or (self.kind == "token" and not self._is_ahead):
            return None
        seconds: float | None = details.get("made")
        if seconds is None and self._is_ahead:
            seconds = details["seconds"]
        return seconds

    @property
    def _is_ahead(self) -> bool:
        return self.cause is not None and self.cause.endswith("_not_yet_valid")

    def as_json(self) -> dict[str, Any]:
        """The members of the output of ``--json``."""
        details, meaning = self.details or {}, self.meaning
        return {
            "kind": self.kind,
            "accepted": self.accepted,
            "at": self.at,
            **(self.request or {}),
            "client_id": self.client_id,
            "checks": [{"name": step.name, "rule": step.rule, "outcome": step.outcome} for step in self.steps],
            "error": self.error,
            "cause": self.cause,
            "reason": self.reason,
            "expected": details.get("expected"),
            "received": details.get("received"),
            "clock_difference_seconds": self.clock_difference,
            "keys": list(details.get("keys") or ()),
            "times": self.times,
            "meaning": meaning.meaning if meaning else None,
            "todo": [{"who": task.who, "what": task.what} for task in meaning.tasks] if meaning else [],
            "notes": list(self.notes),
        }


def find_kind_of(text: str) -> JWTKind:
    """What a JWT, or another token, seems to be. Whether it is, its check says."""
    if "." not in text:
        return "token"  # a refresh token of ours has no dot
    try:
        header, claims = jose.decode_unverified(text)
    except jose.JoseProblem:
        return "assertion"
    typ = str(header.get("typ", "")).lower().removeprefix("application/")
    if typ in _TYPES:
        return _TYPES[typ]
    if "htm" in claims or "htu" in claims:
        return "proof"
    return "request object" if "client_id" in claims or "response_type" in claims else "assertion"


def explain_jwt(
    state: State, text: str, *, kind: JWTKind | None = None, circumstances: Circumstances, fetch: bool = False
) -> Explanation:
    """Run the server's checks on *text*, as of :func:`clock.now`. Nothing is spent, written or, unless told, fetched.

    :param text: An assertion, a proof, a token or a request object.
    :param kind: What it is; default: what it seems to be.
    :param circumstances: The request that held it.
    :param fetch: See :class:`.Rehearsal`.
    :raises StoreUnavailable: The database did not answer.
    """
    kind = kind or find_kind_of(text)
    rehearsal = Rehearsal(state, fetch=fetch)
    notes = tuple(_find_notes(kind, text, circumstances, rehearsal, state))
    client_id, refusal = None, None
    try:
        if kind == "assertion":
            client_id = rehearsal.check_assertion(text, circumstances)
        elif kind == "proof":
            rehearsal.check_proof(text, circumstances)
        elif kind == "token":
            client_id = rehearsal.check_token(text, circumstances)
        else:
            client_id = rehearsal.check_request_object(text)
    except StoreUnavailable:
        raise  # it says nothing about the JWT
    except OAuthError as error:
        refusal = error
    return Explanation(
        kind=kind,
        at=clock.now(),
        accepted=refusal is None,
        steps=tell_steps(kind, None if refusal is None else refusal.cause, left_out=_left_out(kind, circumstances)),
        client_id=client_id if refusal is None else refusal.client_id,
        error=None if refusal is None else refusal.code,
        cause=None if refusal is None else refusal.cause,
        reason=None if refusal is None else clean_reason(refusal.reason),
        details=None if refusal is None else clean_details(refusal.details),
        times=_find_times(text),
        notes=(*notes, *_tell_unusable(refusal, rehearsal)),
    )


def tell_steps(kind: JWTKind, cause: str | None, *, left_out: Set[str] = frozenset()) -> tuple[CheckResult, ...]:
    """The checks of a JWT of *kind*, with what came of each.

    :param cause: Why it was refused; ``None``: it was not.
    :param left_out: The names of the checks that were not made.
    """
    checks = CHECKS[kind]
    failed = None if cause is None else find_failed(cause, kind)
    steps = []
    for number, check in enumerate(checks):
        outcome: CheckOutcome
        if number == failed:
            outcome = "failed"
        elif check.name in left_out:
            outcome = "not checked"
        elif cause is None or (failed is not None and number < failed):
            outcome = "ok"
        else:
            outcome = "not reached" if failed is not None else "not checked"
        steps.append(CheckResult(check.name, check.rule, outcome))
    return tuple(steps)


def explain_refusal(kept: KeptRefusal) -> Explanation:
    """Explain a refusal that was kept."""
    kind = find_kind(kept.cause)
    left_out = set() if kept.endpoint in _APIS or kind != "proof" else {"ath"}
    return Explanation(
        kind=kind,
        at=kept.refused_at,
        accepted=False,
        steps=() if kind is None else tell_steps(kind, kept.cause, left_out=left_out),
        client_id=kept.client_id,
        error=kept.error,
        cause=kept.cause,
        reason=kept.reason,
        details=None if kept.details is None else json.loads(kept.details),
        request={"reference": kept.reference, "endpoint": kept.endpoint, "address": kept.address},
    )


def _left_out(kind: JWTKind, circumstances: Circumstances) -> Set[str]:
    without_request = {check.name for check in CHECKS[kind] if not check.rehearsed}
    return without_request | ({"ath"} if kind == "proof" and circumstances.access_token is None else set())


def _find_notes(
    kind: JWTKind, text: str, circumstances: Circumstances, rehearsal: Rehearsal, state: State
) -> Sequence[str]:
    notes = []
    if kind in ("assertion", "proof"):
        notes.append("Whether its jti was used before is not looked up, because that would use it.")
    if kind == "proof" and circumstances.url is None:
        notes.append(
            f"Held against {circumstances.method} {state.server.base_url}/token; --method and --url change it."
        )
    if kind == "proof" and circumstances.access_token is None and "ath" in _claims_of(text):
        notes.append("Its ath is not checked: give the access token with --token FILE.")
    if kind in ("proof", "token") and not rehearsal.has_api and (kind == "token" or "ath" in _claims_of(text)):
        notes.append("No API is in this app, so the settings of an API elsewhere do not count here.")
    if kind == "token" and not rehearsal.has_api and circumstances.resource is None and "." in text:
        notes.append("Its aud is not held against an API: give its identifier with --resource.")
    if kind == "token" and "." not in text:
        notes.append(
            "It is no JWT, so it was looked up as a refresh token; the checks of an access token do not apply."
        )
    return notes


def _tell_unusable(refusal: OAuthError | None, rehearsal: Rehearsal) -> Iterator[str]:
    """What is wrong with those keys of the client that cannot be used at all."""
    if refusal is not None and refusal.client_id is not None and "keys" in (refusal.details or {}):
        for problem in rehearsal.find_unusable_keys(refusal.client_id):
            yield f"A key of the client is passed over: {clean_reason(str(problem))}."


def _claims_of(text: str) -> Mapping[str, Any]:
    try:
        return jose.decode_unverified(text)[1]
    except jose.JoseProblem:
        return {}


def _find_times(text: str) -> Mapping[str, float]:
    now, times = clock.now(), {}
    for name in ("iat", "nbf", "exp"):
        value = _claims_of(text).get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**53:
            times[name] = value - now
    return times
