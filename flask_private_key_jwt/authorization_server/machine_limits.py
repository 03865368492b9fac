"""Limits for the endpoints that machines call, counted by Flask-Limiter (the extra ``limits``)."""

import logging
from collections.abc import Collection
from math import ceil
from typing import TYPE_CHECKING

import flask
from werkzeug.middleware.proxy_fix import ProxyFix

from .. import clock
from ..errors import ConfigurationError, TemporarilyUnavailable, TooManyRequests
from ..resource_server.cross_origin import read_preflight
from ..web.url import find_url
from .caller_network import network_of
from .registered_client import RegisteredClient
from .request import FormRequest

if TYPE_CHECKING:
    from flask_limiter import Limiter
    from limits import RateLimitItem

    from .extension import PrivateKeyJWT

log = logging.getLogger("flask_private_key_jwt")

PUBLIC = frozenset({"jwks", "metadata", "openid_metadata", "smart_configuration", "stylesheet"})
"""What everybody may read, and what caches keep."""


class MachineLimits:
    """Limits how often machines may ask, by their address and by their client.

    Before a client has proved who it is, only its address counts: nobody can use up the limit of another. Its own limit
    counts requests whose assertion was verified and used up. Refused requests get 429 with ``Retry-After``.

    :param oauth: The extension.
    :param limiter: The application's Flask-Limiter; its storage counts. Workers need a common one, such as Redis, with
        a time-out (``storage_options={"socket_timeout": 1}``).
    :param by_address: For each endpoint, in the notation of Flask-Limiter, such as ``"300 per minute"``; ``None``: no
        such limit. An IPv6 network (/64) counts as one address. Documents that everybody may read are not counted, nor
        the preflights of browsers (CORS).
    :param by_client: For each endpoint and each client that has authenticated; ``None``: no such limit.
    :param trust_address: Whether ``REMOTE_ADDR`` is the caller's. Behind a proxy it is the proxy's, unless Werkzeug's
        ``ProxyFix`` corrects it. Without this argument, :meth:`init_app` warns if it cannot tell.
    :raises ConfigurationError: A limit cannot be read, or there is none.
    """

    def __init__(
        self,
        oauth: "PrivateKeyJWT",
        limiter: "Limiter",
        *,
        by_address: str | None = None,
        by_client: str | None = None,
        trust_address: bool | None = None,
    ) -> None:
        self._limiter = limiter
        self._by_address = _read_limits("by_address", by_address)
        self._by_client = _read_limits("by_client", by_client)
        self._trust_address = trust_address
        if not self._by_address and not self._by_client:
            raise ConfigurationError("MachineLimits limits nothing: give by_address, by_client or both.")
        if self._by_address and trust_address is not False:
            oauth.before_machine_request(self._check_address)
        if self._by_client:
            oauth.after_client_authentication(self._check_client)

    def init_app(self, app: flask.Flask) -> None:
        """Warn if addresses cannot be trusted, because then all callers would share one limit, or choose their own.

        Call it after ``ProxyFix`` was put around ``app.wsgi_app``.
        """
        if not self._by_address or self._trust_address is not None:
            return
        issuer = find_url(str(app.config.get("OAUTH2_ISSUER") or ""))
        if _finds_address(app.wsgi_app) or (issuer is not None and issuer.is_loopback):
            return
        log.warning(
            "MachineLimits counts by address, and nothing says whose address it is. Behind a proxy, put "
            "ProxyFix(app.wsgi_app, x_for=1) around the app. Without a proxy, pass trust_address=True. If there is no "
            "address to trust, pass trust_address=False: then only clients are counted."
        )

    def _check_address(self, endpoint: str) -> None:
        address = flask.request.remote_addr
        # A server on a Unix socket gives no address: all callers would share one limit.
        if address and endpoint not in PUBLIC and read_preflight(flask.request) is None:
            self._count(self._by_address, endpoint, network_of(address), kind="address", cause="limit_address")

    def _check_client(self, client: RegisteredClient, request: FormRequest) -> None:
        self._count(self._by_client, request.endpoint, client.client_id, kind="client", cause="limit_client")

    def _count(self, limits: "Collection[RateLimitItem]", endpoint: str, name: str, *, kind: str, cause: str) -> None:
        strategy, names = self._limiter.limiter, ("oauth2", kind, endpoint, name)
        try:
            exceeded = [limit for limit in limits if not strategy.hit(limit, *names)]
            ends = max((strategy.get_window_stats(limit, *names).reset_time for limit in exceeded), default=0)
        except Exception as error:  # each storage raises exceptions of its own
            if flask.current_app.config.get("RATELIMIT_SWALLOW_ERRORS"):
                log.warning("nothing was counted by %s: %s", kind, type(error).__name__)
                return
            reason = f"the storage of the limiter does not answer: {type(error).__name__}"
            raise TemporarilyUnavailable(reason, cause="limit_storage_away") from None
        if exceeded:
            limit = ", ".join(str(limit) for limit in exceeded)
            raise TooManyRequests(
                f"{endpoint}: more than {limit} by one {kind}",
                cause=cause,
                retry_after_seconds=max(ceil(ends - clock.now()), 1),
            )


def _read_limits(name: str, text: str | None) -> "Collection[RateLimitItem]":
    if text is None:
        return ()
    try:
        from limits import parse_many
    except ImportError:
        raise ConfigurationError(
            "MachineLimits needs Flask-Limiter: pip install 'flask-private-key-jwt[limits]'"
        ) from None
    try:
        return tuple(parse_many(text))
    except ValueError:
        raise ConfigurationError(f"{name} is not a limit: {text!r}. Write it like '300 per minute'.") from None


def _finds_address(application: object) -> bool:
    """Whether ``ProxyFix`` is put around the app, directly or inside other middleware."""
    seen: set[int] = set()
    while application is not None and id(application) not in seen:
        seen.add(id(application))
        if isinstance(application, ProxyFix):
            return application.x_for > 0
        application = next(
            (getattr(application, name) for name in ("app", "wsgi_app", "application") if hasattr(application, name)),
            None,
        )
    return False
