"""Somebody's suite, run by pytest in this process, with the plugin loaded as an installed one is."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

PLUGIN = "flask_private_key_jwt.testing.plugin"

Run = Callable[..., pytest.RunResult]


@pytest.fixture(autouse=True)
def clock_() -> None:
    """The suites of these tests have the real time, as everybody's have."""


@pytest.fixture
def run_suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run files as a suite: ``run_suite(test_api="…", conftest="…")``; the names are those of the modules."""

    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # plugins of our own suite, which cannot be loaded twice

    def run(*options: str, **files: str) -> Any:
        pytester.makepyprojecttoml("[tool.pytest.ini_options]\nfilterwarnings = ['error']\n")
        pytester.makepyfile(**files)
        return pytester.runpytest_inprocess("-p", PLUGIN, "-p", "no:cacheprovider", "-q", *options)

    return run


@pytest.fixture
def forbid_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every connection of this process fail."""

    def connect(*_: object, **__: object) -> None:
        raise AssertionError("a test connects to something")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
