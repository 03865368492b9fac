"""The health of an app: ``/health/live`` and ``/health/ready``, a blueprint that the application mounts.

Ordinary views, not machine endpoints: the app's own hooks run, ``before_machine_request`` does not.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

import flask

from .. import clock
from ..database.deadline import request_budget
from ..errors import ConfigurationError, OAuthError
from ..settings.shared import SharedSettings
from .readiness import NotReady, ReadinessCheck

log = logging.getLogger("flask_private_key_jwt")

NAME = "private_key_jwt_health"
"""Of the blueprint, and of what it keeps in ``app.extensions``."""
_ROLES = ("private_key_jwt", "private_key_jwt_resource")
"""Where the authorization server and the API are, in ``app.extensions``."""


class CheckedRole(Protocol):
    """An authorization server or an API, as far as its health is concerned."""

    @property
    def settings(self) -> SharedSettings:
        """Its settings."""

    def readiness_checks(self) -> Mapping[str, ReadinessCheck]:
        """What it needs in order to answer requests: a name -> a function that raises if it is not there."""


@dataclass(frozen=True, slots=True)
class Health:
    """What was found when an app was checked."""

    checked_at: int
    """In seconds since the epoch."""
    checks: Mapping[str, bool]
    """Name of a check -> whether it succeeded."""

    @property
    def is_ready(self) -> bool:
        """Whether everything was there; an app without any check has not been set up."""
        return bool(self.checks) and all(self.checks.values())


def health_blueprint(*, url_prefix: str = "/health") -> flask.Blueprint:
    """A blueprint with ``live`` and ``ready``, for ``app.register_blueprint(health_blueprint())``.

    ``live`` answers as long as the process does, and asks nobody. ``ready`` answers 200 if everything that requests
    need is there, else 503, within ``OAUTH2_STORE_TIMEOUT_SECONDS``. The answer has the names of the checks and true or
    false for each; the reasons go to the log.

    :param url_prefix: The path above ``/live`` and ``/ready``.
    """
    blueprint = flask.Blueprint(NAME, __name__, url_prefix=url_prefix)
    blueprint.add_url_rule("/live", "live", _live, methods=["GET"])
    blueprint.add_url_rule("/ready", "ready", _ready, methods=["GET"])
    return blueprint


def _live() -> flask.Response:
    return _answer(200, {"status": "live"})


def _ready() -> flask.Response:
    app = flask.current_app
    probe = app.extensions.setdefault(NAME, ReadinessProbe())
    health = probe.look([app.extensions[name] for name in _ROLES if name in app.extensions])
    status = "ready" if health.is_ready else "not ready"
    return _answer(200 if health.is_ready else 503, {"status": status, "checks": dict(health.checks)})


def _answer(status: int, document: Mapping[str, object]) -> flask.Response:
    response = flask.jsonify(document)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


class ReadinessProbe:
    """Checks one app, at most once in a second: anybody who can reach the URL may ask as often as they like."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: Health | None = None

    def look(self, roles: list[CheckedRole]) -> Health:
        """The health of these *roles* of an app; at most a second old, or what another thread is about to replace."""
        last = self._last
        if last is not None and last.checked_at == clock.now():
            return last
        # While one thread waits for a frozen store, the others answer what was found before: they have work to do.
        if not self._lock.acquire(blocking=last is None):
            assert last is not None
            return last
        try:
            if self._last is not last and self._last is not None:
                return self._last
            self._last = self._check(roles, last)
            return self._last
        finally:
            self._lock.release()

    def _check(self, roles: list[CheckedRole], last: Health | None) -> Health:
        now, checks = clock.now(), dict[str, bool]()
        # One budget for both roles; a server and an API in one app read the same setting.
        with request_budget(min((role.settings.STORE_TIMEOUT_SECONDS for role in roles), default=1)):
            for name, check in [pair for role in roles for pair in role.readiness_checks().items()]:
                problem = _run(check)
                checks[name] = problem is None and checks.get(name, True)
                if problem is not None and (last is None or last.checks.get(name, True)):
                    log.warning("not ready: %s: %s", name, problem)
        if not roles:
            log.warning("not ready: init_app was called neither for an authorization server nor for an API")
        if last is not None and not last.is_ready and all(checks.values()):
            log.info("ready again")
        return Health(now, checks)


def _run(check: ReadinessCheck) -> str | None:
    """The private reason why a check fails; ``None`` if it does not."""
    try:
        check()
    except (NotReady, ConfigurationError) as problem:
        return str(problem)
    except OAuthError as problem:
        return problem.reason
    except Exception as problem:  # an application's own replay store may raise anything
        log.error("a defect in a readiness check", exc_info=problem)
        return f"unexpected {type(problem).__name__}"
    return None
