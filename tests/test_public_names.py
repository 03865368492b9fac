"""What an application may import is where it is looked for; all of it is loaded when it is asked for."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

from flask_private_key_jwt import errors

ROOT = Path(__file__).parents[1]
MODULES = [
    "flask_private_key_jwt",
    "flask_private_key_jwt.client",
    "flask_private_key_jwt.errors",
    "flask_private_key_jwt.replay",
    "flask_private_key_jwt.resource_server",
    "flask_private_key_jwt.signals",
    "flask_private_key_jwt.testing",
]


@pytest.mark.parametrize("name", MODULES)
def test_every_name_of_all_is_there_once_and_in_order(name):
    module = import_module(name)

    assert [public for public in module.__all__ if not hasattr(module, public)] == []
    assert module.__all__ == sorted(set(module.__all__))


@pytest.mark.parametrize("name", ["", ".client", ".resource_server", ".testing"])
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


# --- who uses it shows how ------------------------------------------------------------------------------
def private_imports(source):
    """What *source* imports of the package that is not public."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.startswith("flask_private_key_jwt")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "flask_private_key_jwt":
            public = import_module(node.module).__all__ if node.module in MODULES else []
            submodules = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == node.module}
            found += [f"{node.module}.{alias.name}" for alias in node.names if alias.name not in {*public, *submodules}]
    return [name for name in found if name not in MODULES]


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("demo/**/*.py"), *ROOT.glob("examples/*/*.py")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_demo_and_the_examples_import_public_names_only(path):
    assert private_imports(path.read_text(encoding="utf-8")) == []


def test_the_benchmark_imports_one_private_name():
    found = [name for path in ROOT.glob("bench/*.py") for name in private_imports(path.read_text(encoding="utf-8"))]

    assert found == ["flask_private_key_jwt.replay.sql.SQLAlchemyReplayStore"]  # it fills that store's table


@pytest.mark.parametrize(
    ("source", "private"),
    [
        ("from flask_private_key_jwt import PrivateKeyJWT, signals", []),
        ("import flask_private_key_jwt.client", []),
        ("from flask_private_key_jwt import clock", ["flask_private_key_jwt.clock"]),
        ("from flask_private_key_jwt.jose import jose", ["flask_private_key_jwt.jose.jose"]),
        ("from flask_private_key_jwt.client import key", ["flask_private_key_jwt.client.key"]),
        ("def later():\n    import flask_private_key_jwt.clock", ["flask_private_key_jwt.clock"]),
    ],
)
def test_what_is_private_is_found(source, private):
    assert private_imports(source) == private


@pytest.mark.parametrize("name", MODULES)
def test_a_name_that_is_not_there_is_the_usual_error(name):
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = import_module(name).no_such_name


# --- inside ---------------------------------------------------------------------------------------------
def test_no_two_classes_or_types_have_the_same_name():
    homes = {}
    for path in sorted((ROOT / "flask_private_key_jwt").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
            for name in [node.name] if isinstance(node, ast.ClassDef) else names:
                if name[0].isupper() and not name.isupper() and len(name) > 1:
                    homes.setdefault(name, []).append(str(path.relative_to(ROOT)))

    assert {name: files for name, files in homes.items() if len(files) > 1} == {}
