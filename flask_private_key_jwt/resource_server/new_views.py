"""Check every protected view when it is registered, so that an API which cannot work does not start."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask

from .metadata import find_marks
from .requirement import Requirement

Check = Callable[[Requirement], None]
"""Raises :class:`~flask_private_key_jwt.errors.ConfigurationError` when the app cannot do what a view asks for."""


def check_new_views(app: Flask, check: Check) -> None:
    """Have what is registered on *app* from now on checked, views and the blueprints they come in.

    Flask tells nobody of a new view, and between the last of them and the first request nothing of ours runs. So the
    one method that all ways of registering a view end in is preceded by the check.
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
    # A nested blueprint's view is "outer.inner.view", and the guards of both count.
    names = (endpoint or "").split(".")[:-1]
    for length in range(1, len(names) + 1):
        for function in app.before_request_funcs.get(".".join(names[:length]), ()):
            yield from find_marks(function)
