"""What an API needs in order to answer calls: a replay store that can be written to, and the issuer's keys."""

from collections.abc import Callable, Mapping
from threading import Thread
from typing import cast

from ..database.deadline import seconds_left
from ..errors import OAuthError
from ..operations.readiness import NotReady, ReadinessCheck, check_replay_store
from ..replay.base import AsyncReplayStore, ReplayStore, name_api
from ..settings.resource import ResourceSettings
from ..tokens.verification import IssuerKeys


def build_checks(
    settings: ResourceSettings,
    *,
    find_replay: Callable[[], ReplayStore | AsyncReplayStore | None] | None,
    keys: IssuerKeys | None,
) -> Mapping[str, ReadinessCheck]:
    """The checks of one API.

    :param find_replay: Returns its replay store; ``None``: the store is that of a server in the same app.
    :param keys: The issuer's keys; ``None``: the issuer is in the same app.
    """
    checks: dict[str, ReadinessCheck] = {}
    if find_replay is not None and settings.REPLAY_STORE is not None:
        checks["replay_store"] = lambda: _check_replay(settings, find_replay())
    if keys is not None:
        checks["issuer_keys"] = lambda: _check_keys(keys, longest=settings.STORE_TIMEOUT_SECONDS)
    return checks


def _check_replay(settings: ResourceSettings, store: ReplayStore | AsyncReplayStore | None) -> None:
    if store is not None:
        # Only a Flask app asks, and its store is never one for an event loop.
        check_replay_store(
            cast(ReplayStore, store), server=name_api(issuer=settings.ISSUER, resource=settings.RESOURCE)
        )()


def _check_keys(keys: IssuerKeys, *, longest: float) -> None:
    """Whether there are keys to verify a token with; kept ones count as long as calls may use them.

    In a thread of its own, because fetching them may take longer than the answer may. One thread fetches at a time, and
    the time of a fetch is limited (``OAUTH2_HTTP_TIMEOUT_SECONDS``).
    """
    problems: list[str] = []

    def load() -> None:
        try:
            keys.load()
        except OAuthError as problem:
            problems.append(problem.reason)

    thread = Thread(target=load, name="private_key_jwt_readiness", daemon=True)
    thread.start()
    thread.join(seconds_left(longest))
    if thread.is_alive():
        raise NotReady("the issuer's keys are not here yet")
    if problems:
        raise NotReady(problems[0])
