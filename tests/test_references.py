"""What docstrings, comments and pages name is there: files, modules, classes, functions and attributes."""

import ast
import builtins
import inspect
import re
import subprocess
import tokenize
from functools import cache
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest

from flask_private_key_jwt import clock

ROOT = Path(__file__).parents[1]
PACKAGE = "flask_private_key_jwt"
FILE = re.compile(r"(?<![\w/.:-])((?:[\w-]+/)*[\w-]+\.(?:py|md|html))\b(?!\.\w)")
ROLE = re.compile(r":(?:class|meth|data|func|mod|attr|exc):`~?([\w.]+)`")
PAGES = [ROOT / "pyproject.toml", *sorted({*ROOT.glob("*.md"), *ROOT.glob("*/*.md")})]
SHOWN = re.compile(r"`([\w-]+\.\w+)`[^`\n]*:\n\n```")
NOBODYS = {"utils.py"}
"""What is named because it must never be there."""


@cache
def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [f"/{name}" for name in listed.stdout.splitlines()]


def missing_files(text):
    """The files that *text* names and nobody has. A path may leave out the folders that it begins with.

    A page may have a file itself: its name in backquotes, a colon, and then its content.
    """
    names = {name for name in FILE.findall(text) if name not in NOBODYS} - set(SHOWN.findall(text))
    return sorted(name for name in names if not any(file.endswith(f"/{name}") for file in tracked()))


def prose_of(source):
    """The docstrings and comments of a module."""
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def python_files(*folders):
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


# --- files ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("folder", [PACKAGE, "demo", "bench", "tools", "migrations", "tests"])
def test_files_that_docstrings_and_comments_name_are_there(folder):
    missing = [
        (file.relative_to(ROOT).as_posix(), name)
        for file in python_files(folder)
        for text in prose_of(file.read_text(encoding="utf-8"))
        for name in missing_files(text)
    ]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_pages_name_are_there(page):
    text = page.read_text(encoding="utf-8")
    saved = re.findall(r"<!-- file: (\S+) -->", text)  # what a reader makes from the page

    assert [name for name in missing_files(text) if name not in saved] == []


# --- names ----------------------------------------------------------------------------------------------
@cache
def modules():
    files = python_files(PACKAGE)
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return {name: import_module(name) for name in names}


def has(owner, path):
    """Whether *owner* has what is at the end of *path*; an attribute may be one that its methods set."""
    for part in path:
        if not hasattr(owner, part):
            return isinstance(owner, type) and re.search(rf"^ +(self\.)?{part}\b.*[:=]", inspect.getsource(owner), re.M)
        owner = getattr(owner, part)
    return True


def is_there(target, module, owner=None):
    """Whether a reference leads somewhere.

    Without a dot in front: from its module or class, as a public name, or Python's own. With one: from any module, or
    from one whose name ends so.
    """
    path = target.lstrip(".").split(".")
    if target.startswith("."):
        ends = [(".".join(["", *path[:cut]]), path[cut:]) for cut in range(len(path) + 1)]
        return any(name.endswith(end) and has(found, rest) for end, rest in ends for name, found in modules().items())
    if path[0] == PACKAGE:
        return has(import_module(PACKAGE), path[1:])
    homes = (module, getattr(module, owner or "", None), import_module(PACKAGE), builtins)
    return any(has(home, path) for home in homes if home is not None)


def references(file):
    """What the docstrings of *file* refer to, with the class around."""

    def visit(node, owner):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                for target in ROLE.findall(str(child.value.value)):
                    yield target, owner
            yield from visit(child, child.name if isinstance(child, ast.ClassDef) else owner)

    yield from visit(ast.parse(file.read_text(encoding="utf-8")), None)


def test_names_that_docstrings_refer_to_are_there():
    missing = [
        (name, target)
        for name, module in modules().items()
        for target, owner in references(Path(module.__file__))
        if not is_there(target, module, owner)
    ]

    assert missing == []


@pytest.mark.parametrize(
    ("target", "there"),
    [
        ("now", True),
        ("later", False),
        ("RegisteredClient", True),
        ("UnregisteredClient", False),
        (".replay.base.ReplayStore.remember", True),
        (".base.ReplayStore.forget", False),
        (".nowhere.ReplayStore", False),
        ("flask_private_key_jwt.signals.request_refused", True),
        ("flask_private_key_jwt.signals.request_welcomed", False),
        ("flask_private_key_jwt.client.EndpointError.reference", True),
    ],
)
def test_dead_reference_is_found(target, there):
    assert bool(is_there(target, clock)) is there


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("see ``base.py``", []),
        ("see replay/base.py and no/such/file.py, or other.md.", ["no/such/file.py", "other.md"]),
        ("see https://example.com/some.html", []),
    ],
)
def test_missing_file_is_found(text, missing):
    assert missing_files(text) == missing
