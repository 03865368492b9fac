"""Fixtures of the demo's tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_program import Demo


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, database and registrations, made once."""
    folder = tmp_path_factory.mktemp("prepared") / "demo folder"
    done = Demo(folder).run("demo.prepare")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def demo(prepared_folder: Path, tmp_path: Path) -> Iterator[Demo]:
    """A demo that is prepared and not started; the test fails if it leaves a process behind."""
    demo = Demo(shutil.copytree(prepared_folder, tmp_path / "demo folder"))
    yield demo
    assert demo.is_gone(), demo.processes()
