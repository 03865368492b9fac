"""What the views of a Flask app require: a protected view carries a mark."""

from collections.abc import Iterator

from flask import Flask

from .requirement import Requirement

MARK = "oauth_requirement"
"""The attribute of a protected view, or of a blueprint's ``before_request`` function, with its :class:`Requirement`."""


def find_requirements(app: Flask) -> Iterator[Requirement]:
    """The requirements of all views and blueprints that are registered on *app* so far."""
    for view in app.view_functions.values():
        yield from find_marks(view)
    for blueprint, functions in app.before_request_funcs.items():
        if blueprint is not None:
            for function in functions:
                yield from find_marks(function)


def find_marks(view: object) -> Iterator[Requirement]:
    """The requirements of one view, or of one ``before_request`` function of a blueprint."""
    view_class = getattr(view, "view_class", None)
    methods = [getattr(view_class, method.lower(), None) for method in getattr(view_class, "methods", None) or ()]
    for function in (view, *methods):
        requirement = getattr(function, MARK, None)
        if isinstance(requirement, Requirement):
            yield requirement
