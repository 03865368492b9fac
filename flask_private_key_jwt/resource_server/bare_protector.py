"""What the protectors without Flask share: their settings, their guard, and their metadata document."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from ..errors import ConfigurationError
from ..jose.derived import read_secrets
from ..refusal import Answer
from ..replay.base import AsyncReplayStore, ReplayStore
from ..settings.reading import read, read_environment, unread
from ..settings.resource import ResourceSettings
from .building import build_guard
from .call import Call
from .metadata import metadata_path
from .metadata_answer import answer_metadata
from .requirement import DPoPUse, Requirement, Scopes, build_requirement
from .waiting import Waiting

GivenSettings = Mapping[str, Any] | ResourceSettings | None
"""``OAUTH2_…`` names with their values, as in Flask's ``app.config``; ``None``: those of the environment."""


class BareProtector:
    """Protects an API that is no Flask app.

    :param settings: ``None``: the ``OAUTH2_…`` variables of the environment. A mapping of such names to their values,
        which may also have ``SECRET_KEY``. Or the settings of another protector.
    :raises ConfigurationError: A setting is wrong or missing.
    """

    def __init__(
        self,
        settings: GivenSettings,
        *,
        load_store: Callable[[object], ReplayStore | AsyncReplayStore],
        waiting: Waiting,
    ) -> None:
        if settings is None:
            settings = read_environment()
        config = unread(settings) if isinstance(settings, ResourceSettings) else settings
        self.settings = read(config, ResourceSettings)
        """The settings, checked and frozen."""
        if self.settings.REPLAY_STORE == "sql":
            raise ConfigurationError(
                "OAUTH2_REPLAY_STORE is sql, which means the database of a Flask app that is also the authorization "
                "server. Set a redis:// or SQLAlchemy URL."
            )
        store = self.settings.REPLAY_STORE
        self._guard = build_guard(
            self.settings,
            secrets=None if self.settings.DPOP_NONCE == "off" else read_secrets(self.settings, config),
            stored_replay=None if store is None else load_store(store),
            waiting=waiting,
            extensions={},
        )
        self._requirements: list[Requirement] = []
        if self.settings.CLIENT_ID and self.settings.CLIENT_KEY:
            self._guard.online.prepare()
        path = metadata_path(self.settings.RESOURCE)
        self._metadata_path = None if path is None else unquote_to_bytes(path).decode("latin-1")

    def _require(self, scopes: Scopes, dpop: DPoPUse, optional: bool, online: bool) -> Requirement:
        """Check what is required, and note it for the metadata document.

        :raises ConfigurationError: It makes no sense, or the settings do not allow it.
        """
        requirement = build_requirement(scopes, dpop=dpop, optional=optional, online=online)
        self._guard.check_setup(requirement)
        self._requirements.append(requirement)
        return requirement

    def _answer_metadata(self, call: Call) -> Answer | None:
        """The metadata document, if the request is for it."""
        if self._metadata_path is None or self._metadata_path not in (call.path, call.mount + call.path):
            return None
        return answer_metadata(self._guard, self._requirements, method=call.method, sender=self)
