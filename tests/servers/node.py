"""Node.js with the packages of ``tests/node_packages/``, installed once for each state of its lock file.

The packages need Node.js 22; where the machine's own is older, the one that is installed with them runs the scripts.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import CHECKOUT
from tests.servers.throwaway import miss

PACKAGES = CHECKOUT / "tests" / "node_packages"
FILES = ("package.json", "package-lock.json", ".npmrc")
INSTALLED = CHECKOUT / ".venv" / "node"
HOME = CHECKOUT / ".venv" / "home"
CACHE = CHECKOUT / ".venv" / "cache" / "npm"
NEEDED = 22
INSTALL_SECONDS = 300
SECONDS = 60
"""How long a script may take."""


class NodeScript:
    """A running script: lines of JSON go in and come out."""

    def __init__(self, process: subprocess.Popen[str], errors: Any, seconds: float) -> None:
        self._process = process
        self._errors = errors
        self._seconds = seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timed_out = False
        self._timer.start()

    def read(self) -> Any:
        """What the script wrote next: one line of JSON.

        :raises AssertionError: It is no JSON, or the script ended or ran out of time, with what it said on stderr.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(self._say("wrote nothing more"))
        try:
            return json.loads(line)
        except ValueError:
            raise AssertionError(f"the script wrote something else than JSON: {line}") from None

    def lines(self) -> Iterator[str]:
        """What the script writes, line by line, until it ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.rstrip("\n")

    def write(self, value: Any) -> None:
        """Send the script one line of JSON."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the next read says why it ended
            self._process.stdin.write(json.dumps(value) + "\n")
            self._process.stdin.flush()

    def rest(self) -> str:
        """Everything that it writes until it ends.

        :raises AssertionError: It ended with a failure or ran out of time, with what it said.
        """
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        written = self._process.stdout.read()
        if self._process.wait() != 0:
            raise AssertionError(self._say(f"ended with {self._process.returncode}", written))
        return written

    def close(self) -> None:
        self._timer.cancel()
        self._end()
        self._process.wait()

    def _end(self) -> None:
        self._timed_out = self._process.poll() is None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _say(self, what: str, written: str = "") -> str:
        self._process.wait()
        self._errors.seek(0)
        said = written + self._errors.read().decode(errors="replace")
        return f"the script {f'took longer than {self._seconds} s' if self._timed_out else what}:\n{said[-4000:]}"


class Node:
    """Runs scripts that ``import`` the packages by their names.

    :param program: Node.js.
    :param modules: The ``node_modules`` folder.
    :param folder: Where scripts are copied to, with a link to the packages beside them.
    """

    def __init__(self, program: str, modules: Path, folder: Path) -> None:
        self.program = program
        self.modules = modules
        self._folder = folder

    @contextlib.contextmanager
    def start(
        self, script: Path, *arguments: str, env: Mapping[str, str] | None = None, seconds: float = SECONDS
    ) -> Iterator[NodeScript]:
        """Start a script, to talk with it in lines of JSON (``read`` and ``write``).

        :param script: A file of a package (:meth:`find`), or a ``.mjs`` file, which may import what lies beside it.
        :param env: Added to an environment that has ``PATH`` and little else.
        :param seconds: After this time the script is ended.
        """
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(HOME),
            "NODE_NO_WARNINGS": "1",
            **(env or {}),
        }
        HOME.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [self.program, str(self._place(script)), *arguments],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            with process:
                running = NodeScript(process, errors, seconds)
                try:
                    yield running
                finally:
                    running.close()

    def run(self, script: Path, *arguments: str, env: Mapping[str, str] | None = None, seconds: float = SECONDS) -> str:
        """Run a script to its end, and give what it wrote.

        :raises AssertionError: It failed or ran out of time, with what it said.
        """
        with self.start(script, *arguments, env=env, seconds=seconds) as running:
            return running.rest()

    def find(self, name: str) -> Path:
        """A file of a package: ``find("@modelcontextprotocol/conformance/dist/index.js")``."""
        path = self.modules / name
        assert path.exists(), f"{name} is not installed"
        return path

    def _place(self, script: Path) -> Path:
        if self.modules in script.parents:
            return script
        place = self._folder / script.parent.name
        if not place.exists():
            for file in script.parent.glob("*.*js"):  # .mjs, .js
                place.mkdir(exist_ok=True)
                shutil.copy(file, place)
            (place / "node_modules").symlink_to(self.modules)
        return place / script.name


@pytest.fixture(scope="session")
def _node_installed() -> tuple[str, Path]:
    """Node.js and its ``node_modules``; the first comer of several processes installs, the others wait."""
    own, npm = shutil.which("node"), shutil.which("npm")
    if own is None or npm is None:
        miss(f"no Node.js: {'node' if own is None else 'npm'} is not installed")
    texts = [(PACKAGES / name).read_bytes() for name in FILES]
    enough = _major(own) >= NEEDED
    state = hashlib.sha256(b"\0".join([*texts, b"" if enough else b"with node"])).hexdigest()[:16]
    folder = INSTALLED / state
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            _install_once_a_run(npm, folder, ["--omit=optional"] if enough else [])
    modules = folder / "node_modules"
    return _choose_program(own if enough else None, modules), modules


def _install_once_a_run(npm: str, folder: Path, options: list[str]) -> None:
    """Install; what failed in this run is not tried again by its other processes, because it may take long to fail."""
    run, failed = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid())), folder / "failed"
    told = json.loads(failed.read_text()) if failed.exists() else {}
    if told.get("run") == run:
        miss(told["why"])
    why = _install(npm, folder, options)
    if why is not None:
        failed.write_text(json.dumps({"run": run, "why": why}))
        miss(why)
    (folder / "ready").touch()


def _install(npm: str, folder: Path, options: list[str]) -> str | None:
    """Install, and say why that did not work; ``None``: it did."""
    for name in FILES:
        shutil.copy(PACKAGES / name, folder)
    HOME.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "HOME": str(HOME), "NPM_CONFIG_CACHE": str(CACHE)}
    try:
        done = subprocess.run(
            [npm, "ci", *options],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"no packages for Node.js: npm took longer than {INSTALL_SECONDS} s"
    if done.returncode == 0:
        return None
    said = [line for line in done.stdout.splitlines() if line.startswith(("npm error", "npm ERR!"))]
    return f"no packages for Node.js: npm ci ended with {done.returncode}: {'; '.join(said)[:1000]}"


def _choose_program(own: str | None, modules: Path) -> str:
    """The machine's Node.js if it is new enough, or else the one among the packages."""
    found = own or next(map(str, modules.glob("node-*/bin/node")), None)
    if found is None:
        miss(f"no Node.js {NEEDED}: the machine's own is older, and there is none for it among the packages")
    return found


def _major(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=SECONDS).stdout
    found = re.match(r"v(\d+)\.", said)
    return int(found[1]) if found else 0


@pytest.fixture
def node(_node_installed: tuple[str, Path], tmp_path: Path) -> Node:
    """Runs scripts with the packages of ``tests/node_packages/``."""
    folder = tmp_path / "node"
    folder.mkdir()
    return Node(*_node_installed, folder)
