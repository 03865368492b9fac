"""The documentation site: one command makes it, it can be searched, it has versions, and a dead link ends the build."""

import fcntl
import json
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.checkout import CHECKOUT
from tools import site

VERSION = site.read_version(CHECKOUT)


@pytest.fixture(scope="module")
def out(tmp_path_factory, worker_id):
    """Where the site of this checkout was built, once for all workers of pytest-xdist."""
    folder = tmp_path_factory.getbasetemp()
    out = (folder if worker_id == "master" else folder.parent) / "site"
    with out.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "versions.json").exists():
            build(out)
    return out


def build(out):
    command = [sys.executable, "-m", "tools.site", "--out", str(out)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def read_index(out):
    script = (out / VERSION / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(script.removeprefix("Search.setIndex(").removesuffix(")"))


def test_every_page_is_on_the_site(out):
    pages = {f"docs/{page.stem}.html" for page in (CHECKOUT / "docs").glob("*.md")}
    pages |= {f"{page.stem}.html" for page in CHECKOUT.glob("*.md")}

    assert [page for page in sorted(pages) if not (out / VERSION / page).is_file()] == []


def test_every_page_can_be_found(out):
    index = read_index(out)
    named = {index["docnames"][number] for number in index["terms"]["dpop"]}

    assert {"README", "docs/settings", "docs/api"} <= named


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("docs/replay-stores", 'href="settings.html#redis-as-the-replay-store"'),
        ("docs/command-line-client", 'href="../README.html#in-five-minutes-in-your-app"'),
        ("README", 'href="docs/settings.html'),
    ],
)
def test_links_between_pages_lead_to_pages(out, page, link):
    assert link in (out / VERSION / f"{page}.html").read_text(encoding="utf-8")


def test_file_that_a_page_offers_is_there(out):
    page = out / VERSION / "docs" / "smart.html"
    offered = re.findall(r'href="(\.\./_downloads/[^"]+/app\.py)"', page.read_text(encoding="utf-8"))

    assert (page.parent / offered[0]).read_text() == (CHECKOUT / "examples" / "smart" / "app.py").read_text()


def test_the_roots_lead_to_the_index(out):
    assert f"url={VERSION}/" in (out / "index.html").read_text(encoding="utf-8")
    assert "url=docs/index.html" in (out / VERSION / "index.html").read_text(encoding="utf-8")


def test_page_says_its_version(out):
    page = (out / VERSION / "docs" / "index.html").read_text(encoding="utf-8")

    assert f'data-version="{VERSION}"' in page
    assert json.loads((out / "versions.json").read_text(encoding="utf-8")) == [VERSION]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *said):
        pass


@pytest.fixture
def root(out, tmp_path):
    """The URL of a site with two versions."""
    copy = tmp_path / "site"
    shutil.copytree(out, copy)
    shutil.copytree(out / VERSION, copy / "0.0.1")
    site.write_list(copy)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=copy))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_reader_searches_and_changes_the_version(root, chromium):
    chromium.open(f"{root}/{VERSION}/search.html?q=dpop")
    chromium.wait_for("document.querySelectorAll('#search-results li').length > 3")
    chromium.open(f"{root}/{VERSION}/docs/settings.html")
    chromium.wait_for("document.querySelectorAll('.versions option').length === 2")
    chromium.evaluate("document.querySelector('.versions select').value = '0.0.1'")
    chromium.evaluate("document.querySelector('.versions select').dispatchEvent(new Event('change'))")
    chromium.wait_for("location.pathname.startsWith('/0.0.1/docs/index')")


# --- what is refused --------------------------------------------------------------------------------------------
@pytest.fixture
def tree(tmp_path):
    """A small checkout with a site."""
    tree = tmp_path / "tree"
    (tree / "flask_private_key_jwt").mkdir(parents=True)
    (tree / "flask_private_key_jwt" / "_version.py").write_text('__version__ = "9.1"\n')
    shutil.copytree(CHECKOUT / "docs", tree / "docs", ignore=shutil.ignore_patterns("*.md"))
    (tree / "docs" / "index.md").write_text("# Index\n\n## Start\n\n- [A page](page.md)\n")
    (tree / "docs" / "page.md").write_text("# A page\n\n## A heading\n\n[Here](#a-heading).\n")
    return tree


def test_small_site_is_built(tree, tmp_path):
    assert site.build(tree, tmp_path / "out") == "9.1"


@pytest.mark.parametrize(
    "text",
    ["[there](nowhere.md)", "[there](#no-such-heading)", "[there](index.md#no-such-heading)", "[there](no_file.py)"],
)
def test_dead_link_ends_the_build(text, tree, tmp_path):
    (tree / "docs" / "page.md").write_text(f"# A page\n\n{text}\n")

    with pytest.raises(site.SiteFailed, match=r"version 9\.1 has the faults"):
        site.build(tree, tmp_path / "out")


def test_page_that_the_index_does_not_list_ends_the_build(tree, tmp_path):
    (tree / "docs" / "lost.md").write_text("# Nobody finds this\n")

    with pytest.raises(site.SiteFailed):
        site.build(tree, tmp_path / "out")


# --- versions ---------------------------------------------------------------------------------------------------
def test_versions_are_listed_newest_first(tmp_path):
    for version in ["1.9.0", "1.10.0", "1.10.0rc1", "0.1.0"]:
        (tmp_path / version).mkdir()
        (tmp_path / version / "index.html").write_text("")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "2.0.0").mkdir()  # a build that did not end

    site.write_list(tmp_path)

    assert json.loads((tmp_path / "versions.json").read_text()) == ["1.10.0", "1.10.0rc1", "1.9.0", "0.1.0"]


def test_tag_is_built_from_its_own_files(tree, tmp_path, monkeypatch):
    run = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["tag", "v9.1"]):
        subprocess.run([*run, *words], cwd=tree, check=True)
    (tree / "flask_private_key_jwt" / "_version.py").write_text('__version__ = "9.2"\n')
    monkeypatch.setattr(site, "CHECKOUT", tree)

    assert site.main(["--tags", "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out" / "versions.json").read_text()) == ["9.2", "9.1"]
