"""``make`` on machines that lack something: fake interpreters and fake modules stand for those machines."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT

NAMES = ("python3.13", "python3.12", "python3.11", "python3")
REAL_PYTHON = getattr(sys, "_base_executable", sys.executable)

MAKES_VENV = """
import pathlib, sys
folder = pathlib.Path(sys.argv[-1])
(folder / "bin").mkdir(parents=True)
(folder / "bin" / "python").symlink_to({python!r})
(folder / "pyvenv.cfg").write_text("home = " + {home!r})
(folder / "made-by").write_text(__spec__.name)
"""
FAILS = "import sys; sys.exit('ensurepip is not available')"
RECORDS = "import os, sys; open(os.environ['PIP_CALLS'], 'a').write(' '.join(sys.argv[1:]) + chr(10))"


class Machine:
    """A checkout in a folder with a space in its name, on a machine whose Pythons and modules the test chooses."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "check out"
        self.bin = folder / "bin"
        self.modules = folder / "modules"
        self.pip_calls = folder / "pip-calls"
        self.home = folder / "home"
        for new in (self.checkout, self.bin, self.modules, self.home):
            new.mkdir()
        shutil.copytree(CHECKOUT / "tools", self.checkout / "tools")
        for name in ("Makefile", "setup.cfg", "pyproject.toml"):
            shutil.copy(CHECKOUT / name, self.checkout)
        for tool in ("sh", "make", "dirname", "head", "grep"):
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        self.has_python("python3")
        self.has_module("venv", MAKES_VENV.format(python=REAL_PYTHON, home=str(Path(REAL_PYTHON).parent)))
        self.has_module("virtualenv", "raise ImportError")
        self.has_module("pip", RECORDS)

    def has_program(self, name: str, script: str) -> Path:
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    def has_python(self, name: str) -> Path:
        return self.has_program(name, f'exec "{REAL_PYTHON}" "$@"')

    def has_old_python(self, name: str, version: str) -> Path:
        return self.has_program(name, f'[ "$1" = --version ] && echo "Python {version}" || exit 1')

    def has_module(self, name: str, main: str) -> None:
        (self.modules / name).mkdir(exist_ok=True)
        (self.modules / name / "__init__.py").touch()
        (self.modules / name / "__main__.py").write_text(main)

    def runs(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "PYTHONPATH": str(self.modules),
            "PIP_CALLS": str(self.pip_calls),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            command, cwd=self.checkout, env={**variables, **environment}, capture_output=True, text=True, timeout=60
        )

    def sets_up(self, group: str = "demo", **environment: str) -> subprocess.CompletedProcess[str]:
        return self.runs("tools/bootstrap.sh", group, **environment)

    @property
    def installs(self) -> list[str]:
        return self.pip_calls.read_text().splitlines() if self.pip_calls.exists() else []


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_the_first_run_makes_an_environment_and_installs_the_group(machine):
    done = machine.sets_up("demo")

    assert (done.returncode, done.stderr) == (0, "")
    assert machine.installs == [
        "install --no-input --upgrade pip",
        "install --no-input --group demo --editable .",
    ]
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == [
        f"set-up: virtual environment in .venv (Python {sys.version_info.major}.{sys.version_info.minor})",
        "set-up: pip",
        "set-up: packages",
    ]


def test_the_second_run_says_and_does_nothing(machine):
    machine.sets_up("test")
    before = machine.installs

    for group in ("test", "demo"):  # the test group contains the demo's
        done = machine.sets_up(group)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    assert machine.installs == before


def test_the_demo_group_does_not_stand_for_the_test_group(machine):
    machine.sets_up("demo")

    machine.sets_up("test")

    assert machine.installs[-1] == "install --no-input --group test --editable ."


@pytest.mark.parametrize("name", ["setup.cfg", "pyproject.toml"])
def test_a_changed_file_is_installed_again_into_the_same_environment(machine, name):
    machine.sets_up()
    marker = machine.checkout / ".venv" / "still-the-same"
    marker.touch()
    with (machine.checkout / name).open("a") as file:
        file.write("\n# changed\n")

    assert machine.sets_up().returncode == 0

    assert len(machine.installs) == 4
    assert marker.exists()


def test_a_moved_checkout_gets_a_new_environment(machine):
    machine.sets_up()
    machine.checkout = machine.checkout.rename(machine.checkout.with_name("moved"))

    done = machine.sets_up()

    assert "virtual environment" in done.stdout
    assert (machine.checkout / ".venv" / "made-for").read_text().endswith(str(machine.checkout))


def test_an_interrupted_set_up_is_taken_up_again(machine):
    machine.has_module("pip", "raise KeyboardInterrupt")
    assert machine.sets_up().returncode == 2
    machine.has_module("pip", RECORDS)

    assert machine.sets_up().returncode == 0

    assert len(machine.installs) == 2


def test_nothing_is_written_outside_the_checkout(machine):
    machine.sets_up()

    assert list(machine.home.iterdir()) == []


def test_the_newest_suitable_python_is_chosen(machine):
    machine.has_old_python("python3", "3.8.10")
    machine.has_program("python3.13", "exit 127")  # a version manager's shim without that version
    machine.has_python("python3.12")

    assert machine.sets_up().returncode == 0


@pytest.mark.parametrize("make_goal", ["demo", "test"])
def test_only_old_pythons_is_a_sentence(machine, make_goal):
    machine.has_old_python("python3", "3.10.13")

    done = machine.runs("make", make_goal)

    assert done.returncode == 2
    assert "Python 3.11 or newer is needed; python3 on this machine is: Python 3.10.13." in done.stderr
    assert "Traceback" not in done.stderr


def test_no_python_at_all_is_a_sentence(machine):
    (machine.bin / "python3").unlink()

    done = machine.sets_up()

    assert done.returncode == 2
    assert "python3 on this machine is: none." in done.stderr
    assert "not found" not in done.stderr


def test_python_named_by_hand_that_is_too_old_is_a_sentence(machine):
    old = machine.has_old_python("old", "3.6.15")

    done = machine.runs("make", "demo", f"PYTHON={old}")

    assert done.returncode == 2
    assert f"PYTHON={old} is: Python 3.6.15." in done.stderr


def test_python_named_by_hand_is_used(machine):
    machine.has_old_python("python3", "3.9.2")
    named = machine.has_python("my python")

    assert machine.sets_up(PYTHON=str(named)).returncode == 0


def test_without_ensurepip_virtualenv_is_used(machine):
    shutil.copytree(machine.modules / "venv", machine.modules / "virtualenv", dirs_exist_ok=True)
    machine.has_module("venv", FAILS)

    assert machine.sets_up().returncode == 0

    assert (machine.checkout / ".venv" / "made-by").read_text() == "virtualenv.__main__"


def test_without_ensurepip_and_virtualenv_the_package_to_install_is_named(machine):
    machine.has_module("venv", FAILS)

    done = machine.sets_up()

    assert done.returncode == 2
    assert "cannot make a virtual environment: ensurepip is missing, and virtualenv too." in done.stderr
    assert f"apt install python{sys.version_info.major}.{sys.version_info.minor}-venv" in done.stderr
    assert "Traceback" not in done.stderr


def test_after_the_missing_package_is_installed_the_next_run_succeeds(machine):
    working = (machine.modules / "venv" / "__main__.py").read_text()
    machine.has_module("venv", FAILS)
    machine.sets_up()
    machine.has_module("venv", working)

    assert machine.sets_up().returncode == 0


def test_an_unreachable_index_is_a_sentence(machine):
    machine.has_module("pip", "import sys; sys.exit('NewConnectionError: Temporary failure in name resolution')")

    done = machine.sets_up()

    assert done.returncode == 2
    assert "pip could not get the packages from its index. Is this machine online?" in done.stderr
    assert "Traceback" not in done.stderr


def test_any_other_failure_of_pip_shows_its_last_lines(machine):
    machine.has_module("pip", "import sys; sys.exit('No space left on device')")

    done = machine.sets_up()

    assert done.returncode == 2
    assert "pip failed. The end of .venv/set-up.log:\n    No space left on device" in done.stderr


def test_an_environment_of_the_users_own_is_adopted(machine):
    machine.runs("python3", "-m", "venv", ".venv")

    assert machine.sets_up().returncode == 0

    assert not (machine.checkout / ".venv" / "made-for").exists()
    assert len(machine.installs) == 2


def test_a_foreign_folder_named_venv_is_not_deleted(machine):
    precious = machine.checkout / ".venv" / "precious"
    precious.parent.mkdir()
    precious.touch()

    done = machine.sets_up()

    assert done.returncode == 2
    assert ".venv is there, but is no working Python" in done.stderr
    assert precious.exists()


def test_an_environment_that_cannot_be_made_is_a_sentence(machine):
    (machine.checkout / ".venv").symlink_to("/nowhere/to/be/found")  # not even root can write there

    done = machine.sets_up()

    assert done.returncode == 2
    assert "The set-up cannot write in this checkout" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_set_ups_at_once_do_not_install_into_each_other(machine):
    machine.has_module("pip", f"import time; time.sleep(0.5); {RECORDS}")
    variables = {**os.environ, "PATH": str(machine.bin), "PYTHONPATH": str(machine.modules)}
    variables["PIP_CALLS"] = str(machine.pip_calls)

    both = [
        subprocess.Popen(["tools/bootstrap.sh", "demo"], cwd=machine.checkout, env=variables, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0].decode() for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert len(machine.installs) == 2
    assert sum("waiting for it" in text for text in said) == 1


# --- the command of continuous integration --------------------------------------------------------------
def test_the_ci_command_passes_on_the_exit_code_and_ends_with_pytests_closing_line(machine):
    (machine.checkout / ".ci").mkdir()
    shutil.copy(CHECKOUT / ".ci" / "run", machine.checkout / ".ci")
    for tool in ("bash", "env", "cat"):
        (machine.bin / tool).symlink_to(str(shutil.which(tool)))
    machine.has_program("id", "echo 1000")
    (machine.bin / "make").unlink()
    machine.has_program("make", 'echo "$CI $1"; echo "= 1 failed ="; echo "make: *** [test] Error 1" >&2; exit 2')

    done = machine.runs(".ci/run")

    assert done.returncode == 2
    assert done.stdout.splitlines() == ["true test", "= 1 failed ="]
    assert done.stderr == ""
