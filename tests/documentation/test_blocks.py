"""Every block of code on a page is run, or a comment before it says why it cannot be.

Without a comment: Python runs in the app of fragments.py, commands are typed by the operator of operator_commands.py,
JSON, TOML and templates are parsed. With one: see blocks.py.
"""

import ast
import json
import tomllib
from functools import cache

import jinja2
import pytest

from flask_private_key_jwt.authorization_server.cli import asking
from tests.checkout import CHECKOUT
from tests.documentation import blocks, fragments
from tests.documentation.operator_commands import SETTINGS, Operator, lines_of

PAGES = blocks.find_pages()
COMMANDS = ("sh", "indented")
PARSED = {"json": json.loads, "toml": tomllib.loads, "html": jinja2.Environment(autoescape=True).parse}
KNOWN = ("python", *COMMANDS, *PARSED)


def blocks_of(page, *languages):
    return [block for block in blocks.read_blocks(page) if block.language in languages and not block.way]


def pages_with(*languages):
    return [page for page in PAGES if blocks_of(page, *languages)]


ALL = [block for page in PAGES for block in blocks.read_blocks(page)]


@pytest.mark.parametrize("page", PAGES)
def test_somebody_knows_how_to_test_each_block(page):
    unknown = [str(block) for block in blocks.read_blocks(page) if not block.way and block.language not in KNOWN]

    assert unknown == []


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = fragments.build_names(tmp_path)
    exec(fragments.SET_UPS.get(page, ""), names)

    with names["app"].app_context():
        for block in blocks_of(page, "python"):
            names["db"].create_all()
            exec(compile("\n" * block.line + block.text, page, "exec"), names)

    assert fragments.misspelt_settings(names) == []


@pytest.fixture
def settings():
    return SETTINGS


@pytest.fixture
def operator(app, oauth, tmp_path, monkeypatch):
    oauth.user(lambda: None)
    oauth.sign_in(lambda page: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asking, "has_terminal", lambda: True)

    def invoke(words):
        outcome = app.test_cli_runner().invoke(args=["oauth2", *words], input="y\n")
        assert outcome.exit_code == 0, outcome.output + outcome.stderr
        return outcome.stdout

    operator = Operator(invoke, tmp_path)
    operator.prepare()
    return operator


@pytest.mark.parametrize("page", pages_with(*COMMANDS))
def test_commands_run(page, operator):
    for block in blocks_of(page, *COMMANDS):
        for line in lines_of(block.text):
            try:
                operator.type(line)
            except (AssertionError, SystemExit) as error:
                raise AssertionError(f"{block}: {line}: {error}") from error


@pytest.mark.parametrize("block", [block for block in ALL if not block.way and block.language in PARSED], ids=str)
def test_notation_is_that_of_the_language(block):
    PARSED[block.language](block.text)


# --- what other tests run ---------------------------------------------------------------------------------------
@cache
def functions_of(file):
    tree = ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("named", sorted({(block.page, block.more) for block in ALL if block.way == "tested"}))
def test_test_of_a_block_is_there_and_reads_the_page(named):
    page, test = named
    file, _, function = test.partition("::")

    assert function in functions_of(file)
    source = (CHECKOUT / file).read_text(encoding="utf-8")
    assert page.rpartition("/")[2] in source or page.rpartition("/")[2].removesuffix(".md") in source


@pytest.mark.parametrize("block", [block for block in ALL if block.way == "not run"], ids=str)
def test_block_that_is_not_run_says_why(block):
    assert len(block.more.split()) >= 3, f"{block}: why not?"


# --- what would be noticed --------------------------------------------------------------------------------------
def parse_one(text):
    (block,) = blocks.parse("page.md", text)
    return block


@pytest.mark.parametrize(
    ("text", "way", "more"),
    [
        ("```python\npass\n```", "", ""),
        ("<!-- run -->\n```sh\nflask run\n```", "run", ""),
        ("<!-- file: app.py -->\n```python\npass\n```", "file", "app.py"),
        ("<!-- not run: it takes\na year -->\n    sleep 1y", "not run", "it takes a year"),
        ("<!-- all sh: not run: it is long -->\n\n# Page\n\n```sh\nx\n```", "not run", "it is long"),
        ("<!-- all sh: not run: it is long -->\n\n# Page\n\n```python\nx\n```", "", ""),
        ("<!-- all: not run: it is long -->\n\nText.\n\n<!-- run -->\n```sh\nx\n```", "run", ""),
        ("<!-- run -->\n\nA paragraph between.\n\n```sh\nx\n```", "", ""),
        ("- in a list\n\n  <!-- run -->\n  ```sh\n  x\n  ```", "run", ""),
    ],
)
def test_comment_is_about_the_block_behind_it(text, way, more):
    block = parse_one(text)

    assert (block.way, block.more) == (way, more)


@pytest.mark.parametrize(
    "line",
    [
        "rm -rf /",
        "flask oauth2 client add no-such-file.json --client-id x",
        "flask oauth2 client list --unusedfor 90d",
        "export FLASK_OAUTH2_ISSUR=https://as.example",
        "pip install flask-private-key-jwt[rediss]",
    ],
)
def test_line_that_does_not_work_is_noticed(line, operator):
    with pytest.raises(AssertionError):
        operator.type(line)


def test_setting_that_nobody_reads_is_noticed(tmp_path):
    names = fragments.build_names(tmp_path)
    exec("OAUTH2_ISSUR = 'x'\napp.config['OAUTH2_RESORCE'] = 'y'\nOAUTH2_ISSUER = 'z'", names)

    assert sorted(fragments.misspelt_settings(names)) == ["OAUTH2_ISSUR", "OAUTH2_RESORCE"]
