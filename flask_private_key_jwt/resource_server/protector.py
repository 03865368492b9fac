"""ResourceProtector: apply the steps of ``guard.py`` to Flask views, view classes and blueprints."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import flask

from ..dpop.nonce import Nonces
from ..dpop.proof import ProofChecker
from ..errors import ConfigurationError
from ..events import ANNOUNCER_KEY, Announcer
from ..jose.derived import read_secrets
from ..metering import Meter
from ..replay.base import ReplayStore, name_api
from ..replay.loading import load_replay_store
from ..settings.reading import read
from ..settings.resource import ResourceSettings
from ..tokens.verification import TokenVerifier
from .challenge import Challenger
from .guard import EXTENSION_KEY, Guard, current_guard
from .issuer_keys import FetchedKeys
from .metadata import MARK, find_requirements, metadata_url
from .metadata_endpoint import add_metadata_endpoint
from .new_views import check_new_views
from .online import OnlineCheck
from .own_server import SERVER_KEY, OwnServer
from .requirement import DPoPUse, Scopes, build_requirement
from .target_uri import TargetURI

View = TypeVar("View", bound=Callable[..., Any])


class ResourceProtector:
    """Protects the views of Flask apps with access tokens; one object may serve several apps."""

    def init_app(self, app: flask.Flask) -> None:
        """Read the settings of *app* and add its metadata document (RFC 9728).

        If the app is also the authorization server, call ``init_app`` of its ``PrivateKeyJWT`` first. A view that
        requires what the app cannot do is an error: it is raised here if the view is already registered, otherwise when
        it is registered.

        :raises ConfigurationError: A setting is wrong or missing, or ``init_app`` was called on *app* before.
        """
        if EXTENSION_KEY in app.extensions:
            raise ConfigurationError("init_app was called on this app before.")
        guard = _build_guard(app)
        for requirement in find_requirements(app):  # the views that are already registered
            guard.check_setup(requirement)
        if guard.settings.CLIENT_ID and guard.settings.CLIENT_KEY:  # views registered later may need them
            guard.online.prepare()
        app.extensions[EXTENSION_KEY] = guard
        add_metadata_endpoint(app, guard.settings)
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

            @functools.wraps(view)
            def protected(*args: Any, **kwargs: Any) -> Any:
                refusal = current_guard().enter(flask.request, requirement)
                return flask.current_app.ensure_sync(view)(*args, **kwargs) if refusal is None else refusal

            setattr(protected, MARK, requirement)
            return cast(View, protected)

        return protect

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
            return current_guard().enter(flask.request, requirement)

        setattr(protect_blueprint, MARK, requirement)
        blueprint.before_request(protect_blueprint)


def _build_guard(app: flask.Flask) -> Guard:
    settings = read(app.config, ResourceSettings)
    target, meter = TargetURI(settings), Meter()
    app.extensions.setdefault(ANNOUNCER_KEY, Announcer(app, log_json=settings.LOG_FORMAT == "json"))
    if settings.REPLAY_STORE is not None:
        target.base()  # raises now, not at the first proof
    return Guard(
        settings=settings,
        tokens=TokenVerifier(
            issuer=settings.ISSUER,
            resource=settings.RESOURCE,
            algs=settings.TOKEN_SIGNING_ALGS,
            max_bytes=settings.TOKEN_MAX_BYTES,
            clock_skew=settings.CLOCK_SKEW_SECONDS,
        ),
        proofs=ProofChecker(
            settings,
            _build_nonces(settings, app),
            server=name_api(issuer=settings.ISSUER, resource=settings.RESOURCE),
            meter=meter,
        ),
        target=target,
        fetched_keys=FetchedKeys(settings),
        stored_replay=_load_stored_replay(settings, app),
        online=OnlineCheck(settings),
        challenger=Challenger(settings.DPOP_SIGNING_ALGS, metadata_url(settings.RESOURCE)),
        extensions=app.extensions,
        meter=meter,
    )


def _build_nonces(settings: ResourceSettings, app: flask.Flask) -> Nonces | None:
    if settings.DPOP_NONCE == "off":
        return None
    server: OwnServer | None = app.extensions.get(SERVER_KEY)
    secrets = server.secrets if server else read_secrets(settings, app.config)
    # Another purpose than the token server's, so that neither accepts a nonce of the other (RFC 9449 §9).
    return Nonces(secrets, purpose="rs", lifetime=settings.DPOP_NONCE_LIFETIME_SECONDS)


def _load_stored_replay(settings: ResourceSettings, app: flask.Flask) -> ReplayStore | None:
    if settings.REPLAY_STORE is None or settings.REPLAY_STORE == "sql" or SERVER_KEY in app.extensions:
        return None  # none, or the server's
    return load_replay_store(settings.REPLAY_STORE)


def _answers_options(request: flask.Request) -> bool:
    return bool(getattr(request.url_rule, "provide_automatic_options", False))
