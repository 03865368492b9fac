"""The image of ``deploy/app/Dockerfile``, made by running its steps in a folder instead of a container engine.

A path of the image lies below the folder. pip gets no network: it finds what the tests have installed, and fails if the
requirements ask for anything else.
"""

import json
import os
import re
import shlex
import shutil
import site
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.checkout import CHECKOUT

APP = CHECKOUT / "deploy" / "app"
PROGRAMS = ("granian", "flask")
"""What pip would put into the image's ``bin``, had it installed anything."""
READ_ONLY = """
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -o remount,bind,ro /
for writable in $2; do mount -t tmpfs none "$writable"; done
shift 2
cd "$IMAGE_WORKDIR"
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"
"""
"""Runs a program on a read-only root file system, and without any capability."""


def read_instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction of a Dockerfile and its words; lines that go on are one."""
    text = re.sub(r"(?m)^#.*\n", "", dockerfile)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            name, _, words = line.strip().partition(" ")
            yield name, words.strip()


@dataclass(frozen=True)
class Image:
    """What the steps made."""

    root: Path
    environment: Mapping[str, str]
    workdir: str
    user: str
    command: Sequence[str]
    health: Sequence[str]

    def path(self, inside: str) -> Path:
        """Where a path of the image lies here."""
        return self.root / inside.lstrip("/")

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], *, given: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command of the image to its end.

        :param given: Its standard input.
        """
        return subprocess.run(
            command,
            cwd=self.path(self.workdir),
            env={**self.environment, **environment},
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def read_only(self, command: Sequence[str], writable: Sequence[str]) -> list[str]:
        """The same command as a container with ``read_only`` runs it; ``[]`` where this machine does not allow that.

        :param writable: The paths that are given a file system of their own.
        """
        unshare = _find_mount_namespace()
        if unshare is None:
            return []
        places = [self.path(path) for path in writable]
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
        sandbox = [*unshare, "sh", "-c", READ_ONLY, "sh", str(self.root), " ".join(map(str, places))]
        return [*sandbox, *command]


def _find_mount_namespace() -> list[str] | None:
    """The command that runs another where mounts are its own; ``None`` if this machine allows none."""
    if not shutil.which("unshare") or not shutil.which("setpriv"):
        return None
    for options in (["--mount"], ["--user", "--map-root-user", "--mount"]):
        command = ["unshare", *options]
        probe = [*command, "mount", "-o", "remount,bind,ro", "/"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command
    return None


def build_image(root: Path, context: Path) -> Image:
    """Run the steps of every stage.

    :param root: An empty folder.
    :param context: What ``docker build`` is given: the folder of an app.
    """
    build = Build(root, context)
    for name, words in read_instructions((context / "Dockerfile").read_text()):
        build.steps[name](words)
    for program in PROGRAMS:
        script = root / "opt/venv/bin" / program
        script.write_text(f'#!/bin/sh\nexec {root}/opt/venv/bin/python -m {program} "$@"\n')
        script.chmod(0o755)
    environment = {**build.environment, "IMAGE_WORKDIR": str(root / build.workdir.lstrip("/"))}
    return Image(root, environment, build.workdir, build.user, build.command, build.health)


class Build:
    """An image that is being built; an instruction that it does not know is a ``KeyError``."""

    def __init__(self, root: Path, context: Path) -> None:
        self.root, self.context = root, context
        self.environment = {"PATH": f"{root}/opt/venv/bin:{os.environ['PATH']}", "PYTHONPATH": str(CHECKOUT)}
        self.workdir, self.user = "/", "0"
        self.command: Sequence[str] = ()
        self.health: Sequence[str] = ()
        self.steps: dict[str, Callable[[str], None]] = {
            "FROM": self.begin_stage,
            "RUN": lambda words: _run_step(root, self.environment, words),
            "COPY": lambda words: _copy(root, context, self.workdir, shlex.split(words)),
            "WORKDIR": self.enter,
            "ENV": self.set_environment,
            "USER": self.become,
            "HEALTHCHECK": self.set_health,
            "CMD": self.set_command,
            "STOPSIGNAL": lambda _: None,
        }

    def begin_stage(self, _base: str) -> None:
        self.workdir, self.user = "/", "0"

    def enter(self, folder: str) -> None:
        self.workdir = folder
        (self.root / folder.lstrip("/")).mkdir(parents=True)

    def set_environment(self, words: str) -> None:
        self.environment |= dict(pair.split("=", 1) for pair in shlex.split(words) if not pair.startswith("PATH="))

    def become(self, user: str) -> None:
        self.user = user

    def set_health(self, words: str) -> None:
        self.health = json.loads(words[words.index("[") :])

    def set_command(self, words: str) -> None:
        self.command = json.loads(words)


def _run_step(root: Path, environment: Mapping[str, str], words: str) -> None:
    """One ``RUN`` line, with the image's paths below *root*."""
    if words.startswith("useradd "):
        return  # an account of the image; the tests read its number
    if " -m pip install" in words:
        _show_what_is_installed(root)
    local = words.replace("python -m venv", f"{sys.executable} -m venv --without-pip")
    local = re.sub(r"/(opt|srv)/", lambda found: f"{root}/{found[1]}/", local)
    shell = {**environment, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    done = subprocess.run(["sh", "-c", local], cwd=root, env=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"


def _show_what_is_installed(root: Path) -> None:
    (packages,) = (root / "opt/venv").glob("lib/python3*/site-packages")
    (packages / "tests.pth").write_text("\n".join(site.getsitepackages()))


def _copy(root: Path, context: Path, workdir: str, words: list[str]) -> None:
    if words[0].startswith("--from="):
        assert words[1] == words[2]  # it is there already: all stages lie in one folder
        return
    source, target = words
    if source == ".":
        assert target == "."
        ignored = shutil.ignore_patterns(*read_ignored(context))
        shutil.copytree(context, root / workdir.lstrip("/"), ignore=ignored, dirs_exist_ok=True)
    else:
        place = root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(context / source, place)


def read_ignored(context: Path) -> list[str]:
    """The names that ``.dockerignore`` keeps out."""
    lines = (context / ".dockerignore").read_text().splitlines()
    return [line.removeprefix("**/") for line in lines if line and not line.startswith("#")]
