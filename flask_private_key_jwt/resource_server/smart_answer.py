"""What a request for an API's ``/.well-known/smart-configuration`` gets, whatever framework serves it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..errors import MethodNotAllowed, OAuthError
from ..settings.resource import ResourceSettings
from ..signals.refusal import Answer
from .guard import refuse
from .metadata import ALLOW, HEADERS
from .smart_configuration import build_smart_configuration

NAME = "smart_configuration"
"""The ``endpoint`` of a refusal, in the log and the signal."""


async def answer_smart(
    settings: ResourceSettings, load: Callable[[], Awaitable[Mapping[str, Any]]], *, method: str, sender: object
) -> Answer:
    """The document, or a refusal.

    :param load: Returns the metadata of the issuer (RFC 8414 §2).
    """
    if method not in ALLOW:
        return refuse(MethodNotAllowed(f"method {method[:20]!r}", allow=ALLOW), endpoint=NAME, sender=sender)
    if method == "OPTIONS":  # a browser asks what it may do; the issuer has no part in that
        return Answer(204, None, (("Allow", ", ".join(ALLOW)),))
    try:
        metadata = await load()
    except OAuthError as error:
        return refuse(error, endpoint=NAME, sender=sender)
    return Answer(200, build_smart_configuration(metadata, settings.SMART_CAPABILITIES), HEADERS)
