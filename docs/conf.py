"""How Sphinx makes the documentation site: ``make docs``, or ``python -m tools.site``.

The pages are those of the checkout, where they lie: README.md, CHANGES.md, the pages beside this file, and the README
of each example. So a link between them works on a code host and on the site.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

CHECKOUT = Path(__file__).parents[1]
VERSION_FILE = CHECKOUT / "flask_private_key_jwt" / "_version.py"

project = "flask-private-key-jwt"
version = release = re.search(r'__version__ = "([^"]+)"', VERSION_FILE.read_text(encoding="utf-8"))[1]  # type: ignore[index]

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/*.md",
    "examples/README.md",
    "examples/*/README.md",
    "bench/README.md",
    "tests/README.md",
]
exclude_patterns = [".*", "build", "dist", "node_modules", "**/node_modules"]
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]  # "…" in an example is no Python, and should not be

# Links to headings are written as code hosts make them: settings.md#redis-as-the-replay-store
myst_heading_anchors = 5

html_theme = "furo"
html_title = project
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_js_files = ["versions.js", "names.js"]
templates_path = ["site/templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_theme_options = {"navigation_with_keys": True}
highlight_language = "none"  # of an indented block: commands, what a program says, a picture


SECTION = re.compile(r"^## (.+)\n((?:(?!^## ).*\n)+)", re.MULTILINE)
PAGE = re.compile(r"^ *- \[([^\]]+)\]\(([\w./-]+)\.md\)", re.MULTILINE)
EXAMPLES = sorted(
    page.relative_to(CHECKOUT).with_suffix("").as_posix() for page in CHECKOUT.glob("examples/**/README.md")
)
LINK = re.compile(r"\[([^\]]+)\]\(([\w./-]+)\)")


def build_toctrees(index: str) -> str:
    """The tables of contents that Sphinx wants, from the lists of links that *index* has for readers of the file."""
    trees = ""
    sections = [
        (heading, [f"{title} <{page}>" for title, page in PAGE.findall(text)])
        for heading, text in SECTION.findall(index)
    ]
    for heading, entries in [*sections, ("Examples", [f"/{page}" for page in EXAMPLES])]:
        pages = "\n".join(entries)
        trees += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{pages}\n```\n"
    return trees


def unlink_folders(text: str, folder: Path) -> str:
    """*text* without its links to folders of the checkout, which have no page here."""
    return LINK.sub(lambda link: link[1] if (folder / link[2]).is_dir() else link[0], text)


def read_source(app: Sphinx, name: str, source: list[str]) -> None:
    """Make of a page what Sphinx can read, which is nearly what a code host reads."""
    source[0] = unlink_folders(source[0], (CHECKOUT / name).parent)
    if name == root_doc:
        source[0] += build_toctrees(source[0])


def write_front_door(app: Sphinx, error: Exception | None) -> None:
    """Lead from the site's root to the index, which lies in docs/ as its file does."""
    if error is None and app.builder.name == "html":
        target = f"{root_doc}.html"
        head = f'<!doctype html><meta charset="utf-8"><title>{project}</title>'
        page = f'{head}<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">{project}</a>'
        Path(app.outdir, "index.html").write_text(page, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above."""
    app.connect("source-read", read_source)
    app.connect("build-finished", write_front_door)
    return {"parallel_read_safe": True}
