"""What the protectors without Flask share: settings, guard, documents, and whose pages may call (CORS)."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import unquote

from ..errors import ConfigurationError
from ..jose.derived import read_secrets
from ..replay.base import AsyncReplayStore, ReplayStore
from ..settings.reading import read, read_environment, unread
from ..settings.resource import ResourceSettings
from ..signals.events import ANNOUNCER_KEY, Announcer
from ..signals.refusal import Answer
from ..tokens.scope_matching import ScopeMatcher
from ..web.cross_origin import FOR_EVERYBODY, Headers, find_preflight, open_to
from .answer_headers import set_headers
from .building import build_guard
from .call import Call
from .guard import Entry
from .issuer_metadata import IssuerMetadata
from .metadata import metadata_path
from .metadata_answer import answer_metadata
from .requirement import DPoPUse, Requirement, Scopes, build_requirement
from .smart_answer import answer_smart
from .smart_configuration import find_paths
from .waiting import Waiting

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
"""What a page of a listed origin may ask for: nobody here knows what an application serves."""
DOCUMENT_METHODS = ("GET", "HEAD")
AnswerDocument = Callable[[str], Awaitable[Answer]]
"""Answers a request for a document, given its method."""

GivenSettings = Mapping[str, Any] | ResourceSettings | None
"""``OAUTH2_…`` names with their values, as in Flask's ``app.config``; ``None``: those of the environment."""


class LoadStore(Protocol):
    """Makes the replay store that a setting names."""

    def __call__(self, setting: object, *, redis_replicas: int) -> ReplayStore | AsyncReplayStore:
        """See :func:`.load_replay_store`."""


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
        load_store: LoadStore,
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
        # Named as in a Flask app: whoever sends a signal looks here for how to announce it.
        self.extensions = {ANNOUNCER_KEY: Announcer(self, log_json=self.settings.LOG_FORMAT == "json")}
        store = self.settings.REPLAY_STORE
        self._scope_matchers: list[ScopeMatcher] = []
        self._guard = build_guard(
            self.settings,
            secrets=None if self.settings.DPOP_NONCE == "off" else read_secrets(self.settings, config),
            stored_replay=None
            if store is None
            else load_store(store, redis_replicas=self.settings.REPLAY_REDIS_REPLICAS),
            waiting=waiting,
            extensions=self.extensions,
            scope_matchers=self._scope_matchers,
        )
        self._requirements: list[Requirement] = []
        if self.settings.CLIENT_ID and self.settings.CLIENT_KEY:
            self._guard.online.prepare()
        self._cross_origin = open_to(self.settings.CORS_ORIGINS, what="the protected views")
        self._documents = self._find_documents(waiting)

    def scope_matcher(self, matches: ScopeMatcher) -> ScopeMatcher:
        """Register a function that says whether one scope allows another: see :meth:`.ResourceProtector.scope_matcher`.

        It is called in the event loop, if there is one, so it must not wait.
        """
        self._scope_matchers.append(matches)
        return matches

    def _require(self, scopes: Scopes, dpop: DPoPUse, optional: bool, online: bool) -> Requirement:
        """Check what is required, and note it for the metadata document.

        :raises ConfigurationError: It makes no sense, or the settings do not allow it.
        """
        requirement = build_requirement(scopes, dpop=dpop, optional=optional, online=online)
        self._guard.check_setup(requirement)
        self._requirements.append(requirement)
        return requirement

    # --- documents that everybody may read ------------------------------------------------------------------------
    def _find_documents(self, waiting: Waiting) -> dict[str, AnswerDocument]:
        """The documents by their paths."""
        documents: dict[str, AnswerDocument] = {}
        if (path := metadata_path(self.settings.RESOURCE)) is not None:
            documents[_as_bytes(unquote(path))] = self._answer_metadata
        if self.settings.PROFILE == "smart":
            metadata = IssuerMetadata(self.settings)

            async def answer(method: str) -> Answer:
                return await answer_smart(
                    self.settings, lambda: waiting.load_metadata(metadata), method=method, sender=self
                )

            documents |= {_as_bytes(path): answer for path in find_paths(self.settings)}
        return documents

    async def _answer_metadata(self, method: str) -> Answer:
        return answer_metadata(self._guard, self._requirements, method=method, sender=self)

    async def _answer_document(self, call: Call) -> Answer | None:
        """A document, if the request is for one."""
        document = self._documents.get(call.path) or self._documents.get(call.mount + call.path)
        if document is None:
            return None
        if _is_preflight(call):
            return Answer(204, None, FOR_EVERYBODY.build_preflight_headers(call.origin, DOCUMENT_METHODS))
        return _add(await document(call.method), FOR_EVERYBODY.build_headers(call.origin))

    # --- pages of other origins -----------------------------------------------------------------------------------
    def _answer_preflight(self, call: Call) -> Answer | None:
        """The answer to a preflight of a listed origin, which carries no token."""
        if not _is_preflight(call) or not self._cross_origin.is_listed(call.origin):
            return None
        return Answer(204, None, self._cross_origin.build_preflight_headers(call.origin, METHODS))

    def _find_cors_headers(self, call: Call) -> Headers:
        """What a browser must know of the answer of a protected view, a refusal too."""
        return self._cross_origin.build_headers(call.origin) if self._cross_origin.origins else ()

    async def _enter(self, call: Call, requirement: Requirement, notes: MutableMapping[str, Any]) -> Entry:
        entry = await self._guard.enter(call, requirement, notes=notes, sender=self)
        cors = self._find_cors_headers(call)
        if entry.refusal is not None:
            return Entry(_add(entry.refusal, cors))
        return Entry(headers=(*entry.headers, *cors))


def _is_preflight(call: Call) -> bool:
    return find_preflight(call.method, origin=call.origin, requested_method=call.requested_method) is not None


def _add(answer: Answer, headers: Headers) -> Answer:
    return replace(answer, headers=tuple(set_headers(answer.headers, headers)))


def _as_bytes(path: str) -> str:
    return path.encode("utf-8", "surrogatepass").decode("latin-1")
