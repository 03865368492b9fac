"""The program, run in this process, and a site for it: our own server and API, with people."""

import pytest
from click.testing import CliRunner

from flask_private_key_jwt.client.command.program import private_key_jwt
from tests.client.code_flow.people import register
from tests.third_party.person import serving_people


@pytest.fixture(scope="module")
def site(tmp_path_factory, keys):
    with serving_people(tmp_path_factory.mktemp("people"), OAUTH2_DPOP_NONCE="required") as site:
        key = keys("ES256", "machine")
        machine = {"client_id": "machine", "scope": "read write", "default_scope": "read", "redirect_uris": []}
        register(site, key, **machine, grant_types=["client_credentials"])
        register(site, client_id="person", scope="openid offline_access read")
        yield site


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("BROWSER", raising=False)


@pytest.fixture
def run():
    """Run a command: ``run("decode", token)``; its result has ``exit_code``, ``stdout`` and ``stderr``."""

    def run(*arguments, stdin="", exits=0):
        result = CliRunner().invoke(private_key_jwt, list(arguments), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exits, result.output
        return result

    return run


@pytest.fixture
def key_file(tmp_path, keys):
    path = tmp_path / "machine.pem"
    path.write_bytes(keys("ES256", "machine").as_pem())
    return path


@pytest.fixture
def as_machine(site, key_file):
    """The options of a client that acts for itself."""
    return ["--issuer", site.issuer, "--client-id", "machine", "--key", str(key_file)]


@pytest.fixture
def as_person(site):
    """The options of a client that acts for a person."""
    return ["--issuer", site.issuer, "--client-id", "person"]
