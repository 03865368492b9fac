"""ResourceProtector: apply the steps of ``guard.py`` to Flask views, view classes and blueprints."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import flask

from ..errors import ConfigurationError
from ..jose.derived import Secrets, read_secrets
from ..replay.base import ReplayStore
from ..replay.loading import load_replay_store
from ..settings.reading import read
from ..settings.resource import ResourceSettings
from ..signals.events import ANNOUNCER_KEY, Announcer
from ..tokens.scope_matching import ScopeMatcher
from ..web.cross_origin import open_to
from .building import build_guard
from .cross_origin import allow_cross_origin
from .guard import Guard
from .in_flask import EXTENSION_KEY, current_guard, enter
from .marked_views import MARK, find_requirements
from .metadata_endpoint import add_metadata_endpoint
from .new_views import check_new_views
from .own_server import SERVER_KEY, OwnServer
from .requirement import DPoPUse, Scopes, build_requirement
from .smart_endpoint import add_smart_endpoint
from .waiting import InThisThread

View = TypeVar("View", bound=Callable[..., Any])


class ResourceProtector:
    """Protects the views of Flask apps with access tokens; one object may serve several apps."""

    def __init__(self) -> None:
        self._scope_matchers: list[ScopeMatcher] = []

    def init_app(self, app: flask.Flask) -> None:
        """Read the settings of *app* and add its metadata document (RFC 9728).

        If the app is also the authorization server, call ``init_app`` of its ``PrivateKeyJWT`` first. A view that
        requires what the app cannot do is an error: it is raised here if the view is already registered, otherwise when
        it is registered.

        :raises ConfigurationError: A setting is wrong or missing, or ``init_app`` was called on *app* before.
        """
        if EXTENSION_KEY in app.extensions:
            raise ConfigurationError("init_app was called on this app before.")
        guard = _build_guard(app, self._scope_matchers)
        for requirement in find_requirements(app):  # the views that are already registered
            guard.check_setup(requirement)
        if guard.settings.CLIENT_ID and guard.settings.CLIENT_KEY:  # views registered later may need them
            guard.online.prepare()
        app.extensions[EXTENSION_KEY] = guard
        documents = [*add_metadata_endpoint(app, guard.settings), *add_smart_endpoint(app, guard.settings)]
        cross_origin = open_to(guard.settings.CORS_ORIGINS, what="the protected views")
        allow_cross_origin(app, cross_origin, documents=documents)
        check_new_views(app, guard.check_setup)

    def __call__(
        self, scopes: Scopes = None, *, dpop: DPoPUse = "allowed", optional: bool = False, online: bool = False
    ) -> Callable[[View], View]:
        """Protect a view: ``@require_oauth("read", dpop="required")``; for a view class, put it in ``decorators``.

        :param scopes: A string: all of its scopes, separated by spaces, are required. A list: one of its strings is
            enough. ``None``: no scope is required.
        :param dpop: ``allowed`` accepts bound tokens with a proof, and Bearer tokens; ``required`` only bound tokens.
        :param optional: Also let callers without credentials in; :data:`current_token` is false then. Wrong
            credentials are still refused.
        :param online: Ask the issuer whether the token is still active. A request is refused if its token is revoked,
            and also if the issuer does not answer. Needs ``OAUTH2_CLIENT_ID`` and ``OAUTH2_CLIENT_KEY``, unless the
            issuer is in the same app.
        :raises ConfigurationError: The arguments make no sense; the message says what to write.
        """
        requirement = build_requirement(scopes, dpop=dpop, optional=optional, online=online)

        def protect(view: View) -> View:
            if isinstance(view, type):
                raise ConfigurationError(f"Put require_oauth(…) in {view.__name__}.decorators, not above the class.")

            is_async = inspect.iscoroutinefunction(view)  # asked once: Flask's ensure_sync() asks at every call

            @functools.wraps(view)
            def protected(*args: Any, **kwargs: Any) -> Any:
                refusal = enter(current_guard(), requirement)
                if refusal is not None:
                    return refusal
                return flask.current_app.ensure_sync(view)(*args, **kwargs) if is_async else view(*args, **kwargs)

            setattr(protected, MARK, requirement)
            return cast(View, protected)

        return protect

    def scope_matcher(self, matches: ScopeMatcher) -> ScopeMatcher:
        """Register a function that says whether one scope allows another; without it, scopes are compared as strings.

        ``matches(required, held)`` is called with a scope that a view requires and one of the token's, if they differ.
        It returns ``True`` if the second allows the first, as ``system/*.rs`` allows ``system/Observation.rs``, and
        otherwise ``False``. If it raises, or returns anything else, the request is refused with 503.
        """
        self._scope_matchers.append(matches)
        return matches

    def protect(
        self,
        blueprint: flask.Blueprint,
        scopes: Scopes = None,
        *,
        dpop: DPoPUse = "allowed",
        optional: bool = False,
        online: bool = False,
    ) -> None:
        """Protect every view of a blueprint, including those that are added later.

        The other arguments are those of :meth:`__call__`.

        :raises ConfigurationError: The arguments make no sense; the message says what to write.
        """
        requirement = build_requirement(scopes, dpop=dpop, optional=optional, online=online)

        def protect_blueprint() -> flask.Response | None:
            # Flask answers OPTIONS itself, without calling the view; a browser's CORS preflight sends no token.
            if flask.request.method == "OPTIONS" and _answers_options(flask.request):
                return None
            return enter(current_guard(), requirement)

        setattr(protect_blueprint, MARK, requirement)
        blueprint.before_request(protect_blueprint)


def _build_guard(app: flask.Flask, scope_matchers: Sequence[ScopeMatcher]) -> Guard:
    settings = read(app.config, ResourceSettings)
    app.extensions.setdefault(ANNOUNCER_KEY, Announcer(app, log_json=settings.LOG_FORMAT == "json"))
    return build_guard(
        settings,
        secrets=_find_secrets(settings, app),
        stored_replay=_load_stored_replay(settings, app),
        waiting=InThisThread(),
        extensions=app.extensions,
        scope_matchers=scope_matchers,
    )


def _find_secrets(settings: ResourceSettings, app: flask.Flask) -> Secrets | None:
    if settings.DPOP_NONCE == "off":
        return None
    server: OwnServer | None = app.extensions.get(SERVER_KEY)
    return server.secrets if server else read_secrets(settings, app.config)


def _load_stored_replay(settings: ResourceSettings, app: flask.Flask) -> ReplayStore | None:
    if settings.REPLAY_STORE is None or settings.REPLAY_STORE == "sql" or SERVER_KEY in app.extensions:
        return None  # none, or the server's
    return load_replay_store(settings.REPLAY_STORE, redis_replicas=settings.REPLAY_REDIS_REPLICAS)


def _answers_options(request: flask.Request) -> bool:
    return bool(getattr(request.url_rule, "provide_automatic_options", False))
