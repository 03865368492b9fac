"""Read the package's source for ``tools/api.py``: signatures as they are written, docstrings as Markdown."""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = "flask_private_key_jwt"
WIDTH = 100

Link = Callable[[str], str]
"""Name -> how it is written, with a link if it is on the page."""
_FIELD = re.compile(r"^:(param|raises|return) ?([^:]*):", flags=re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?([^`]+)`")


# --- text -----------------------------------------------------------------------------------------------
def to_markdown(text: str, link: Link) -> str:
    """A docstring as Markdown: its paragraphs, then a list of parameters, result and errors."""
    first = _FIELD.search(text)
    prose, rest = (text[: first.start()], text[first.start() :]) if first else (text, "")
    blocks = [_block(block, link) for block in re.split(r"\n\s*\n", prose.strip()) if block.strip("\n: ")]
    return "\n\n".join([*blocks, "\n".join(_items(rest, link))]).strip()


def to_line(text: str, link: Link) -> str:
    """A docstring in one line, for a list or a table."""
    first = _FIELD.search(text)
    prose, rest = (text[: first.start()], text[first.start() :]) if first else (text, "")
    items = [" ".join(item.removeprefix("- ").split()) for item in _items(rest, link)]
    return " ".join([_flow(prose, link), *items]).strip()


def wrap(text: str, indent: str = "") -> str:
    """A paragraph, wrapped."""
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def code(text: str, language: str = "python") -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def _flow(text: str, link: Link) -> str:
    """Sphinx's marks as Markdown's, all in one line."""

    def refer(match: re.Match[str]) -> str:
        target = match[1].lstrip(".").removeprefix(f"{PACKAGE}.")
        return link(target if target[:1].isupper() else target.rpartition(".")[2])

    return " ".join(re.sub(r"``([^`]+)``", r"`\1`", _ROLE.sub(refer, text)).split())


def _block(block: str, link: Link) -> str:
    if block.lstrip("\n").startswith("    "):
        return code(textwrap.dedent(block.strip("\n")))
    return wrap(_flow(block, link))


def _items(text: str, link: Link) -> Iterator[str]:
    starts = [*(match.start() for match in _FIELD.finditer(text)), len(text)]
    for start, end in pairwise(starts):
        field = _FIELD.match(text[start:end])
        assert field is not None
        kind, names = field.groups()
        said = _flow(text[start + field.end() : end], link)
        if kind == "param":
            yield wrap(f"- `{names}`: {said}", "  ")
        elif kind == "raises":
            yield wrap(f"- Raises {', '.join(link(name.strip()) for name in names.split(','))}: {said}", "  ")
        else:
            yield wrap(f"- Returns: {said}", "  ")


# --- signatures -----------------------------------------------------------------------------------------
def signature(shown: str, function: Any, link: Link) -> Iterator[str]:
    """How to call *function*, with the values of its defaults; then what the names of types stand for.

    :param shown: What it is called on the page.
    """
    definition = _definition_of(function)
    shown = f"await {shown}" if isinstance(definition, ast.AsyncFunctionDef) else shown
    arguments, given = definition.args, inspect.signature(function).parameters
    shown_arguments = [_argument(argument, given) for argument in arguments.args if argument.arg not in ("self", "cls")]
    if arguments.kwonlyargs:
        shown_arguments += ["*", *(_argument(argument, given) for argument in arguments.kwonlyargs)]
    if arguments.kwarg:
        shown_arguments.append(f"**{_argument(arguments.kwarg, given)}")
    result = "" if definition.name == "__init__" else f" -> {result_type(function)}"
    line = f"{shown}({', '.join(shown_arguments)}){result}"
    if len(line) > WIDTH:
        line = f"{shown}(\n" + "".join(f"    {argument},\n" for argument in shown_arguments) + f"){result}"
    yield code(line)
    yield "\n".join(_explain(line, link))


def result_type(function: Any) -> str:
    """What *function* returns."""
    returns = _definition_of(function).returns
    return type_text(returns) if returns else "None"


def type_text(annotation: ast.expr) -> str:
    """A type for the reader: without module names, and with private type aliases replaced by what they stand for."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        assert isinstance(annotation.slice, ast.Tuple)
        annotation = annotation.slice.elts[0]
    text = _plain(annotation)
    for name in re.findall(r"(?<![\w.])[A-Z]\w+", text):
        definition = definitions().get(name)
        if definition and not definition.text and "TypeVar" not in definition.value:
            text = re.sub(rf"\b{name}\b", definition.value, text)
    return text


def _argument(argument: ast.arg, given: Any) -> str:
    annotation = f": {type_text(argument.annotation)}" if argument.annotation else ""
    default = given[argument.arg].default
    if default is inspect.Parameter.empty:
        return argument.arg + annotation
    shown = json.dumps(default) if isinstance(default, str) else "…" if callable(default) else repr(default)
    return f"{argument.arg}{annotation} = {shown}"


def _explain(text: str, link: Link) -> Iterator[str]:
    for name in dict.fromkeys(re.findall(r"(?<![\w.\"])[A-Z]\w+", text)):
        definition = definitions().get(name)
        if definition is None or link(name).startswith("["):
            continue
        if bound := re.search(r"TypeVar\(.*bound=(.*)\)$", definition.value):
            yield wrap(f"- `{name}`: any `{bound[1]}`", "  ")
            yield from _explain(bound[1], link)
        else:
            said = f": {to_line(definition.text, link)}" if definition.text else ""
            yield wrap(f"- `{name}` is `{definition.value}`{said}", "  ")


def _plain(expression: ast.expr) -> str:
    return re.sub(r"\b(?:jose|flask|os|requests)\.(?=\w)", "", ast.unparse(expression)).replace("'", '"')


def _definition_of(function: Any) -> ast.FunctionDef | ast.AsyncFunctionDef:
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    return definition


# --- attributes and names -------------------------------------------------------------------------------
def attributes(kind: type) -> Iterator[tuple[str, str, str]]:
    """Name, type and docstring of the fields of a dataclass, and of what another class says of its attributes."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = _assigned(body.body)
    for method in body.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            found |= {name: said for name, said in _assigned(method.body).items() if name.startswith("self.")}
    wanted = {field.name for field in fields(kind)} if is_dataclass(kind) else set()
    for name, (statement, text) in found.items():
        if name in wanted or (text and not wanted):
            annotation = getattr(statement, "annotation", None)
            yield name.removeprefix("self."), type_text(annotation) if annotation else "", text


@dataclass(frozen=True)
class Definition:
    """A name that a module gives to a value."""

    value: str
    text: str
    """Its docstring."""


@cache
def definitions() -> dict[str, Definition]:
    """The names of types and of signals in the whole package."""
    found: dict[str, Definition] = {}
    for file in sorted((CHECKOUT / PACKAGE).rglob("*.py")):
        for name, (statement, text) in _assigned(ast.parse(file.read_text(encoding="utf-8")).body).items():
            if statement.value and re.fullmatch(r"[A-Z]\w*[a-z]\w*|[a-z_]+", name):
                found.setdefault(name, Definition(_plain(statement.value), text))
    return found


def _assigned(body: list[ast.stmt]) -> dict[str, tuple[Any, str]]:
    """Name -> the statement that gives it a value, and the docstring below."""
    found = {}
    for statement, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.AnnAssign | ast.Assign):
            target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
            text = following.value.value if _is_text(following) else ""
            found[ast.unparse(target)] = (statement, inspect.cleandoc(text))
    return found


def _is_text(statement: Any) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
