"""The programs of docs/httpx-client.md run as they stand, against our servers."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "httpx-client.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
OUTPUT = [
    "{'invoices': []}",
    "\n".join(["{'invoices': []}"] * 5),
    "{'invoices': []}",
    "invalid_scope - The token endpoint refused with 400 invalid_scope",
    "Bearer invoices.read",
]
"""How the output of each program begins."""


@pytest.fixture
def run(nonce_site: Any, keys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """Run a program in a folder that has the client's key; its servers are ours."""
    (tmp_path / "billing.pem").write_bytes(keys("ES256").as_pem())
    monkeypatch.chdir(tmp_path)

    def run(source: str) -> str:
        source = source.replace("https://as.example", nonce_site.issuer).replace("https://api.example", nonce_site.api)
        exec(compile(source, "docs/httpx-client.md", "exec"), {"__name__": "__main__"})
        return str(capsys.readouterr().out)

    return run


@pytest.fixture(autouse=True)
def _client(nonce_site: Any, keys: Any) -> Any:
    jwks = {"keys": [keys("ES256").public_jwk()]}
    with nonce_site.app.app_context():
        nonce_site.oauth.clients.add(
            {"client_id": "billing", "jwks": jwks, "scope": "invoices.read", "default_scope": "invoices.read"}
        )
    yield
    with nonce_site.app.app_context():
        nonce_site.oauth.clients.remove("billing")


def test_every_program_is_known() -> None:
    assert len(PROGRAMS) == len(OUTPUT)


@pytest.mark.parametrize(("source", "begin"), list(zip(PROGRAMS, OUTPUT, strict=False)))
def test_a_program_of_the_page_runs(source: str, begin: str, run: Any) -> None:
    assert run(source).startswith(begin)
