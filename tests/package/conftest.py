"""The wheel and the source distribution, built once for all workers, and an empty environment with the wheel in it."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT

NO_INDEX = ("No matching distribution found", "NewConnectionError", "Temporary failure in name resolution")
SECONDS = 600


@pytest.fixture(autouse=True)
def clock_() -> None:
    """The wall clock goes on: programs of their own look at it."""


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder with both files."""

    def build(folder: Path) -> None:
        source = folder / "source"
        for name in tracked_files():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, source / name)
        isolation = [] if int(version("setuptools").partition(".")[0]) < 77 else ["--no-isolation"]
        run_or_skip([sys.executable, "-m", "build", *isolation, "--outdir", str(folder), str(source)])

    return make_once(tmp_path_factory, worker_id, "dist", build)


@pytest.fixture(scope="session")
def clean_python(tmp_path_factory: pytest.TempPathFactory, worker_id: str, dist: Path) -> Path:
    """The interpreter of an environment with the wheel, its extra ``[testing]``, and nothing else."""

    def install(folder: Path) -> None:
        # Its pip is ours: not every Python has one to put into a new environment.
        command = [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")]
        subprocess.run(command, check=True, timeout=SECONDS)
        wheel = next(dist.glob("*.whl"))
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv" / "bin" / "python")]
        run_or_skip([*pip, "install", "-q", "--no-compile", "--disable-pip-version-check", f"{wheel}[testing]"])

    return make_once(tmp_path_factory, worker_id, "clean", install) / "venv" / "bin" / "python"


def tracked_files() -> list[str]:
    """The files of the checkout; in an unpacked source distribution, all that are there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [name for name in listed.stdout.split("\0") if name and (CHECKOUT / name).is_file()]
    made = {".venv", ".tests", ".demo", ".bench", "build", "dist", "__pycache__", "node_modules"}
    files = [file.relative_to(CHECKOUT) for file in CHECKOUT.rglob("*") if file.is_file()]
    return [str(file) for file in files if made.isdisjoint(file.parts) and not file.parts[0].endswith(".egg-info")]


def run_or_skip(command: list[str]) -> None:
    """Run a command that installs something; skip the test if there is no index to install it from."""
    finished = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment())
    said = finished.stdout + finished.stderr
    if finished.returncode != 0 and any(sign in said for sign in NO_INDEX) and not os.environ.get("CI"):
        pytest.skip("no package index can be reached")
    assert finished.returncode == 0, said


def environment(**more: str) -> dict[str, str]:
    """The environment of a program that must not see the checkout."""
    hidden = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTEST", "FLASK_", "OAUTH2_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)} | more


def make_once(factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of the workers fills for all of them."""
    shared = factory.getbasetemp() if worker_id == "master" else factory.getbasetemp().parent
    folder, finished = shared / f"package-{name}", shared / f"package-{name}.finished"
    with locked(shared / f"package-{name}.lock"):
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            finished.touch()
    return folder


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
