"""Attacks the running server, as a client that is made for it and removed again whatever happens.

Its keys exist in this process only, and its tokens are bound to one of them: nobody could use what is left over.
"""

import re
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

from ... import clock
from ...client.foreign_text import show_foreign
from ...errors import InvalidClientMetadata, StoreUnavailable, UnknownClient
from ...fetching.exchange import FetchedAnswer, NoAnswer
from ..stores.contracts import KeptRefusal
from .deployment import Deployment, describe_answer, find_object
from .examination import Examination
from .finding import Finding, judge, met, moot, unmet
from .kept_refusals import find_kept
from .live_client import LiveClient
from .live_modules import MODULES, SOMETHING_ELSE, Module, NotTried

GROUP = "Attacks on the running server"
MADE, REMOVED = "live-client", "live-clean-up"
OWNER = "flask oauth2 doctor"
_CLIENT_ID = re.compile(r"flask-oauth2-doctor-(\d{1,12})-[0-9a-f]{16}")
"""The ``client_id`` says when it was made."""
_LONGEST_SECONDS = 3600
"""No examination takes longer: an older client was left over by a process that was killed."""
_MOST_SILENCES = 2
_TRIES = 3
_REST_SECONDS = 0.5
_NEEDS = ("migration", "issuer-reachable", "endpoints-reachable")
_ENDINGS = ("SIGTERM", "SIGHUP")
"""Signals that end this process, besides Ctrl-C."""


def list_live_ids() -> set[str]:
    """The ids of everything that :func:`attack` tells."""
    return {MADE, REMOVED, *(module.id for module in MODULES)}


class _Sent(NamedTuple):
    """What came back for one module: an answer, or why there is none."""

    module: Module
    answer: FetchedAnswer | None
    problem: str = ""


def attack(examination: Examination) -> None:
    """Send every module of :data:`.live_modules.MODULES`, and tell a row for each.

    The client is removed if this ends early, also by Ctrl-C or a request to end.
    """
    deployment = examination.deployment
    if missing := [need for need in _NEEDS if examination.is_missing(need)]:
        why = f"No client is made for it, because {missing[0]} is not met."
        examination.tell(MADE, GROUP, unmet(why, f"See to {missing[0]} first."))
        return
    client_id = f"flask-oauth2-doctor-{clock.now()}-{secrets.token_hex(8)}"
    endpoints = {name: str(url) for name, url in deployment.state.describe().items() if name.endswith("_endpoint")}
    client = LiveClient(deployment.settings, client_id, endpoints, deployment.outside)
    with _ending_in_order():
        try:
            made = _register(deployment, client)
            examination.tell(MADE, GROUP, made)
            if made.ok:
                for module, finding in _judge_all(deployment, _send_all(deployment, client)):
                    examination.tell(module.id, GROUP, finding)
        finally:
            with _undisturbed():
                examination.tell(REMOVED, GROUP, _remove(deployment, client_id))


def _register(deployment: Deployment, client: LiveClient) -> Finding:
    """Register the client, after whatever a killed process has left over is removed."""
    state = deployment.state
    description = {**client.describe(with_people=deployment.has_people), "owner": OWNER, "client_name": OWNER}
    try:
        for left in state.clients.all():
            made = _CLIENT_ID.fullmatch(left.client_id)
            if made and left.owner == OWNER and int(made[1]) < clock.now() - _LONGEST_SECONDS:
                state.clients.remove(left.client_id)
        state.clients.add(description)
    except StoreUnavailable as problem:
        return unmet(
            f"No client can be made for it: {problem.reason}.", "Let this command write to the server's database."
        )
    except (InvalidClientMetadata, UnknownClient) as problem:
        return unmet(
            f"No client can be made for it: {getattr(problem, 'reason', problem)}.",
            "The rules in force leave out an ordinary confidential client; attack such a server by hand.",
        )
    return met(f"The client {client.client_id} was made for it.")


def _remove(deployment: Deployment, client_id: str) -> Finding:
    """Remove the client, which revokes its tokens too."""
    problem = ""
    for number in range(_TRIES):
        if number:
            time.sleep(_REST_SECONDS)
        try:
            deployment.state.clients.remove(client_id)
            return met("The client is removed, and its tokens are revoked.")
        except UnknownClient:
            return met("There is no client to remove.")
        except StoreUnavailable as unavailable:
            problem = unavailable.reason
    return unmet(
        f"The client {client_id} is still there: {problem}. Its keys are gone, so nobody can use it.",
        f"flask oauth2 client remove {client_id}",
    )


def _send_all(deployment: Deployment, client: LiveClient) -> list[_Sent]:
    """Send every module, until the server has left a few without an answer: each of the others would take as long."""
    sent, silences = [], 0
    for module in MODULES:
        if reason := module.is_moot(deployment):
            sent.append(_Sent(module, None, reason))
        elif silences == _MOST_SILENCES:
            sent.append(_Sent(module, None, "It was not tried, because the server did not answer before."))
        else:
            try:
                sent.append(_Sent(module, module.send(client)))
            except NotTried as problem:
                sent.append(_Sent(module, None, f"It was not tried: {problem}."))
            except NoAnswer as problem:
                silences += 1
                sent.append(_Sent(module, None, str(problem)))
    return sent


def _judge_all(deployment: Deployment, sent: list[_Sent]) -> Iterator[tuple[Module, Finding]]:
    kept = find_kept(deployment, [found.answer for found in sent if found.answer is not None])
    for module, answer, problem in sent:
        if answer is not None:
            yield module, _judge(module, answer, kept.get(answer.reference or ""))
        elif module.is_moot(deployment):
            yield module, moot(problem)
        else:
            yield module, unmet(f"Expected: {module.expected}. {problem}", SOMETHING_ELSE)


def _judge(module: Module, answer: FetchedAnswer, kept: KeptRefusal | None) -> Finding:
    """Whether *answer* is the expected one; where the server keeps its reasons, for the expected reason."""
    document = find_object(answer) or {}
    received = _describe(answer, document, kept)
    is_expected = answer.status == module.status and (
        document.get("error") in module.errors if module.errors else _is_success(document)
    )
    is_for_this = kept is None or not module.causes or kept.cause in module.causes
    return judge(
        is_expected and is_for_this,
        f"Expected and received: {received}.",
        otherwise=f"Expected: {module.expected}{_name_causes(module)}. Received: {received}.",
        change=module.change,
    )


def _is_success(document: Mapping[str, Any]) -> bool:
    """A token that is bound to a key, or a pushed request."""
    is_token = isinstance(document.get("access_token"), str) and document.get("token_type") == "DPoP"
    return is_token or isinstance(document.get("request_uri"), str)


def _describe(answer: FetchedAnswer, document: Mapping[str, Any], kept: KeptRefusal | None) -> str:
    if error := show_foreign(document.get("error")):
        return f"{answer.status} {error[:60]}{f' ({kept.cause})' if kept else ''}"
    if "access_token" in document:
        kind = show_foreign(document.get("token_type")) or "unknown"
        return f"{answer.status} and a token of the type {kind[:20]}"
    if "request_uri" in document:
        return f"{answer.status} and a request_uri"
    return describe_answer(answer)


def _name_causes(module: Module) -> str:
    return f" ({' or '.join(module.causes)})" if module.causes else ""


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let a request to end this process be what Ctrl-C is, so that what has to be done last is done."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handling(interrupt, _ENDINGS):
        yield


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let nobody end this process, not even by a second Ctrl-C."""
    with _handling(signal.SIG_IGN, ("SIGINT", *_ENDINGS)):
        yield


@contextmanager
def _handling(handler: Any, names: tuple[str, ...]) -> Iterator[None]:
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]  # Windows has no SIGHUP
    before = {}
    try:
        for number in numbers:
            before[number] = signal.signal(number, handler)
    except ValueError:  # this is not the main thread, which signals would interrupt
        yield
        return
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
