"""Pages that are copied and pasted from top to bottom: README.md, and those that begin something."""

import re
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from flask_private_key_jwt import clock
from tests.checkout import CHECKOUT
from tests.documentation.blocks import WALKED, find_pages, parse, read_blocks
from tests.documentation.walk import Walk

WEB_LOGIN = "docs/start-web-login.md"
PAGES = [page for page in find_pages() if any(block.way in WALKED for block in read_blocks(page))]


@pytest.fixture(autouse=True)
def real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page starts are processes of their own, whose clock does not stand still."""
    monkeypatch.setattr(clock, "now", lambda: int(time.time()))


@pytest.mark.parametrize("page", [page for page in PAGES if page != WEB_LOGIN])
def test_page_works_from_top_to_bottom(page: str, tmp_path: Path) -> None:
    with Walk(page, tmp_path):
        pass


def test_person_signs_in_to_the_web_application(tmp_path: Path) -> None:
    with Walk(WEB_LOGIN, tmp_path) as walk, requests.Session() as browser:
        shop = walk.url(5010)
        assert browser.get(shop, timeout=30).text == '<a href="/login">Sign in</a>'
        page = browser.get(f"{shop}login", timeout=30)
        page = browser.post(page.url, data={"name": "alice", "password": "wonderland"}, timeout=30)
        form = {"decision_token": read_field(page.text, "decision_token"), "decision": "allow"}
        home = browser.post(urljoin(page.url, read_action(page.text)), data=form, timeout=30)

        assert home.url == shop
        assert unescape(home.text).startswith("{'for': 'shop', 'of': 'alice'}")
        assert browser.post(f"{shop}logout", timeout=30).text == '<a href="/login">Sign in</a>'


def read_field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


def read_action(page: str) -> str:
    found = re.search(r'action="([^"]*)"', page)
    assert found, page
    return unescape(found[1])


@pytest.mark.parametrize(
    ("name", "example"),
    [("app.py", "mcp/app.py"), ("server.py", "mcp_server/server.py"), ("client.py", "mcp/client.py")],
)
def test_files_of_the_mcp_page_are_those_of_the_examples(name: str, example: str) -> None:
    (block,) = [block for block in read_blocks("docs/start-mcp.md") if (block.way, block.more) == ("file", name)]

    assert block.text == (CHECKOUT / "examples" / example).read_text(encoding="utf-8")


# --- what would be noticed --------------------------------------------------------------------------------------
@pytest.fixture
def walk_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Walk through a page with this text."""

    def walk_through(text: str) -> None:
        monkeypatch.setattr("tests.documentation.walk.read_blocks", lambda page: tuple(parse(page, text)))
        with Walk("README.md", tmp_path):
            pass

    return walk_through


def test_short_page_works(walk_through: Callable[[str], None]) -> None:
    walk_through(
        "<!-- file: a/b.txt -->\n```\nhello\n```\n\n<!-- run -->\n    export WHO=you\n    cd a && cat b.txt\n\n"
        "<!-- run -->\n    echo $WHO; cat b.txt\n\n<!-- prints -->\n    you\n    h…o\n\n"
        "<!-- run: ends with 1 -->\n    grep bye b.txt"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<!-- run -->\n    false\n    true",
        "<!-- run -->\n    echo $NEVER_SET",
        "<!-- run: ends with 1 -->\n    true",
        "<!-- run -->\n    echo a\n\n<!-- prints -->\n    b",
        "<!-- run -->\n    echo a; echo b\n\n<!-- prints -->\n    b\n    a",
        "<!-- serve: http://127.0.0.1:1/ -->\n    false",
    ],
)
def test_page_that_does_not_work_is_noticed(text: str, walk_through: Callable[[str], None]) -> None:
    with pytest.raises(AssertionError):
        walk_through(text)
