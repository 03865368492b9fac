"""The code blocks of the pages, fenced and indented, and the comment before each that says how it is tested.

A comment stands in the line before its block, and is not shown:

    <!-- file: app.py -->               the block is saved as this file, and the page is walked (walk.py)
    <!-- run -->                        its commands are run in the walk; each must succeed
    <!-- run: ends with 1 -->          the same, and the last one ends with this exit code
    <!-- serve: http://127.0.0.1:5000/ -->    its last line is a server, which runs until the walk ends
    <!-- prints -->                     what the block before printed, in this order; … stands for anything
    <!-- tested: FILE::TEST -->        this test runs it
    <!-- not run: why -->               it cannot be run, for this reason

``<!-- all: … -->`` or ``<!-- all python: … -->`` says the same of all blocks of the page (of one language), with
``tested: …`` or ``not run: …``. A block without a comment is run as its language says: see test_blocks.py.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache

from markdown_it import MarkdownIt

from tests.checkout import CHECKOUT

MCP_EXAMPLE = "tests/examples/test_mcp_server.py::test_the_client_of_the_sdk_connects_and_calls_a_tool"
EXAMPLES = "tests/examples/test_examples.py::test_the_commands_print_what_the_readme_says"
TESTED = {"examples/*/README.md": EXAMPLES, "examples/mcp_server/README.md": MCP_EXAMPLE}
"""Pages, by pattern, whose blocks a test runs that knows them all: they need no comments."""

COMMENT = re.compile(r"<!-- (file|run|serve|prints|tested|not run|all(?: \w+)?)(?:: (.+?))? -->", re.DOTALL)
WALKED = ("file", "run", "serve", "prints")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of code of a page."""

    page: str
    line: int
    language: str
    """Of an indented block: ``indented``."""
    text: str
    way: str
    """The first word of its comment, ``""`` without one."""
    more: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def find_pages() -> list[str]:
    """Every page that people read, from the top of the checkout."""
    patterns = ("*.md", "docs/*.md", "examples/README.md", "examples/*/README.md")
    return sorted(page.relative_to(CHECKOUT).as_posix() for pattern in patterns for page in CHECKOUT.glob(pattern))


@cache
def read_blocks(page: str) -> tuple[Block, ...]:
    """The blocks of *page*, in their order."""
    return tuple(parse(page, (CHECKOUT / page).read_text(encoding="utf-8")))


def parse(page: str, text: str) -> Iterator[Block]:
    """The blocks of a page with this *text*."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for_all: dict[str, tuple[str, str]] = {}
    for pattern, test in TESTED.items():
        if fnmatch(page, pattern):
            for_all[""] = ("tested", test)
    comment = None
    for token in tokens:
        if token.type == "html_block":
            comment = COMMENT.match(token.content.strip())
            if comment and comment[1].startswith("all"):
                way, _, more = comment[2].partition(": ")
                for_all[comment[1].partition(" ")[2]] = (way, more)
                comment = None
            continue
        if token.type in ("fence", "code_block"):
            language = token.info.split()[0] if token.info else ("indented" if token.type == "code_block" else "")
            way, more = for_all.get(language, for_all.get("", ("", "")))
            if comment:
                way, more = comment[1], " ".join((comment[2] or "").split())
            assert token.map is not None
            yield Block(page, token.map[0] + 1, language, token.content, way, more)
        comment = None
