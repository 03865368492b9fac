"""Set up ``.venv`` in the checkout with one dependency group of pyproject.toml; quick when there is nothing to do.

    tools/bootstrap.sh demo|docs|test

Standard library only. Everything it writes lies in ``.venv``, pip's cache and log too.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
CACHE = VENV / "cache"
LOG = VENV / "set-up.log"
MADE_FOR = VENV / "made-for"
GROUPS = {"demo": ("demo", "test"), "docs": ("docs", "test"), "test": ("test",)}
"""The group that is asked for -> the groups that contain it."""

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LINE_EVERY_SECONDS = 10
NETWORK_SIGNS = (
    "NewConnectionError",
    "Connection refused",
    "ConnectTimeout",
    "ReadTimeout",
    "ProxyError",
    "Name or service not known",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "CERTIFICATE_VERIFY_FAILED",
    "from versions: none",
)


class SetUpFailed(Exception):
    """The set-up cannot go on; the message is for the person at the keyboard."""


def main(group: str) -> int:
    """Set up *group*; the exit code."""
    try:
        with only_one_at_a_time():
            if not is_ready(group):
                set_up(group)
    except SetUpFailed as error:
        return end(f"{error}")
    except OSError as error:
        return end(
            f"The set-up cannot write in this checkout: {error}.\n"
            "If .venv belongs to another user, remove it as that user (make clean), then try again."
        )
    except KeyboardInterrupt:
        return end("The set-up was interrupted; the next run takes it up again.", code=130)
    return 0


def end(sentence: str, *, code: int = 2) -> int:
    """Say why the set-up ends here; the exit code."""
    print(f"{CLEAR}{sentence}", file=sys.stderr)
    return code


def set_up(group: str) -> None:
    """Make the virtual environment if need be and install *group* into it.

    :raises SetUpFailed: With the cause and what to do.
    """
    if not is_usable():
        make_venv()
    for name in GROUPS:
        stamp(name).unlink(missing_ok=True)
    pip("pip", "--upgrade", "pip")
    pip("packages", "--group", group, "--editable", ".")
    stamp(group).write_text(state())


# --- what is there already ------------------------------------------------------------------------------
def is_ready(group: str) -> bool:
    """Whether *group* is installed, for this Python version, from these two files, in this folder."""
    return VENV_PYTHON.exists() and any(read(stamp(name)) == state() for name in GROUPS[group])


def is_usable() -> bool:
    """Whether ``.venv`` was made for this folder and this Python version, by us or by its user.

    :raises SetUpFailed: There is a ``.venv`` that is not ours to replace.
    """
    if not VENV.exists():
        return False
    if (made := read(MADE_FOR)) is not None:
        return VENV_PYTHON.exists() and made == made_for()
    if Path(sys.prefix) != VENV:  # if the user made this .venv and it works, it is the one that runs this script
        raise SetUpFailed(f".venv is there, but is no working Python {VERSION} environment. Remove or rename it.")
    return True


def stamp(group: str) -> Path:
    """The file that says for which state *group* was installed."""
    return VENV / f"ready-{group}"


def made_for() -> str:
    """What a virtual environment depends on: it does not work with another Python version or in another folder."""
    return f"Python {VERSION} in {CHECKOUT}"


def state() -> str:
    """A digest that changes when other packages would be installed."""
    files = b"\0".join((CHECKOUT / name).read_bytes() for name in ("setup.cfg", "pyproject.toml"))
    return f"{made_for()}, {hashlib.sha256(files).hexdigest()}"


def read(path: Path) -> str | None:
    """The text of a file, ``None`` when there is none."""
    return path.read_text() if path.is_file() else None


@contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Hold a lock, so that ``make demo`` and ``make test`` side by side do not install into each other."""
    folder = os.open(Path(__file__).parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is running in this checkout; waiting for it.", flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


# --- the steps ------------------------------------------------------------------------------------------
def make_venv() -> None:
    """Make ``.venv``: with the standard library, or with ``virtualenv`` where ensurepip is missing.

    :raises SetUpFailed: Neither works.
    """
    python: str = getattr(sys, "_base_executable", sys.executable)  # .venv's own goes away with the next line
    shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir()
    MADE_FOR.write_text("nothing yet")
    ways = (
        [python, "-m", "venv", str(VENV)],
        [python, "-m", "virtualenv", "--quiet", str(VENV)],
        ["virtualenv", "--quiet", "--python", python, str(VENV)],
    )
    with Step(f"virtual environment in .venv (Python {VERSION})") as step:
        if not any(step.run(way) for way in ways):
            raise SetUpFailed(
                f"{python} cannot make a virtual environment: ensurepip is missing, and virtualenv too.\n"
                f"Install one of them (Debian, Ubuntu: apt install python{VERSION}-venv; elsewhere the package "
                "virtualenv), or name another Python: PYTHON=/path/to/python3"
            )
    MADE_FOR.write_text(made_for())


def pip(title: str, *arguments: str) -> None:
    """Run ``pip install`` in ``.venv``.

    :raises SetUpFailed: With the likely cause.
    """
    with Step(title) as step:
        if not step.run([str(VENV_PYTHON), "-m", "pip", "install", "--no-input", *arguments]):
            raise SetUpFailed(why_pip_failed())


def why_pip_failed() -> str:
    """The likely cause, from what pip printed."""
    said = LOG.read_text(errors="replace")
    log = LOG.relative_to(CHECKOUT)
    if any(sign in said for sign in NETWORK_SIGNS):
        return (
            "pip could not get the packages from its index. Is this machine online? PIP_INDEX_URL names a mirror, "
            f"HTTPS_PROXY a proxy.\nWhat pip said is in {log}."
        )
    last_lines = "\n".join(f"    {line}" for line in said.splitlines()[-15:])
    return f"pip failed. The end of {log}:\n{last_lines}"


# --- what a person sees ---------------------------------------------------------------------------------
IS_TERMINAL = sys.stdout.isatty()
CLEAR = "\r\x1b[K" if IS_TERMINAL else ""


class Step:
    """One line of the set-up: live on a terminal, a word now and then in a log, and how long it took."""

    def __init__(self, title: str) -> None:
        self._title = f"set-up: {title}"
        self._started = self._shown = time.monotonic()

    def __enter__(self) -> "Step":
        self._show()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if kind is None:
            print(f"{CLEAR}{self._title}, {time.monotonic() - self._started:.1f} s", flush=True)

    def run(self, command: list[str]) -> bool:
        """Run *command* with its output in the log; whether it ended well."""
        # Caches stay in the checkout: nothing is left in the home folder.
        environment = {**os.environ, "PIP_CACHE_DIR": str(CACHE / "pip"), "XDG_CACHE_HOME": str(CACHE)}
        with LOG.open("w") as log:
            try:
                process = subprocess.Popen(  # noqa: S603  # our own commands
                    command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            except FileNotFoundError:  # no virtualenv
                return False
            try:
                while process.poll() is None:
                    time.sleep(0.1)
                    self._show()
            finally:
                process.terminate()
                process.wait()
        return process.returncode == 0

    def _show(self) -> None:
        now = time.monotonic()
        line = f"{self._title} … {now - self._started:.0f} s"
        if IS_TERMINAL:
            line = f"{line}  {last_line(LOG)}"[: shutil.get_terminal_size().columns - 1]
            print(CLEAR + line, end="", flush=True)
        elif now - self._shown >= LINE_EVERY_SECONDS:
            self._shown = now
            print(line, flush=True)


def last_line(path: Path) -> str:
    """The last line that is not blank."""
    lines = (read(path) or "").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
