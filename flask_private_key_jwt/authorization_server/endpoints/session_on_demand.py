"""The app's session at machine endpoints: it is opened when one of the application's functions first uses it.

Flask opens the session in every request, which costs as much as a signature. Machines send no cookie, and the endpoints
need no session, but the application's token policy or rate limiter may need one.
"""

from collections.abc import Container
from typing import Any

import flask
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.local import LocalProxy


class SessionOnDemand(LocalProxy[SessionInterface]):
    """Replaces an app's session interface, and behaves like it, but at some paths opens the session later.

    A session that nobody uses is not saved either: its cookie gets no new lifetime, and the answer no ``Vary``.

    :param interface: The app's own interface: Flask's, or another one.
    :param paths: The paths where sessions are opened later.
    """

    __slots__ = ("_interface", "_paths")
    _interface: SessionInterface
    _paths: Container[str]

    def __init__(self, interface: SessionInterface, paths: Container[str]) -> None:
        super().__init__(lambda: interface)
        object.__setattr__(self, "_interface", interface)  # a normal assignment would set it on the interface
        object.__setattr__(self, "_paths", paths)

    def open_session(self, app: flask.Flask, request: flask.Request) -> SessionMixin | None:
        """See :meth:`flask.sessions.SessionInterface.open_session`."""
        if request.path in self._paths:
            return WaitingSession(self._interface, app, request)  # type: ignore[return-value]  # it is one once touched
        return self._interface.open_session(app, request)

    def is_null_session(self, obj: object) -> bool:
        """See :meth:`flask.sessions.SessionInterface.is_null_session`; Flask does not save such a session."""
        if isinstance(obj, WaitingSession):
            return obj.find_opened() is None or self._interface.is_null_session(obj.find_opened())
        return self._interface.is_null_session(obj)

    def save_session(
        self, app: flask.Flask, session: "SessionMixin | WaitingSession", response: flask.Response
    ) -> None:
        """See :meth:`flask.sessions.SessionInterface.save_session`."""
        touched = session.find_opened() if isinstance(session, WaitingSession) else session
        if touched is not None:
            self._interface.save_session(app, touched, response)


class WaitingSession(LocalProxy[SessionMixin]):
    """A session that is opened at its first use."""

    __slots__ = ("_opened",)
    _opened: list[SessionMixin]

    def __init__(self, interface: SessionInterface, app: flask.Flask, request: flask.Request) -> None:
        opened: list[SessionMixin] = []

        def find() -> SessionMixin:
            if not opened:
                session = interface.open_session(app, request)
                opened.append(interface.make_null_session(app) if session is None else session)
            return opened[0]

        super().__init__(find)
        object.__setattr__(self, "_opened", opened)

    def find_opened(self) -> Any:
        """The session if it was used, otherwise ``None``."""
        return self._opened[0] if self._opened else None
