"""Check every protected view when it is registered, so that an API that cannot work does not start."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask

from .marked_views import find_marks
from .requirement import Requirement

Check = Callable[[Requirement], None]
"""Raises :class:`~flask_private_key_jwt.errors.ConfigurationError` if the app cannot do what a view requires."""


def check_new_views(app: Flask, check: Check) -> None:
    """Check each view that is registered on *app* from now on, and the blueprints that contain it.

    Flask has no hook for a new view, and none that runs after the last view and before the first request. So this
    wraps ``app.add_url_rule``, which every way of registering a view calls.
    """
    add_url_rule = app.add_url_rule

    @functools.wraps(add_url_rule)
    def check_and_add(
        rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        for requirement in _find_requirements(app, endpoint, view_func):
            check(requirement)
        add_url_rule(rule, endpoint, view_func, *args, **options)

    app.add_url_rule = check_and_add  # type: ignore[method-assign]


def _find_requirements(app: Flask, endpoint: str | None, view: Any) -> Iterator[Requirement]:
    yield from find_marks(view)
    # A view in a nested blueprint is named "outer.inner.view"; the requirements of both blueprints apply.
    names = (endpoint or "").split(".")[:-1]
    for length in range(1, len(names) + 1):
        for function in app.before_request_funcs.get(".".join(names[:length]), ()):
            yield from find_marks(function)
