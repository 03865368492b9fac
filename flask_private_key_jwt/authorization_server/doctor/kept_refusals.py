"""Why the running server refused, where it keeps that: the same database tells."""

import time
from collections.abc import Iterable

from ...errors import StoreUnavailable
from ...fetching.exchange import FetchedAnswer
from ..stores.contracts import KeptRefusal
from .deployment import Deployment

WITHIN_SECONDS = 5.0
"""How long the server may take to keep a refusal."""
_LOOK_EVERY_SECONDS = 0.1


def find_kept(deployment: Deployment, answers: Iterable[FetchedAnswer]) -> dict[str, KeptRefusal]:
    """What is kept of the refusals among *answers*, by their references; waits until the server has kept it."""
    if not deployment.settings.REFUSALS_KEPT_SECONDS:
        return {}
    wanted = {answer.reference for answer in answers if answer.reference}
    found: dict[str, KeptRefusal] = {}
    give_up = time.monotonic() + WITHIN_SECONDS
    while left := wanted - found.keys():
        try:
            for reference in left:
                if (kept := deployment.state.stores.refusals.find(reference)) is not None:
                    found[reference] = kept
        except StoreUnavailable:  # what was received says enough
            return found
        if time.monotonic() > give_up:
            break
        time.sleep(_LOOK_EVERY_SECONDS)
    return found
