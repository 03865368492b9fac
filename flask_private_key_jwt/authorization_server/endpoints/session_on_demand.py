"""The app's session at machine endpoints: opened when a function of the application first touches it.

Flask opens the session of every request and signs or loads it, which costs as much as a signature. A machine sends no
cookie, and the endpoints need no session; a token policy or a limiter of the application may.
"""

from collections.abc import Container
from typing import Any

import flask
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.local import LocalProxy


class SessionOnDemand(LocalProxy[SessionInterface]):
    """Stands in for an app's session interface, and is like it in everything but the time at some paths.

    A session that nobody touches is not saved either: its cookie gets no new lifetime, and the answer no ``Vary``.

    :param interface: The app's own: Flask's, or any that an application has chosen.
    :param paths: Where sessions can wait.
    """

    __slots__ = ("_interface", "_paths")
    _interface: SessionInterface
    _paths: Container[str]

    def __init__(self, interface: SessionInterface, paths: Container[str]) -> None:
        super().__init__(lambda: interface)
        object.__setattr__(self, "_interface", interface)  # an attribute that is set is set on the interface
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
    """The session that is opened when anything is asked of it."""

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
        """The session, if it was touched."""
        return self._opened[0] if self._opened else None
