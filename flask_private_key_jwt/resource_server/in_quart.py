"""QuartProtector: protect the views and blueprints of a Quart app."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import quart

from ..errors import ConfigurationError
from .asgi import ASGIProtector
from .requirement import DPoPUse, Requirement, Scopes

QuartView = TypeVar("QuartView", bound=Callable[..., Any])


class QuartProtector(ASGIProtector):
    """Protects the views of a Quart app; the claims are what :func:`.find_token` finds in ``request``.

    :param settings: As for :class:`.ASGIProtector`; ``app.config`` is such a mapping.
    :raises ConfigurationError: A setting is wrong or missing.
    """

    def init_app(self, app: quart.Quart) -> None:
        """Add the metadata document (RFC 9728) to *app*. Without this call, protected views answer 500."""
        app.asgi_app = self.describe(app.asgi_app)  # type: ignore[assignment, arg-type, method-assign]

    def __call__(
        self, scopes: Scopes = None, *, dpop: DPoPUse = "allowed", optional: bool = False, online: bool = False
    ) -> Callable[[QuartView], QuartView]:
        """Protect a view or a WebSocket view: ``@require_oauth("read")``; for a view class, put it in ``decorators``.

        The arguments are those of :meth:`.ResourceProtector.__call__`.

        :raises ConfigurationError: The arguments make no sense; the message says what to write.
        """
        requirement = self._require(scopes, dpop, optional, online)

        def protect(view: QuartView) -> QuartView:
            if isinstance(view, type):
                raise ConfigurationError(f"Put require_oauth(…) in {view.__name__}.decorators, not above the class.")

            @functools.wraps(view)
            async def protected(*args: Any, **kwargs: Any) -> Any:
                if (refusal := await self._enter_current(requirement)) is not None:
                    return refusal
                return await quart.current_app.ensure_async(view)(*args, **kwargs)

            return cast(QuartView, protected)

        return protect

    def protect_blueprint(
        self,
        blueprint: quart.Blueprint,
        scopes: Scopes = None,
        *,
        dpop: DPoPUse = "allowed",
        optional: bool = False,
        online: bool = False,
    ) -> None:
        """Protect every view of a blueprint, including those that are added later.

        The other arguments are those of :meth:`.ResourceProtector.__call__`.

        :raises ConfigurationError: The arguments make no sense; the message says what to write.
        """
        requirement = self._require(scopes, dpop, optional, online)

        async def protect_request() -> quart.Response | None:
            # Quart answers OPTIONS itself, without calling the view; a browser's CORS preflight sends no token.
            rule = quart.request.url_rule
            if quart.request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
                return None
            return await self._enter_current(requirement)

        async def protect_websocket() -> quart.Response | None:
            return await self._enter_current(requirement)

        blueprint.before_request(protect_request)
        blueprint.before_websocket(protect_websocket)

    async def _enter_current(self, requirement: Requirement) -> quart.Response | None:
        current = quart.websocket if quart.has_websocket_context() else quart.request
        refusal = await self._enter_view(cast(Any, current).scope, requirement)
        return None if refusal is None else quart.Response("", refusal.status)
