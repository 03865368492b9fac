"""Spans for the steps of a request (extra ``[otel]``, opentelemetry-api).

The steps are wrapped when the application asks for it; before that they are plain methods, and cost nothing.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import flask

from .._version import __version__
from ..errors import ConfigurationError, OAuthError

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

NAME = "private_key_jwt_traces"
"""Where an app remembers that it is traced, in ``app.extensions``."""
_SERVER, _API = "private_key_jwt", "private_key_jwt_resource"

SERVER_STEPS = (
    ("client_auth", "verify", "oauth2.authenticate_client"),
    ("dpop", "check", "oauth2.check_proof"),
    ("once_only", "remember", "oauth2.remember_once"),
    ("grants", "check", "oauth2.check_grant"),
    ("", "issue", "oauth2.issue_token"),
    ("introspection", "describe", "oauth2.describe_token"),
    ("revoker", "revoke", "oauth2.revoke_token"),
    ("authorizer", "push", "oauth2.push_request"),
    ("authorizer", "open", "oauth2.open_request"),
    ("authorizer", "check", "oauth2.check_request"),
    ("authorizer", "issue_code", "oauth2.issue_code"),
)
"""Part of the server (empty: the server itself), its method, the name of the span."""
API_STEPS = (
    ("tokens", "verify", "oauth2.verify_token"),
    ("proofs", "check", "oauth2.check_proof"),
    ("online", "check", "oauth2.ask_issuer"),
)
"""The same, of an API."""


def trace_steps(app: flask.Flask, *, tracer_provider: "TracerProvider | None" = None) -> None:
    """Make a span of each step of a request to *app*, below the span of the request. Call it after ``init_app``.

    The spans that instrumentations of SQLAlchemy, Redis and ``requests`` make appear below those of the steps. A step
    that refuses has the ``cause`` as ``error.type``; no span holds a reason, a token, an assertion or a proof.

    :param tracer_provider: Of OpenTelemetry; default: the global one.
    :raises ConfigurationError: opentelemetry-api is not installed, *app* is neither an authorization server nor an API
        yet, or it is traced already.
    """
    roles = [app.extensions[name] for name in (_SERVER, _API) if name in app.extensions]
    if not roles:
        raise ConfigurationError("Call trace_steps(app) after init_app: there is nothing to trace yet.")
    if NAME in app.extensions:
        raise ConfigurationError("trace_steps was called on this app before.")
    app.extensions[NAME] = tracer = _get_tracer(tracer_provider)
    if _SERVER in app.extensions:
        state = app.extensions[_SERVER]
        _wrap(state.server, SERVER_STEPS, tracer)
        _wrap(state.userinfo, API_STEPS, tracer)
    if _API in app.extensions:
        _wrap(app.extensions[_API], API_STEPS, tracer)


def _get_tracer(provider: "TracerProvider | None") -> "Tracer":
    try:
        from opentelemetry import trace
    except ModuleNotFoundError:
        raise ConfigurationError(
            "trace_steps needs opentelemetry-api: pip install flask-private-key-jwt[otel]"
        ) from None
    return trace.get_tracer("flask_private_key_jwt", __version__, tracer_provider=provider)


def _wrap(role: Any, steps: tuple[tuple[str, str, str], ...], tracer: "Tracer") -> None:
    for part, method, name in steps:
        owner = getattr(role, part) if part else role
        setattr(owner, method, _traced(getattr(owner, method), name, tracer))


def _traced(step: Callable[..., Any], name: str, tracer: "Tracer") -> Callable[..., Any]:
    from opentelemetry.trace import Status, StatusCode

    @functools.wraps(step)
    def run(*args: Any, **kwargs: Any) -> Any:
        # The SDK would record the message of an exception; ours is the private reason, which may quote a caller.
        with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as span:
            try:
                return step(*args, **kwargs)
            except Exception as error:
                cause = error.cause if isinstance(error, OAuthError) else type(error).__qualname__
                span.set_attribute("error.type", cause)
                span.set_status(Status(StatusCode.ERROR))
                raise

    return run
