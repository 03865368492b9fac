"""What a request for the metadata document gets (RFC 9728 §3.2)."""

from collections.abc import Iterable

from ..errors import ConfigurationError, MethodNotAllowed, TemporarilyUnavailable
from ..signals.refusal import Answer
from .guard import Guard, refuse
from .metadata import ALLOW, HEADERS, build_metadata
from .requirement import Requirement

NAME = "resource_metadata"
"""The ``endpoint`` of a refusal, in the log and the signal."""


def answer_metadata(guard: Guard, requirements: Iterable[Requirement], *, method: str, sender: object) -> Answer:
    """The document, or a refusal."""
    if method not in ALLOW:
        return refuse(MethodNotAllowed(f"method {method[:20]!r}", allow=ALLOW), endpoint=NAME, sender=sender)
    try:
        with_dpop = guard.find_replay_store() is not None
    except ConfigurationError as error:
        wrong = TemporarilyUnavailable(f"set up wrongly: {error}", cause="setup_wrong")
        return refuse(wrong, endpoint=NAME, sender=sender)
    tightened = map(guard.tighten, requirements)
    return Answer(200, build_metadata(guard.settings, tightened, with_dpop=with_dpop), HEADERS)
