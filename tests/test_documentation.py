"""What README.md, CHANGES.md and docs/ refer to is there: files, headings, imported names, the lists of the code."""

import re
import tomllib
from importlib import import_module

import pytest

from flask_private_key_jwt.settings.profiles import FAPI2, MCP, SMART
from tests.checkout import CHECKOUT

PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGES.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
IMPORT = re.compile(r"from (flask_private_key_jwt[\w.]*) import ([\w, ]+)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text):
    """*text* without fenced blocks, in which ``#`` is a comment and brackets are no link."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors_of(page):
    """What GitHub makes of the headings of *page*."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page):
    dead = []
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_link_leads_somewhere(page):
    assert dead_links(page) == []


@pytest.mark.parametrize("target", ["missing.md", "page.md#no-such-heading", "#no-such-heading", "page.md#a-comment"])
def test_dead_link_is_found(target, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n```\n# A comment\n```\n\n[here](#a-page) and [there]({target})\n", encoding="utf-8")

    assert dead_links(page) == [target]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_imported_is_public(page):
    missing = [
        f"{module}.{name}"
        for module, names in IMPORT.findall(page.read_text(encoding="utf-8"))
        for name in names.replace(" ", "").split(",")
        if not hasattr(import_module(module), name) or name.startswith("_")
    ]

    assert missing == []


def test_readme_imports_servers_and_client():
    modules = {module for module, _ in IMPORT.findall((CHECKOUT / "README.md").read_text(encoding="utf-8"))}

    assert modules == {"flask_private_key_jwt", "flask_private_key_jwt.client"}


def read_page(name):
    return (CHECKOUT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "heading", "profile"),
    [
        ("settings.md", "## Profiles", FAPI2),
        ("mcp.md", "## The rules", MCP),
        ("smart.md", "## The rules", SMART),
    ],
)
def test_profile_table_names_the_settings_that_the_profile_rules(page, heading, profile):
    table = read_page(page).partition(heading)[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `OAUTH2_")]

    assert sorted(re.findall(r"OAUTH2_(\w+)", " ".join(cells))) == sorted(profile)


def test_values_in_the_table_for_mcp_are_those_of_the_profile():
    rows = [line.split(" | ") for line in read_page("mcp.md").splitlines() if line.startswith("| `OAUTH2_")]
    said = {name: row[1] for row in rows for name in re.findall(r"OAUTH2_(\w+)", row[0])}

    for name, rule in MCP.items():
        default = {True: "true", ("*",): '`["*"]`', "https_or_loopback": "`https_or_loopback`"}.get(rule.default)
        assert default is None or said[name].startswith(default), name


def test_order_of_imports_is_the_one_that_is_checked():
    listed = read_page("architecture.md").partition("## Imports go one way\n\n")[2].partition("\n\n")[0]
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")

    shown = [set(re.findall(r"\w+", line)) for line in listed.splitlines() if not line.startswith("<!--")]
    assert shown == [set(re.findall(r"\w+", layer)) for layer in layers]
