"""The log of decisions (``OAUTH2_LOG_FORMAT = "json"``): one JSON object in one line for each event."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from .. import clock

log = logging.getLogger("flask_private_key_jwt.decisions")


def write_line(event: str, arguments: Mapping[str, Any], *, level: int) -> None:
    """Write one line. ASCII only, so that no value can break it, or a terminal.

    :param event: The name of the event's signal.
    """
    if log.level == logging.NOTSET:  # otherwise the root's level, a warning, would leave out what succeeds
        log.setLevel(logging.INFO)
    if not log.hasHandlers():  # as Flask does: at the first line, when the application has set up its logging
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    if log.isEnabledFor(level):
        line = {"time": clock.now(), "level": logging.getLevelName(level), "event": event, **arguments}
        log.log(level, "%s", json.dumps(line))
