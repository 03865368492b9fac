"""docs/causes.md names every code that the reason of a refusal can have, and no other.

The package is read as source: a code is what some call gives as ``cause``. Where a part of it is decided at run time,
the page writes that part in capitals, or an ellipsis where another code follows or precedes.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from flask_private_key_jwt import errors
from flask_private_key_jwt.jose.jose import JoseProblem
from flask_private_key_jwt.replay import base as replay
from tests.checkout import CHECKOUT

PAGE = CHECKOUT / "docs" / "causes.md"
INNER = ("JoseProblem", "NotSigned", "FetchRefused")
"""Problems that are told as part of another's: their codes follow the code of what they are a problem of."""
NEVER_TOLD = frozenset({"jose/private_keys.py"})
"""Modules whose problems reach nobody but the person at the command line."""
REFUSALS = {
    name: kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, errors.OAuthError)
}


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def spell(value: ast.expr) -> Iterator[str]:
    """The codes that an expression can be, with an ellipsis for what only the run decides."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from (*spell(one), *spell(other))
        case ast.Constant(value=None) | ast.Attribute() | ast.Name(id="cause"):
            pass  # none, or another's that is passed on
        case ast.Name():
            yield "…"
        case _:
            raise AssertionError(f"{ast.unparse(value)!r} is a cause that this test cannot read")


def kind_of(call: ast.Call, module: ast.Module) -> str:
    """What ``as_refusal`` is told to name: a string, or a constant of the module."""
    constants = {
        node.targets[0].id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    kind = call.args[1]
    name = kind.value if isinstance(kind, ast.Constant) else constants.get(ast.unparse(kind))
    return "" if name is None else str(name)


def find_codes(call: ast.Call, module: ast.Module) -> Iterator[str]:
    name = name_of(call)
    given = [keyword.value for keyword in call.keywords if keyword.arg == "cause"]
    if name == "as_refusal" and (kind := kind_of(call, module)):
        yield f"{kind.replace(' ', '_')}_…"
    elif given:
        yield from (f"…_{code}" if name in INNER else code for code in spell(given[0]))
    elif name in REFUSALS and call.args:
        yield REFUSALS[name].cause
    elif name == "JoseProblem":
        yield f"…_{JoseProblem('').cause}"


def codes_in_the_package() -> set[str]:
    found = set(replay.CAUSES.values())
    package = CHECKOUT / "flask_private_key_jwt"
    for path in package.rglob("*.py"):
        if path.relative_to(package).as_posix() in NEVER_TOLD:
            continue
        module = ast.parse(path.read_text())
        for node in ast.walk(module):
            if isinstance(node, ast.Call):
                found.update(find_codes(node, module))
    return found


def rows_of(page: str) -> list[str]:
    return re.findall(r"^\| `(.+?)` \|", page, re.MULTILINE)


def is_code_of(row: str, code: str) -> bool:
    """Whether *row* is the row of *code*. Capitals stand for a part, unless they end the row."""
    return code in (row, re.sub("[A-Z]+", "…", row)) or (
        not row[-1].isupper() and re.fullmatch(re.sub("[A-Z]+", "[a-z]+", row), code) is not None
    )


def differences(codes: set[str], rows: list[str]) -> tuple[list[str], list[str]]:
    """The codes without a row, and the rows without a code."""
    return (
        sorted(code for code in codes if not any(is_code_of(row, code) for row in rows)),
        sorted({row for row in rows if not any(is_code_of(row, code) for code in codes)}),
    )


def test_every_code_has_a_row_and_every_row_a_code():
    assert differences(codes_in_the_package(), rows_of(PAGE.read_text(encoding="utf-8"))) == ([], [])


def test_each_code_stands_in_one_row_of_its_table():
    for table in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        rows = rows_of(table)
        assert len(rows) == len(set(rows)), table.partition("\n")[0]


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ('InvalidGrant("the code is unknown", cause="code_unknown")', ["code_unknown"]),
        ('errors.InvalidGrant("the code is unknown")', ["invalid_grant"]),
        ('InvalidGrant("…", cause="code_used" if used else "code_unknown")', ["code_used", "code_unknown"]),
        ('InvalidClientMetadata(f"jwks: {problem}", cause=f"jwks_{problem.cause}")', ["jwks_…"]),
        ("InvalidClient(str(problem), cause=problem.cause)", []),
        ('problem.as_refusal(InvalidRequestObject, "request object")', ["request_object_…"]),
        ('jose.JoseProblem(f"missing claim {name!r}", cause=f"{name}_missing")', ["…_…_missing"]),
        ('jose.JoseProblem("iss is another", cause=name)', ["…_…"]),
        ('jose.JoseProblem("not a compact JWS")', ["…_malformed"]),
        ('print("no refusal")', []),
    ],
)
def test_codes_are_found_in_the_source(source, codes):
    module = ast.parse(source)

    assert list(find_codes(module.body[0].value, module)) == codes


def test_code_without_a_row_and_row_without_a_code_are_found():
    assert differences({"code_used", "code_lost"}, ["code_used", "code_stale"]) == (["code_lost"], ["code_stale"])


@pytest.mark.parametrize(
    ("row", "code", "is_its_row"),
    [
        ("code_used", "code_used", True),
        ("code_used", "code_used_up", False),
        ("assertion_…", "assertion_expired", False),
        ("…_CLAIM_missing", "…_…_missing", True),
        ("…_CLAIM_missing", "…_jti_missing", True),
        ("…_CLAIM_missing", "…_jti_malformed", False),
        ("…_CLAIM", "…_…", True),
        ("…_CLAIM", "…_htu", False),
    ],
)
def test_row_is_that_of_a_code(row, code, is_its_row):
    assert is_code_of(row, code) is is_its_row
