"""What an endpoint of the authorization server is: where it answers, to which methods, and what it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flask.typing import ResponseReturnValue

from .needs import Need

CrossOriginUse = Literal["never", "setting", "everybody"]


@dataclass(frozen=True, slots=True)
class ServerEndpoint:
    """One line of the table of endpoints."""

    name: str
    path: str
    methods: tuple[str, ...]
    view: Callable[[], ResponseReturnValue]
    metadata_member: str = ""
    """Its member of the metadata document, if it has one (RFC 8414 §2)."""
    needs: frozenset[Need] = frozenset()
    """What the application must have for the endpoint to be served."""
    in_browser: bool = False
    """Whether it is a page for people: an ordinary view, which runs after the app's own hooks."""
    cross_origin: CrossOriginUse = "never"
    """Whose pages may read its answers: nobody's, those of ``OAUTH2_CORS_ORIGINS``, or everybody's."""
