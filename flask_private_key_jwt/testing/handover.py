"""Hands the keys of an authorization server in this process to an API, as if the API had fetched them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import flask

from ..client.introspection import IntrospectionClient
from ..client.key import load_key
from ..errors import ConfigurationError
from ..fetching.discovery import jwks_steps, metadata_steps
from ..resource_server.bare_protector import BareProtector
from ..resource_server.guard import Guard
from ..resource_server.in_flask import EXTENSION_KEY
from ..resource_server.issuer_keys import FetchedKeys
from ..resource_server.online import Introspector, OnlineCheck
from ..resource_server.own_server import SERVER_KEY
from ..settings.resource import ResourceSettings
from ..tokens.verified_tokens import Keys
from .in_process_server import InProcessServer


class Guarded(Protocol):
    """Where the guard of an API is kept."""

    @property
    def sender(self) -> object:
        """The sender of its signals."""

    @property
    def guard(self) -> Guard:
        """The guard, which is looked up for each request."""

    @guard.setter
    def guard(self, guard: Guard) -> None: ...


class FlaskGuard:
    """The guard of a Flask app.

    :raises ConfigurationError: The app is no API.
    """

    def __init__(self, app: flask.Flask) -> None:
        if not is_api(app):
            raise ConfigurationError(
                f"The Flask app {app.name!r} protects nothing: call ResourceProtector().init_app(app)."
            )
        self.sender = app

    @property
    def guard(self) -> Guard:
        """The guard, which the app looks up for each request."""
        guard: Guard = self.sender.extensions[EXTENSION_KEY]
        return guard

    @guard.setter
    def guard(self, guard: Guard) -> None:
        self.sender.extensions[EXTENSION_KEY] = guard


class ProtectorGuard:
    """The guard of a protector without Flask."""

    def __init__(self, protector: BareProtector) -> None:
        self.sender = protector

    @property
    def guard(self) -> Guard:
        """The guard, which the protector looks up for each request."""
        return self.sender._guard

    @guard.setter
    def guard(self, guard: Guard) -> None:
        self.sender._guard = guard


def is_api(app: Any) -> bool:
    """Whether *app* is a Flask app with protected views."""
    return isinstance(app, flask.Flask) and EXTENSION_KEY in app.extensions


def is_server(app: Any) -> bool:
    """Whether *app* is a Flask app that is an authorization server."""
    return isinstance(app, flask.Flask) and SERVER_KEY in app.extensions


def find_api_settings(api: Any) -> dict[str, Any]:
    """Settings of an authorization server whose tokens *api* accepts; none if it is no API.

    :param api: A Flask app, a protector, or anything else.
    """
    if isinstance(api, BareProtector):
        settings = api.settings
    elif is_api(api):
        settings = FlaskGuard(api).guard.settings
    else:
        return {}
    return {"OAUTH2_ISSUER": settings.ISSUER, "OAUTH2_RESOURCES": [settings.RESOURCE]}


@contextmanager
def handing_over(guarded: Guarded, server: InProcessServer) -> Iterator[None]:
    """During the block, the API gets keys and answers of *server* from the process, and not over the network.

    Only where they come from is replaced: every check of the API stays.

    :raises ConfigurationError: The API accepts the tokens of another issuer, or it asks about tokens with a key that
        the server does not know.
    """
    before = guarded.guard
    if server.issuer != before.settings.ISSUER:
        raise ConfigurationError(
            f"The API accepts tokens of {before.settings.ISSUER!r} (OAUTH2_ISSUER), but the authorization server in "
            f"this process is {server.issuer!r}."
        )
    if before.find_issuer() is not None:  # they are one app
        yield
        return
    guarded.guard = replace(
        before,
        fetched_keys=FetchedKeys(before.settings, lambda: _fetch_keys(server)),
        online=OnlineCheck(before.settings, _build_introspector(before.settings, server)),
    )
    try:
        yield
    finally:
        guarded.guard = before


def _fetch_keys(server: InProcessServer) -> Keys:
    metadata = server.runner.run(metadata_steps(server.issuer))
    return server.runner.run(jwks_steps(metadata.jwks_uri))


def _build_introspector(settings: ResourceSettings, server: InProcessServer) -> Introspector | None:
    """The API's client at its issuer; ``None`` if the API never asks."""
    if settings.CLIENT_ID is None or settings.CLIENT_KEY is None:
        return None
    key = load_key(settings.CLIENT_KEY, password=settings.CLIENT_KEY_PASSWORD)
    if not server.has_client(settings.CLIENT_ID):
        server.register(settings.CLIENT_ID, key=key, introspection_resources=[settings.RESOURCE])
    client = IntrospectionClient(settings.ISSUER, settings.CLIENT_ID, key=key)
    client._runner = server.runner
    return client
