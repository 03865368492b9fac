"""The units of ``deploy/``: systemd takes them, and they start what the containers start."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.conftest import DEPLOY
from tests.deploy.served import split_options

SERVICES = ["token-server", "token-server-migrate", "token-server-purge"]


def read_unit(name: str) -> dict[str, list[str]]:
    """The settings of a unit; each may be there several times."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze is installed")
    names = [*(f"{name}.service" for name in SERVICES), "token-server-purge.timer"]
    for name in names:  # verify looks for the programs
        text = re.sub(r"/srv/token-server/\.venv/bin/\w+", "/bin/true", (DEPLOY / name).read_text())
        (tmp_path / name).write_text(text)

    def verify() -> "subprocess.CompletedProcess[str]":
        command = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in names)]
        environment = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    done = verify()
    assert (done.returncode, done.stderr) == (0, "")
    broken = tmp_path / "token-server.service"
    broken.write_text(broken.read_text().replace("Restart=always", "Restart=forever"))
    assert "restart" in verify().stderr


def test_the_service_starts_what_the_container_starts(compose):
    program, *options = split_options(read_unit("token-server.service")["ExecStart"][0].split())

    assert [program.rpartition("/")[2], *options] == split_options(compose["services"]["app"]["command"])


@pytest.mark.parametrize(("name", "command"), [("migrate", "flask db upgrade"), ("purge", "flask oauth2 purge")])
def test_the_other_services_run_the_commands_of_the_containers(compose, name, command):
    unit = read_unit(f"token-server-{name}.service")

    assert unit["ExecStart"] == [f"/srv/token-server/.venv/bin/{command}"]
    assert unit["Type"] == ["oneshot"]
    assert command in " ".join(compose["services"][name]["command"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gets_its_secrets_as_files_named_like_their_settings_and_none_from_the_environment(compose, name):
    unit = read_unit(f"{name}.service")

    loaded = dict(credential.split(":") for credential in unit["LoadCredential"])
    assert list(loaded) == compose["services"]["app"]["secrets"]
    assert all(path == f"/etc/token-server/secrets/{name}" for name, path in loaded.items())
    assert unit.get("Environment", []) in (["FLASK_APP=myapp"], ["PROMETHEUS_MULTIPROC_DIR=/run/token-server"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_an_ordinary_user_who_can_write_nowhere_else(name):
    unit = read_unit(f"{name}.service")

    assert unit["User"] == ["token-server"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["NoNewPrivileges"] == ["true"]
    assert unit["CapabilityBoundingSet"] == [""]


def test_a_stop_waits_longer_than_the_workers_may_take():
    unit = read_unit("token-server.service")
    options = split_options(unit["ExecStart"][0].split())

    assert int(unit["TimeoutStopSec"][0]) > int(options[options.index("--workers-kill-timeout") + 1])
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_an_operators_command_runs_as_the_service_does(tmp_path: Path):
    recorder = tmp_path / "systemd-run"
    recorder.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    recorder.chmod(0o755)
    command = [str(DEPLOY / "token-server-command"), "oauth2", "client", "list", "--owner", "a team"]

    done = subprocess.run(
        command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )

    words = done.stdout.splitlines()
    given = sorted(word.removeprefix("--property=") for word in words if word.startswith("--property="))
    unit = read_unit("token-server-purge.service")
    of_the_unit = ("User", "WorkingDirectory", "EnvironmentFile", "LoadCredential")
    assert given == sorted(f"{key}={value}" for key in of_the_unit for value in unit[key])
    assert words[-8:] == ["/srv/token-server/.venv/bin/flask", "--app", "myapp", *command[1:]]
