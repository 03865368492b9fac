"""Make the documentation site, one folder for each version, and the list of versions that every page offers.

    python -m tools.site                  this checkout, into build/docs/VERSION
    python -m tools.site --tags           each tag that has a site, then this checkout
    python -m tools.site --out FOLDER     elsewhere: beside the versions that are there already

A warning of Sphinx (a link that leads nowhere, a page that no list names) ends it with an error.
"""

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
VERSION = re.compile(r"\d+(?:\.\d+)*\S*")


class SiteFailed(Exception):
    """Sphinx found something wrong; it has said what."""


def main(arguments: list[str] | None = None) -> int:
    """Build what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="tools.site", description="Make the documentation site.")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "build" / "docs", help="default: build/docs")
    parser.add_argument("--tags", action="store_true", help="the site of each tag too")
    options = parser.parse_args(arguments)
    try:
        if options.tags:
            for tag in find_tags():
                with tree_of(tag) as tree:
                    build(tree, options.out)
        version = build(CHECKOUT, options.out)
    except SiteFailed as error:
        print(error, file=sys.stderr)
        return 1
    write_list(options.out)
    print(f"The site is in {options.out / version}: open {options.out / 'index.html'}")
    return 0


def build(tree: Path, out: Path) -> str:
    """Build the site of the checkout *tree* into its version's folder below *out*; the version.

    :raises SiteFailed: Sphinx warned.
    """
    version = read_version(tree)
    with tempfile.TemporaryDirectory() as doctrees:
        command = [sys.executable, "-m", "sphinx", "--nitpicky", "--fail-on-warning", "--keep-going", "--quiet"]
        command += ["-c", str(tree / "docs"), "-d", doctrees, str(tree), str(out / version)]
        if subprocess.run(command, check=False).returncode:
            raise SiteFailed(f"The site of version {version} has the faults that are listed above.")
    return version


def read_version(tree: Path) -> str:
    """The version of the package in *tree*."""
    source = (tree / "flask_private_key_jwt" / "_version.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', source)
    if found is None:
        raise SiteFailed(f"{tree} has no version.")
    return found[1]


def find_tags() -> list[str]:
    """The tags whose checkout has a site, oldest first."""
    command = ["git", "tag", "--sort=creatordate"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return [tag for tag in listed.stdout.split() if has_site(tag)]


def has_site(tag: str) -> bool:
    """Whether this tag has what Sphinx needs."""
    asked = ["git", "cat-file", "-e", f"{tag}:docs/conf.py"]
    return subprocess.run(asked, cwd=CHECKOUT, capture_output=True, check=False).returncode == 0


@contextmanager
def tree_of(tag: str) -> Iterator[Path]:
    """The files of *tag*, in a folder that goes away again."""
    archive = subprocess.run(["git", "archive", tag], cwd=CHECKOUT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def write_list(out: Path) -> None:
    """Write which versions lie in *out*, newest first, and lead from its root to the newest."""
    versions = sorted((folder.name for folder in out.iterdir() if is_version(folder)), key=sort_key, reverse=True)
    (out / "versions.json").write_text(json.dumps(versions), encoding="utf-8")
    newest = f"{versions[0]}/"
    head = '<!doctype html><meta charset="utf-8"><title>Documentation</title>'
    page = f'{head}<meta http-equiv="refresh" content="0; url={newest}"><a href="{newest}">Documentation</a>'
    (out / "index.html").write_text(page, encoding="utf-8")


def is_version(folder: Path) -> bool:
    """Whether *folder* has the site of a version."""
    return bool(VERSION.fullmatch(folder.name)) and (folder / "index.html").is_file()


def sort_key(version: str) -> tuple[list[int], bool, str]:
    """1.10 comes after 1.9, and 1.0 after 1.0rc1."""
    numbers = re.match(r"[\d.]*\d", version)
    start = numbers[0] if numbers else ""
    rest = version[len(start) :]
    return [int(number) for number in start.split(".") if number], not rest, rest


if __name__ == "__main__":
    sys.exit(main())
