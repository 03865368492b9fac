"""docs/testing.md: its files are a suite that passes, and that fails without the protection of its view."""

import re

from flask_private_key_jwt.replay.contract import RULES
from flask_private_key_jwt.testing import plugin
from flask_private_key_jwt.testing.attack import Attack
from tests.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "testing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`(\w+)\.py`[^`]*:\n\n```python\n(.*?)^```$", PAGE, re.M | re.S))


def test_every_program_of_the_page_has_a_name():
    assert len(FILES) == PAGE.count("```python") == 10


def test_the_files_of_the_page_are_a_suite_that_passes(run_suite, forbid_network):
    outcome = run_suite(**FILES)

    tests = sum(source.count("def test_") for source in FILES.values())
    outcome.assert_outcomes(passed=tests + 1 + len(RULES))  # one is parametrized


def test_what_the_page_says_of_a_view_without_protection_is_true(run_suite):
    unprotected = FILES["invoices"].replace('    @require_oauth("invoices.read")\n', "")
    broken = unprotected.replace('current_token["sub"]', '"alice"')
    assert "current_token[" not in broken

    outcome = run_suite(conftest=FILES["conftest"], invoices=broken, test_invoices=FILES["test_invoices"])

    outcome.assert_outcomes(passed=1, failed=2)


def test_the_page_names_every_fixture_and_every_attack():
    fixtures = {name for name, value in vars(plugin).items() if type(value).__name__ == "FixtureFunctionDefinition"}
    attacks = {name for name in vars(Attack) if not name.startswith("_")}
    cells = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]

    assert len(fixtures) == 8
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == fixtures | attacks
