"""docs/api.md is what the code says: every public name, its signature and its docstring."""

import inspect
import re

import pytest

from flask_private_key_jwt import client, errors
from tools import api
from tools.docstrings import to_line, to_markdown

PAGE = api.FILE.read_text(encoding="utf-8")


def link(name):
    return f"[{name}]" if name == "Known" else f"`{name}`"


def test_the_page_is_what_the_docstrings_say():
    assert api.build() == PAGE, "docs/api.md is not what the docstrings say: run `make api`"


def test_another_docstring_or_signature_makes_another_page(monkeypatch):
    monkeypatch.setattr(errors.InvalidScope, "__doc__", "Another sentence.")
    assert "| Another sentence. |" in api.build()

    monkeypatch.setattr(client, "generate_key", client.load_key)
    assert "generate_key(\n    source: KeySource,\n" in api.build()


def test_a_public_name_without_a_place_stops_the_program(monkeypatch):
    monkeypatch.setattr(client, "__all__", [*client.__all__, "Newcomer"])

    with pytest.raises(
        SystemExit, match=r"\['Newcomer'\] of flask_private_key_jwt.client are public and have no place"
    ):
        api.build()


def test_every_parameter_of_a_public_constructor_or_function_is_explained():
    silent = []
    for name in client.__all__:
        found = getattr(client, name)
        if name not in api.GIVEN and (
            inspect.isfunction(found) or (inspect.isclass(found) and "__init__" in vars(found))
        ):
            parameters = inspect.signature(found).parameters
            text = inspect.getdoc(found)
            silent += [f"{name}({parameter})" for parameter in parameters if f":param {parameter}:" not in text]

    # What another class explains, to which the docstring points.
    assert [where for where in silent if "PrivateKeyJWTAuth" not in where] == ["DiscoveryError(reason)"]


def test_every_attribute_is_explained():
    assert "- `decision_token` (`str`): Ties the decision to this request" in PAGE
    assert re.findall(r"^- `\w+` \(`[^`]+`\)$", PAGE, flags=re.MULTILINE) == []


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("A ``word`` of :class:`~package.Known`.", "A `word` of [Known]."),
        ("See :meth:`.base.Other.remember`.", "See `remember`."),
        ("One.\n\nTwo,\nand more.", "One.\n\nTwo, and more."),
        ("One.\n\n::\n\n    code()\n    more()", "One.\n\n```python\ncode()\nmore()\n```"),
        (
            "One.\n\n:param a: First,\n    longer.\n:return: It.\n:raises Known, Other: Why.",
            "One.\n\n- `a`: First, longer.\n- Returns: It.\n- Raises [Known], `Other`: Why.",
        ),
    ],
)
def test_a_docstring_becomes_markdown(text, markdown):
    assert to_markdown(text, link) == markdown


def test_a_docstring_for_a_table_is_one_line():
    assert to_line("One.\n\nTwo.\n\n:param a: First,\n    longer.", link) == "One. Two. `a`: First, longer."
