"""``deploy/app``: the image, and the services of the Compose file, without a container engine."""

import importlib.util
import re
import socket
import subprocess
from pathlib import Path

import psycopg
import pytest
import redis
from flask import Flask

from tests.deploy.image import APP, read_ignored
from tests.deploy.served import Running, read_dockerfile, serve
from tests.deploy.waiting import SECONDS, has_read_all, wait_until
from tests.faults.served import ask_token, call
from tests.servers.ports import free_port
from tests.servers.proxies import find_program


# --- the image ------------------------------------------------------------------------------------------------------
def test_the_image_runs_as_a_user_that_its_steps_make(deployment):
    (account,) = (words for name, words in read_dockerfile() if words.startswith("useradd"))

    assert deployment.image.user == "10001:10001"
    assert "--uid 10001" in account


def test_the_image_has_the_app_and_its_migrations_but_no_secret(deployment):
    inside = deployment.image.path(deployment.image.workdir)

    assert {path.name for path in inside.iterdir()} >= {"myapp.py", "migrations", "requirements.txt"}
    assert list((inside / "migrations" / "versions").glob("*.py"))
    found = [path for path in inside.rglob("*") if path.is_file() and b"never in the image" in path.read_bytes()]
    assert found == []
    assert "secrets" in read_ignored(APP)


def test_the_image_sets_no_secret(deployment):
    assert not [name for name in deployment.image.environment if re.search("SECRET|PASSWORD|DATABASE|KEY", name)]


def test_the_app_reads_its_secrets_from_files_named_like_the_settings(tmp_path: Path):
    specification = importlib.util.spec_from_file_location("myapp_of_this_test", APP / "myapp.py")
    assert specification is not None
    assert specification.loader is not None
    myapp = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(myapp)
    (tmp_path / "SECRET_KEY").write_text("new\n")
    (tmp_path / "SECRET_KEY_FALLBACKS").write_text('["old"]\n')
    (tmp_path / "..2027_01_15").mkdir()  # as Kubernetes mounts them
    (tmp_path / "..data").symlink_to("..2027_01_15")
    app = Flask("app")

    myapp.read_secrets(app, str(tmp_path))

    assert (app.config["SECRET_KEY"], app.config["SECRET_KEY_FALLBACKS"]) == ("new", ["old"])
    assert not [name for name in app.config if name.startswith(".")]
    myapp.read_secrets(app, None)  # without such a folder the environment has all of it


# --- the services -------------------------------------------------------------------------------------------------
def test_the_app_serves_from_a_read_only_file_system_and_says_that_it_is_ready(deployment, compose):
    service = compose["services"]["app"]

    with serve(
        deployment, service["command"], writable=[path.partition(":")[0] for path in service["tmpfs"]]
    ) as served:
        if not served.is_read_only:
            pytest.skip("this machine allows no mount namespace, so nothing can be made read-only")
        assert ask_token(served.port, deployment.caller.build_form()).status == 200
        assert call(served.port, "GET", "/health/live").status == 200
        ready = call(served.port, "GET", "/health/ready")
        assert (ready.status, set(ready.json["checks"].values())) == (200, {True})
        # A worker that has counted nothing yet shows what others counted after a second.
        wait_until(lambda: b"oauth2_requests_total" in call(served.port, "GET", "/metrics").body)
        assert list(deployment.image.path("/srv/token-server").rglob("*.sqlite")) == []
        health(deployment, service["healthcheck"]["test"][1:], served.port, expected=0)
        health(deployment, deployment.image.health, served.port, expected=0)
        stop_while_a_request_is_under_way(served, deployment.caller.build_form())


def stop_while_a_request_is_under_way(served: Running, form: bytes) -> None:
    """As ``docker stop`` does: whoever asked before gets an answer, and then the container ends."""
    head = b"POST /oauth2/token HTTP/1.1\r\nHost: as.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    with socket.create_connection(("127.0.0.1", served.port), SECONDS) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(form) + form[:20])
        wait_until(lambda: has_read_all(served.port, connection))
        served.process.terminate()
        wait_until(lambda: not is_listening(served.port))

        connection.sendall(form[20:])
        assert connection.recv(4096).split()[1] == b"200"
    assert served.process.wait(SECONDS) == 0


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def health(deployment, command, port: int, *, expected: int) -> None:
    assert sum(word.count("127.0.0.1:8000") for word in command) == 1
    done = deployment.image.run([word.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for word in command], {})
    assert (done.returncode != 0) == expected, done.stderr


def test_the_health_checks_fail_where_nobody_answers(deployment, compose):
    for command in (compose["services"]["app"]["healthcheck"]["test"][1:], deployment.image.health):
        health(deployment, command, free_port(), expected=1)


def test_purge_runs_and_comes_again_after_an_hour(deployment, compose):
    shell, option, loop = compose["services"]["purge"]["command"]
    assert loop.count("sleep 3600") == 1

    done = deployment.image.run([shell, option, loop.replace("sleep 3600", "exit 7")], deployment.environment)

    assert done.returncode == 7
    assert "expired entries deleted" in done.stdout


def test_the_migration_ends_before_the_app_starts_and_finds_nothing_to_do_again(deployment, compose):
    services = compose["services"]
    assert services["app"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["restart"] == "no"

    done = deployment.image.run(services["migrate"]["command"], deployment.environment)

    assert done.returncode == 0
    assert "Running upgrade" not in done.stderr


def test_the_database_is_asked_whether_it_is_ready(postgres_server, compose):
    there = psycopg.conninfo.conninfo_to_dict(postgres_server.replace("+psycopg", ""))
    _, *command = compose["services"]["database"]["healthcheck"]["test"]

    def ask(port) -> int:
        environment = {"PGHOST": str(there["host"]), "PGPORT": str(port), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode

    assert ask(there["port"]) == 0
    assert ask(free_port()) != 0


def test_redis_keeps_every_mark_as_the_replay_store_wants_it(compose, tmp_path: Path):
    service, port = compose["services"]["redis"], free_port()
    find_program("redis-server")
    command = [*service["command"], "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 600)) as client:
            client.ping()
            asked = {
                name: value
                for pattern in ("append*", "maxmemory-policy")
                for name, value in client.config_get(pattern).items()
            }
        _, program, *words = service["healthcheck"]["test"]
        subprocess.run([program, "-p", str(port), *words], check=True, capture_output=True)
    finally:
        process.terminate()
        process.wait()
    assert (asked["appendonly"], asked["appendfsync"], asked["maxmemory-policy"]) == ("yes", "always", "noeviction")


@pytest.mark.parametrize("name", ["proxy", "app", "migrate", "purge"])
def test_what_faces_the_network_can_write_nothing_and_gain_nothing(compose, name):
    service = compose["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_the_proxy_can_be_reached_from_outside(compose):
    services = compose["services"]

    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert [name for name, service in services.items() if "outside" in service.get("networks", [])] == ["proxy"]
    assert compose["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", ["proxy", "app", "purge", "database", "redis"])
def test_every_service_that_stays_has_a_limit_and_comes_back(compose, name):
    service = compose["services"][name]

    assert {"cpus", "memory"} == set(service["deploy"]["resources"]["limits"])
    assert service["restart"] == "always"


def test_every_secret_is_a_file_and_none_is_in_the_compose_file(compose):
    assert all(list(secret) == ["file"] for secret in compose["secrets"].values())
    for service in compose["services"].values():
        values = " ".join(str(value) for value in service.get("environment", {}).values())
        assert not re.search(r"://[^/\s]*:[^/\s]*@", values)
        for secret in service.get("secrets", []):
            assert (secret["source"] if isinstance(secret, dict) else secret) in compose["secrets"]
