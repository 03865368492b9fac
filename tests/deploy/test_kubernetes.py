"""The manifests of ``deploy/kubernetes``: valid for Kubernetes, and they run what the Compose file runs."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.conftest import DEPLOY
from tests.deploy.served import serve, split_options
from tests.faults.served import ask_token, call
from tests.servers.proxies import nginx

FOLDER = DEPLOY / "kubernetes"
FILES = ["token-server.yaml", "migrate.yaml", "purge.yaml", "route.yaml"]
OLDEST, NEWEST = "1.32", "1.37"


def read(*files: str) -> list[dict[str, Any]]:
    return [document for file in files for document in yaml.safe_load_all((FOLDER / file).read_text())]


def find(kind: str) -> dict[str, Any]:
    (found,) = (document for document in read(*FILES) if document["kind"] == kind)
    return found


def pods() -> Iterator[dict[str, Any]]:
    yield find("Deployment")["spec"]["template"]["spec"]
    yield find("Job")["spec"]["template"]["spec"]
    yield find("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def container(name: str) -> dict[str, Any]:
    (found,) = (container for pod in pods() for container in pod["containers"] if container["name"] == name)
    return found


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_every_manifest(version):
    checked = [
        document for document in read(*FILES) if document["kind"] != "HTTPRoute"
    ]  # the Gateway API is an addition
    assert len(checked) == 6

    for document in checked:
        kubernetes_validate.validate(document, version, strict=True)

    checked[0]["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(checked[0], version, strict=True)


def test_the_kustomization_names_every_file_but_the_migration_which_comes_before():
    (kustomization,) = read("kustomization.yaml")
    resources = kustomization["resources"]
    nginx_file = kustomization["configMapGenerator"][1]["files"]

    assert sorted([*resources, "migrate.yaml"]) == sorted(FILES)
    assert nginx_file == ["default.conf=nginx.conf"]
    named = {generated["name"] for generated in kustomization["configMapGenerator"]}
    assert named == {"token-server-settings", "token-server-nginx"}


def test_kubectl_builds_the_kustomization():
    if not shutil.which("kubectl"):
        pytest.skip("no kubectl is installed")
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    kinds = sorted(document["kind"] for document in yaml.safe_load_all(done.stdout))
    assert kinds == sorted(
        [
            "ConfigMap",
            "ConfigMap",
            "CronJob",
            "Deployment",
            "HTTPRoute",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "Service",
        ]
    )


def test_a_pod_starts_what_compose_starts_but_for_probes_on_its_address(compose):
    app = split_options(container("app")["command"])
    on_loopback = split_options(compose["services"]["app"]["command"])

    assert [("127.0.0.1" if word == "0.0.0.0" else word) for word in app] == on_loopback
    assert container("migrate")["command"] == compose["services"]["migrate"]["command"]
    assert " ".join(container("purge")["command"]) in compose["services"]["purge"]["command"][2]


def test_the_probes_and_the_proxy_of_a_pod_are_answered(deployment):
    app = container("app")
    with serve(deployment, app["command"]) as served, nginx(served.port, file="kubernetes/nginx.conf") as proxy:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert call(served.port, "GET", app[probe]["httpGet"]["path"]).status == 200
        assert ask_token(proxy.port, deployment.caller.build_form()).status == 200
        assert call(proxy.port, "GET", "/health/ready").status == 404
        assert call(proxy.port, "GET", "/metrics").status == 404
        assert call(served.port, "GET", "/metrics").status == 200


def test_a_restart_follows_a_dead_process_only_never_a_database_that_is_away():
    app = container("app")

    assert app["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert app["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_a_pod_that_ends_has_time_for_its_requests():
    app, spec = container("app"), find("Deployment")["spec"]["template"]["spec"]
    command, options = app["lifecycle"]["preStop"]["exec"]["command"], split_options(app["command"])

    subprocess.run([command[0], "0"], check=True)
    kill = int(options[options.index("--workers-kill-timeout") + 1])
    assert spec["terminationGracePeriodSeconds"] > int(command[1]) + kill


def test_every_container_is_locked_down_and_has_limits():
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for one in pod["containers"]:
            locked = one["securityContext"]
            assert locked["runAsUser"] > 0
            assert locked["readOnlyRootFilesystem"] is True
            assert locked["allowPrivilegeEscalation"] is False
            assert locked["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in one["resources"]["limits"]


def test_secrets_are_files_of_one_secret_and_no_manifest_has_any(deployment):
    assert not [document for document in read(*FILES) if document["kind"] == "Secret"]
    for pod in pods():
        secrets = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
        assert secrets == ["token-server"]
        for one in pod["containers"]:
            assert not [variable for variable in one.get("env", []) if "valueFrom" in variable]
            mounts = [mount["mountPath"] for mount in one.get("volumeMounts", []) if mount["name"] == "secrets"]
            assert mounts in ([], [deployment.image.environment["CREDENTIALS_DIRECTORY"]])


def test_the_user_of_the_pods_is_that_of_the_image(deployment):
    users = {
        f"{one['securityContext']['runAsUser']}:{one['securityContext']['runAsGroup']}"
        for pod in pods()
        for one in pod["containers"]
        if one["name"] != "proxy"
    }

    assert users == {deployment.image.user}
