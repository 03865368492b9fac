"""What both servers mean by ready: a check is a function that raises if something is not there."""

import secrets
from collections.abc import Callable
from functools import partial

from .. import clock
from ..replay.base import READINESS, Mark, ReplayStore, remember_once

ReadinessCheck = Callable[[], None]
"""Raises :class:`NotReady`, ``OAuthError`` or ``ConfigurationError`` if what it looks for is not there."""


class NotReady(Exception):
    """Something that requests need is not there; the message is for the operator."""


def check_replay_store(store: ReplayStore, *, server: str) -> ReadinessCheck:
    """A check that writes into a replay store, as each request does: a store that can only be read helps nobody.

    The mark may be forgotten in the same second, so purging removes it with the others.

    :param server: The server's name in a mark.
    """
    return partial(_remember_one, store, server)


def _remember_one(store: ReplayStore, server: str) -> None:
    now = clock.now()
    remember_once(store, [Mark(READINESS, server, READINESS, secrets.token_urlsafe(16), until=now, used_from=now)])
