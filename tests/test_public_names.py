"""What an application may import is where it is looked for; all of it is loaded when it is asked for."""

import ast
import inspect
from importlib import import_module

import pytest

from flask_private_key_jwt import errors

MODULES = [
    "flask_private_key_jwt",
    "flask_private_key_jwt.client",
    "flask_private_key_jwt.errors",
    "flask_private_key_jwt.replay",
    "flask_private_key_jwt.resource_server",
    "flask_private_key_jwt.signals",
]


@pytest.mark.parametrize("name", MODULES)
def test_every_name_of_all_is_there_once_and_in_order(name):
    module = import_module(name)

    assert [public for public in module.__all__ if not hasattr(module, public)] == []
    assert module.__all__ == sorted(set(module.__all__))


@pytest.mark.parametrize("name", ["", ".client", ".resource_server"])
def test_lazy_names_are_those_of_all_for_people_and_for_type_checkers(name):
    module = import_module(f"flask_private_key_jwt{name}")
    tree = ast.parse(inspect.getsource(module))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    for_type_checkers = {alias.name for statement in block.body for alias in statement.names}

    assert dir(module) == module.__all__
    assert set(module._HOMES) == for_type_checkers == set(module.__all__) - {"__version__"}


def test_every_error_is_public():
    defined = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    }

    assert set(errors.__all__) == defined


@pytest.mark.parametrize("name", MODULES)
def test_a_name_that_is_not_there_is_the_usual_error(name):
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = import_module(name).no_such_name
