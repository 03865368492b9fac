"""A page, copied and pasted from top to bottom: its files are saved, its commands run, its servers serve.

Each block has a comment (blocks.py). A server occupies its terminal, so the next block begins in a new one: what was
exported before it is not there, unless the page exports it again. Only two things differ from what a reader does. The
ports are free ones, and what sets a reader's machine up (``python3 -m venv``, ``pip install``) is left out: this Python
has it all. A walk that is told what to install, a checkout or a wheel, leaves nothing out.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import requests

from tests.checkout import CHECKOUT
from tests.documentation.blocks import WALKED, Block, read_blocks
from tests.documentation.operator_commands import check_installs
from tests.servers.ports import free_port

SECONDS = 300
"""How long a command may take, or a server to answer, on a machine with much else to do."""
SETTING_UP = re.compile(r"^(python3? -m venv|pip install|\. \.venv/bin/activate|export CHECKOUT=)")
ALLOWING_BROWSER = CHECKOUT / "tests" / "examples" / "allowing_browser.py"
HOST_AND_PORT = re.compile(r"(?:127\.0\.0\.1|localhost):(\d{4,5})")
FOREIGN = ("FLASK_", "OAUTH2_", "PRIVATE_KEY_JWT_", "PYTEST_")


class Walk:
    """One walk through one page, in a folder of its own; leave it with ``with``.

    :param installs: What the page's ``$CHECKOUT`` is, to install it as the page says; ``None``: run this code.
    """

    def __init__(self, page: str, folder: Path, *, installs: Path | None = None) -> None:
        self.page = page
        self.folder = folder
        self._installs = installs
        self.blocks = [block for block in read_blocks(page) if block.way in WALKED]
        text = (CHECKOUT / page).read_text(encoding="utf-8")
        self._ports = {port: str(free_port()) for port in sorted(set(HOST_AND_PORT.findall(text)))}
        self._servers: list[subprocess.Popen[bytes]] = []
        self._printed = ""
        self._terminal = self._new_terminal()

    def __enter__(self) -> "Walk":
        try:
            for block in self.blocks:
                getattr(self, f"_{block.way}")(block)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def url(self, port: int, path: str = "/") -> str:
        """Where the server is that the page has at *port*."""
        return f"http://127.0.0.1:{self._ports[str(port)]}{path}"

    def run(self, script: str, *, ends_with: int = 0) -> str:
        """What a shell prints in the terminal that is open now. Each command must succeed, or the last one end so."""
        file = self.folder / ".terminal"
        save = f"ended=$?; {{ pwd; env -0; }} > {shlex.quote(str(file))}; exit $ended"
        done = subprocess.run(
            ["bash", "-uo" if ends_with else "-euo", "pipefail", "-c", f"{script}\n{save}"],
            cwd=self._terminal["PWD"],
            env=self._terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == ends_with, f"{self.page}: {script}\n{done.stdout}\n{self._logs()}"
        where, variables = file.read_text(encoding="utf-8").split("\n", 1)
        self._terminal = dict(line.split("=", 1) for line in variables.split("\0") if "=" in line) | {"PWD": where}
        return done.stdout

    # --- one method for each kind of block ----------------------------------------------------------------------
    def _file(self, block: Block) -> None:
        file = Path(self._terminal["PWD"], block.more)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._with_our_ports(block.text), encoding="utf-8")

    def _run(self, block: Block) -> None:
        ends_with = int(block.more.removeprefix("ends with ")) if block.more else 0
        self._printed = self.run(self._without_setting_up(block.text), ends_with=ends_with)

    def _prints(self, block: Block) -> None:
        rest = self._printed
        for line in self._with_our_ports(block.text).splitlines():
            pattern = ".*?".join(re.escape(part) for part in line.strip().split("…"))
            found = re.search(pattern, rest)
            assert found, f"{block}: {line!r} was not printed:\n{self._printed}"
            rest = rest[found.end() :]

    def _serve(self, block: Block) -> None:
        *before, server = self._without_setting_up(block.text).replace("\\\n", " ").strip().splitlines()
        self.run("\n".join(before))
        with (self.folder / f"server-{len(self._servers)}.log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {server}"],
                cwd=self._terminal["PWD"],
                env=self._terminal,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._servers.append(process)
        self._wait_for(self._with_our_ports(block.more), process)
        self._terminal = self._new_terminal(self._terminal["PWD"])

    # --- what they need -----------------------------------------------------------------------------------------
    def _new_terminal(self, where: str | None = None) -> dict[str, str]:
        """The environment of a new terminal, in the folder of the one before, with the same Python."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        shared = {
            "PYTHONUNBUFFERED": "1",
            "HOME": str(self.folder),
            "FLASK_RUN_PORT": self._ports.get("5000", "0"),
            "BROWSER": f"{sys.executable} {ALLOWING_BROWSER} %s",  # a person who signs in and allows
            "PWD": where or str(self.folder),
        }
        if self._installs is not None:
            return environment | shared
        programs = [str(self._programs()), str(Path(sys.executable).parent), os.environ["PATH"]]
        return environment | shared | {"PATH": os.pathsep.join(programs), "PYTHONPATH": str(CHECKOUT)}

    def _programs(self) -> Path:
        """A folder with ``private-key-jwt``, as an installation makes it."""
        folder = self.folder / ".programs"
        if not folder.exists():
            folder.mkdir(parents=True)
            ours = "from flask_private_key_jwt.client.command.program import main; main()"
            program = folder / "private-key-jwt"
            program.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c '{ours}' \"$@\"\n")
            program.chmod(0o755)
        return folder

    def _without_setting_up(self, text: str) -> str:
        kept = []
        for line in text.splitlines():
            if self._installs is not None:
                kept.append(f"export CHECKOUT={self._installs}" if line.startswith("export CHECKOUT=") else line)
            elif SETTING_UP.match(line):
                check_installs([word for word in shlex.split(line, comments=True) if "$" not in word])
            else:
                kept.append(line)
        return self._with_our_ports("\n".join(kept))

    def _with_our_ports(self, text: str) -> str:
        for port, ours in self._ports.items():
            text = re.sub(rf"(?<=[:= ]){port}\b", ours, text)
        return text

    def _wait_for(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        until = time.monotonic() + SECONDS
        while True:
            try:
                requests.get(url, timeout=5)
                return
            except requests.ConnectionError:
                assert process.poll() is None, f"{self.page}: the server ended\n{self._logs()}"
                assert time.monotonic() < until, f"{self.page}: nothing answers at {url}\n{self._logs()}"
                time.sleep(0.05)

    def _logs(self) -> str:
        return "\n".join(log.read_text(errors="replace") for log in sorted(self.folder.glob("server-*.log")))

    def _end(self) -> None:
        for process in self._servers:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._servers:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
