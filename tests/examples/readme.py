"""Runs an example as its README says: all of its commands from top to bottom, in a copy, at free ports."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.checkout import CHECKOUT
from tests.servers.ports import free_port

EXAMPLES = CHECKOUT / "examples"
SECONDS = 600
PORT = re.compile(r"\b5\d{3}\b")
SERVER = re.compile(r" -p (\d+) &$")
BROWSER = Path(__file__).with_name("browser.py")
NO_SETTINGS = f"-c {os.devnull} --rootdir ."
"""For pytest."""


def read_commands(example: str) -> list[tuple[str, str]]:
    """The commands of a README, each with what it says that the command prints."""
    page = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    (.+)$", page, re.M)
    return [(command.strip(), shown.strip()) for command, _, shown in (line.partition("    # ") for line in lines)]


class Run:
    """A copy of all examples, and what the commands of one of them printed."""

    def __init__(self, folder: Path, example: str, *, python: Path = Path(sys.executable)) -> None:
        shutil.copytree(
            EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns("__pycache__", "instance", "*.sqlite", "*.pem")
        )
        self.folder = folder / "examples" / example
        self.ports: dict[str, str] = {}
        for file in (folder / "examples").glob("*/*"):
            if file.suffix in (".py", ".md"):
                file.write_text(self._move(file.read_text(encoding="utf-8")), encoding="utf-8")
        self.commands = [(self._move(command), self._move(shown)) for command, shown in read_commands(example)]
        is_ours = python == Path(sys.executable)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "OAUTH2_", "PYTEST"))
        } | {
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT) if is_ours else "",
            "HOME": str(folder),
            "BROWSER": f"{shlex.quote(sys.executable)} {shlex.quote(str(BROWSER))} %s",
            # A machine that runs all tests at once may be slow.
            "PRIVATE_KEY_JWT_TIMEOUT": "60",
            "FLASK_OAUTH2_HTTP_TIMEOUT_SECONDS": "30",
            "FLASK_OAUTH2_STORE_TIMEOUT_SECONDS": "30",
            # No settings of the checkout, in which this folder may lie. The entry points of an environment that the
            # checkout is linked into may be of an older version.
            "PYTEST_ADDOPTS": NO_SETTINGS + (" -p flask_private_key_jwt.testing.plugin" if is_ours else ""),
        }

    def run(self, then: str = "") -> str:
        """What the commands print; in the end all servers are stopped.

        :param then: A further command, while the servers run.
        """
        lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
        for command, _ in self.commands:
            if not command.startswith("pip install "):
                lines.append(command)
            if found := SERVER.search(command):
                lines.append(f"until (exec 3<>/dev/tcp/127.0.0.1/{found[1]}) 2>>waiting.log; do sleep 0.2; done")
        finished = subprocess.run(
            ["bash", "-c", "\n".join([*lines, then])],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"
        return finished.stdout

    @property
    def shown(self) -> list[str]:
        """What the README says that its commands print, in order."""
        return [shown for _, shown in self.commands if shown]

    def port(self, of: int) -> str:
        """The port in place of the one that the README has."""
        return self.ports.setdefault(str(of), str(free_port()))

    def _move(self, text: str) -> str:
        return PORT.sub(lambda found: self.port(int(found[0])), text)
