"""What is in the wheel and in the source distribution, and what the tools of the Python world say about them."""

import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT
from tests.package.conftest import tracked_files

UNKNOWN = [
    "Your package does not have author data.",
    "Your package does not have author-email data.",
    "Your package should have a 'url' field with a link to the project home page, or a 'project_urls' field, with a "
    "dictionary of links, or both.",
]
"""What pyroma misses, and what nobody can say yet (docs/package.md)."""


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
    return next(dist.glob("*.tar.gz"))


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as file:
        name = next(name for name in file.namelist() if name.endswith("/METADATA"))
        return Parser().parsestr(file.read(name).decode())


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=600, check=False)


def test_wheel_has_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as file:
        found = {name for name in file.namelist() if ".dist-info/" not in name}
    tracked = {name for name in tracked_files() if name.startswith("flask_private_key_jwt/")}

    assert found == tracked
    assert "flask_private_key_jwt/py.typed" in found


def test_source_distribution_has_every_file(sdist):
    with tarfile.open(sdist) as file:
        found = {name.partition("/")[2] for name in file.getnames()}

    assert [name for name in tracked_files() if name not in found] == []


def test_nothing_private_is_in_the_source_distribution(sdist):
    with tarfile.open(sdist) as file:
        names = file.getnames()

    assert [name for name in names if re.search(r"\.(pem|sqlite|pyc|key)$|/(\.venv|\.demo|node_modules)/", name)] == []


def test_twine_finds_nothing(wheel, sdist):
    checked = run("twine", "--no-color", "check", "--strict", str(wheel), str(sdist))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("PASSED") == 2


def test_check_wheel_contents_finds_nothing(wheel):
    checked = run("check_wheel_contents", str(wheel))

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.filterwarnings("ignore")
def test_pyroma_misses_only_what_nobody_can_say_yet(metadata, monkeypatch):
    from pyroma import projectdata, ratings

    monkeypatch.setattr(projectdata, "wheel_metadata", lambda *_: metadata)  # it would build the wheel once more
    _, found = ratings.rate(projectdata.get_data(str(CHECKOUT)))

    assert found == UNKNOWN


def test_metadata_says_what_the_package_is(metadata):
    assert metadata["License-Expression"] or metadata["License"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert len(metadata["Summary"]) < 200
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert metadata.get_payload().startswith("# flask-private-key-jwt")


def test_every_extra_is_there_and_all_has_those_of_an_application(metadata):
    extras = set(metadata.get_all("Provides-Extra", []))
    assert extras == {
        "all", "asgi", "httpx", "limits", "metrics", "mysql", "otel", "postgresql", "redis", "testing",
    }  # fmt: skip

    requirement = next(
        line for line in metadata.get_all("Requires-Dist", []) if line.startswith("flask-private-key-jwt")
    )
    assert set(re.search(r"\[(.*?)\]", requirement)[1].split(",")) == extras - {"all", "testing"}
