"""The wheel in an empty environment: it starts, its types are understood, and its pytest plugin is found."""

import re
import subprocess
import sys
from pathlib import Path

from tests.checkout import CHECKOUT
from tests.documentation.walk import Walk
from tests.examples.readme import Run
from tests.package.conftest import environment
from tests.test_public_names import MODULES

USER = """
from typing import Any

import flask
from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token
from flask_private_key_jwt.client import PrivateKeyJWTAuth, Token, TokenClient
from flask_private_key_jwt.signals import request_refused
from flask_private_key_jwt.testing import APIClient
from flask_sqlalchemy import SQLAlchemy

oauth = PrivateKeyJWT(SQLAlchemy())
require_oauth = ResourceProtector()


@oauth.token_policy
def add_tenant(client: Any, request: Any, grant: Any) -> dict[str, str]:
    return {"tenant": "north"}


@require_oauth("read", dpop="required")
def view(number: int) -> flask.Response:
    reveal_type(current_token)
    return flask.jsonify(current_token["client_id"])


reveal_type(view)
reveal_type(oauth.clients.get("a").client_id)
reveal_type(TokenClient("https://as.example", "a", key="a.pem").request_token())


def test(resource_server: APIClient) -> None:
    reveal_type(resource_server.get("/", scope="read").status_code)
"""
REVEALED = [
    "typing.Mapping[str, Any]",
    "def (number: int) -> flask.wrappers.Response",
    "str",
    "flask_private_key_jwt.client.token.Token",
    "int",
]


def run(python: Path, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), *words],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_the_environment_is_consistent_and_does_not_see_the_checkout(clean_python, tmp_path):
    checked = run(Path(sys.executable), tmp_path, "-m", "pip", "--python", str(clean_python), "check")
    assert checked.returncode == 0, checked.stdout

    where = run(clean_python, tmp_path, "-c", "import flask_private_key_jwt as it; print(it.__file__)").stdout
    assert where.startswith(str(clean_python.parents[1]))


def test_every_public_name_is_there_or_says_which_extra_it_needs(clean_python, tmp_path):
    program = f"""
from importlib import import_module
for module in map(import_module, {MODULES}):
    for name in module.__all__:
        try:
            getattr(module, name)
        except ModuleNotFoundError as error:
            print(name, error.name)
"""
    finished = run(clean_python, tmp_path, "-c", program)

    assert finished.returncode == 0, finished.stderr
    missing = {line.split()[1] for line in finished.stdout.splitlines()}
    assert missing <= {"httpx", "anyio", "starlette", "fastapi", "quart", "prometheus_client", "opentelemetry"}


def test_the_command_is_installed(clean_python, tmp_path):
    finished = run(clean_python.with_name("private-key-jwt"), tmp_path, "keygen", "--out", "billing")

    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "billing.pem").exists()


def test_mypy_understands_an_application(tmp_path):
    """With the types of the checkout, which mypy knows from ``make check``: the wheel has the same files."""
    file = tmp_path / "user.py"
    file.write_text(USER)
    finished = run(Path(sys.executable), CHECKOUT, "-m", "mypy", "--no-error-summary", str(file))

    revealed = re.findall(r'note: Revealed type is "(.*)"$', finished.stdout, re.M)
    assert finished.returncode == 0, finished.stdout
    assert [kind.replace("builtins.", "") for kind in revealed] == REVEALED


def test_the_commands_of_an_example_work_with_the_wheel(clean_python, tmp_path):
    """One of them is pytest, which finds the plugin by itself here."""
    example = Run(tmp_path, "one_app", python=clean_python)

    printed = example.run()

    assert all(shown in printed for shown in example.shown)


def test_the_readme_works_from_top_to_bottom_with_the_wheel(clean_python, dist, tmp_path, monkeypatch):
    """Nothing is left out: the environment, the installation, the secret, the programs."""
    monkeypatch.setenv("PIP_CACHE_DIR", str(Path("~/.cache/pip").expanduser()))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)

    with Walk("README.md", tmp_path, installs=next(dist.glob("*.whl"))) as walk:
        where = walk.run("cd /; python -c 'import flask_private_key_jwt as it; print(it.__file__)'")

    assert where.startswith(str(tmp_path))


def test_a_suite_that_uses_no_fixture_loads_nothing_of_the_package(clean_python, tmp_path):
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    assert 'flask' not in sys.modules and 'sqlalchemy' not in sys.modules\n"
        "    assert 'flask_private_key_jwt.testing.plugin' in sys.modules\n"
        "    assert 'flask_private_key_jwt.clock' not in sys.modules\n"
    )

    finished = run(clean_python, tmp_path, "-m", "pytest", "-q", "-W", "error")

    assert finished.returncode == 0, finished.stdout
