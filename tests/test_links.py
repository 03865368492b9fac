"""Every link in README.md, CHANGES.md and docs/ that stays in this repository leads somewhere, headings included."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGES.md", *sorted((ROOT / "docs").glob("*.md"))]
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
