"""A headless Chromium that a test drives: it opens pages, looks at them, and presses buttons.

Commands go through a pipe (Chrome DevTools Protocol), so that no port is open and no package is needed.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.throwaway import miss

Tab = str | None
SECONDS = 30
"""How long a page may take to become what a test waits for."""
OPTIONS = (
    "--headless",
    "--no-sandbox",  # it refuses to run as root otherwise
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",  # nothing leaves this machine
    "--accept-lang=en-US",
    "--no-first-run",
    "--remote-debugging-pipe",
)


class Chromium:
    """One browser with one page."""

    def __init__(self, program: str, folder: Path) -> None:
        self.errors: list[str] = []
        """What the page's scripts did not catch, and what its console shows as an error."""
        self._received = b""
        self._last_id = 0
        # Chromium reads its commands from descriptor 3 and writes to 4.
        read_commands, self._write = os.pipe()
        self._read, write_answers = os.pipe()
        self._log = (folder / "chromium.log").open("w")
        self._temporary = tempfile.TemporaryDirectory(prefix="pkjwt-", ignore_cleanup_errors=True)  # a short path
        arguments = [program, *OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        # Twice, so that neither copy lands on a descriptor that is still to be copied.
        script = f'exec 8<&{read_commands} 9>&{write_answers}; exec 3<&8 4>&9; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "chromium", *arguments],
            pass_fds=(read_commands, write_answers),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "HOME": str(folder), "TMPDIR": self._temporary.name},
        )
        os.close(read_commands)
        os.close(write_answers)
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Go to *url*."""
        answer = self._call("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"

    def reload(self) -> None:
        self._call("Page.reload")

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page; a promise is awaited.

        :raises AssertionError: It throws.
        """
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The value of an expression as soon as it is true; while a page is loading, it may throw.

        :raises AssertionError: It does not become true; the message shows the page.
        """
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(AssertionError):
                if value := self.evaluate(script):
                    return value
            time.sleep(0.05)
        shown = self.evaluate("location.href + '\\n' + document.documentElement.innerText")
        raise AssertionError(f"{script} does not become true.\n{shown}\n{self.errors}")

    def text_of(self, selector: str) -> str:
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent"))

    def wait_for_text(self, selector: str, text: str) -> None:
        self.wait_for(f"document.querySelector({json.dumps(selector)})?.textContent.includes({json.dumps(text)})")

    def fill(self, **fields: str) -> None:
        """Fill form fields, by their names."""
        for name, value in fields.items():
            self.wait_for(f"document.querySelector('[name={name}]') !== null")
            self.evaluate(f"document.querySelector('[name={name}]').value = {json.dumps(value)}")

    def press(self, selector: str) -> None:
        """Press a button that can be seen."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{found} && !{found}.hidden")
        self.evaluate(f"{found}.click()")

    def click(self, selector: str, *, count: int = 1) -> None:
        """Click with the mouse, in the middle of an element; *count* 2 is a double click."""
        # Not while it is loading: without its stylesheet, everything is elsewhere.
        self.wait_for(f"document.readyState === 'complete' && document.querySelector({json.dumps(selector)}) !== null")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        x, y = self.evaluate(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2] })()"
        )
        for number in range(1, count + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=number)

    def type_key(self, key: str) -> None:
        """Press a key of the keyboard: ``Tab``, ``Enter``, ``Space``."""
        self.wait_for("document.readyState === 'complete'")
        codes = {"Tab": (9, ""), "Enter": (13, "\r"), "Space": (32, " ")}
        code, text = codes[key]
        name = " " if key == "Space" else key
        shared = {"key": name, "code": key, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **shared)
        self._call("Input.dispatchKeyEvent", type="keyUp", **shared)

    def go_back(self) -> None:
        """Press the browser's back button."""
        history = self._call("Page.getNavigationHistory")
        self._call("Page.navigateToHistoryEntry", entryId=history["entries"][history["currentIndex"] - 1]["id"])

    def show_as(self, *, width: int, height: int = 800, scale: float = 1, dark: bool = False) -> None:
        """Look at the page on another screen: *width* in CSS pixels; *scale* is that of the screen."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        self._call("Emulation.setScrollbarsHidden", hidden=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def forget_cookies(self) -> None:
        """Forget all cookies, as if the person's sessions had ended."""
        self._call("Network.clearBrowserCookies")

    def let_scripts_run(self, run: bool) -> None:
        """Let the scripts of a page run or not; :meth:`evaluate` always does."""
        self._call("Emulation.setScriptExecutionDisabled", value=not run)

    def take_picture(self) -> bytes:
        """What can be seen now, as a PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png", optimizeForSpeed=False)["data"])

    def new_tab(self) -> Tab:
        """Open another tab of this browser, and give the present one back: :meth:`show_tab` shows it again."""
        former, self._session = self._session, None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        return former

    def show_tab(self, tab: Tab) -> Tab:
        """Go to a tab that :meth:`new_tab` or this gave back; give the present one back."""
        former, self._session = self._session, tab
        return former

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._log.close()
        self._temporary.cleanup()

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(method)
            if answer.get("id") == self._last_id:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _receive(self, method: str) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._read], [], [], SECONDS)
            more = os.read(self._read, 65536) if ready else b""
            if not more:
                raise AssertionError(f"Chromium does not answer {method}")
            self._received += more
        message, _, self._received = self._received.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(parameters["exceptionDetails"].get("exception", {}).get("description")))
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


@contextlib.contextmanager
def running_chromium(folder: Path) -> Iterator[Chromium]:
    """A browser without a past, whose files are in a new *folder*; a test that has none is skipped."""
    program = shutil.which("chromium")
    if program is None:
        miss("no Chromium: it is not installed")
    folder.mkdir()
    browser = Chromium(program, folder)
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chromium]:
    """A browser without a past."""
    with running_chromium(tmp_path / "chromium") as browser:
        yield browser
