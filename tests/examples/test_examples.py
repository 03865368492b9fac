"""The examples that have a README: it is short, and its commands, run from top to bottom, print what it says."""

import json
import re
import sys

import pytest

from tests.checkout import CHECKOUT
from tests.examples.readme import BROWSER, EXAMPLES, Run, read_commands

WHOLE = ["api_only", "celery_worker", "command_line", "fapi2", "flask_login", "one_app", "two_regions"]
"""Those whose README is run here."""
EXPLAINED = ["atproto", "mcp", "smart", "spa"]
"""Those that a page of ``docs/`` explains; the tests beside this one do what it says."""


@pytest.fixture(autouse=True)
def clock_() -> None:
    """The wall clock goes on: the programs look at it."""


def test_every_example_has_a_short_readme_and_a_row():
    folders = {folder.name for folder in EXAMPLES.iterdir() if folder.is_dir() and any(folder.glob("*.*"))}

    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert {*WHOLE, *EXPLAINED, "mcp_server"} == folders == set(re.findall(r"\((\w+)/README\.md\)", table))
    for folder in folders:
        lines = (EXAMPLES / folder / "README.md").read_text(encoding="utf-8").splitlines()
        prose = [line for line in lines if line.strip() and not line.startswith("    ")]
        assert len(prose) <= 10, folder


@pytest.mark.parametrize("example", EXPLAINED)
def test_commands_are_those_of_the_page_that_explains_the_example(example):
    page = (CHECKOUT / "docs" / f"{example}.md").read_text(encoding="utf-8")

    for command, _ in read_commands(example):
        assert f"    {command}\n" in page


@pytest.mark.parametrize("example", WHOLE)
def test_readme_names_every_file_and_says_what_to_install(example):
    page = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")

    assert read_commands(example)[0][0].startswith("pip install ")
    for file in (EXAMPLES / example).glob("*.py"):
        assert f"]({file.name})" in page


@pytest.mark.parametrize("example", [name for name in WHOLE if name != "fapi2"])
def test_the_commands_print_what_the_readme_says(example, tmp_path):
    run = Run(tmp_path, example)

    printed = run.run()

    assert run.shown
    for shown in run.shown:
        before, found, printed = printed.partition(shown)
        assert found, f"{shown!r} is not in what was printed: {before}"


def test_a_person_sees_the_accounts_at_the_third_party(tmp_path):
    run = Run(tmp_path, "fapi2")

    script = f"{sys.executable} {BROWSER} http://127.0.0.1:{run.port(5010)}/ 2>&1"
    printed = run.run(then=script)

    assert json.loads(printed.strip().splitlines()[-1]) == {"accounts": [{"of": "alice", "balance": "42.00"}]}
