"""Strangers who name the URLs of other clients, again and again: what they do must cost those clients nothing.

One client of the operator publishes its keys, one is a document. While strangers ask as "the client at" the URL of the
first, register with both URLs as their own, and change that registration to and fro, the first client changes its key
and the second goes on asking for tokens.

    python -m tests.faults.shared_documents
"""

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask_private_key_jwt.jose import jose
from tests.faults.report import report_in_folder
from tests.faults.served import Answer, Caller, Served, call, serving, set_up
from tests.faults.strangers import Site, Strangers, publishing, sign_up
from tests.servers.https_servers import Authority

COOLDOWN_SECONDS = 10
"""``OAUTH2_JWKS_COOLDOWN_SECONDS``: a client's new key is found at the latest after this."""
MARGIN_SECONDS = 5
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Outcome:
    """What the clients saw while the strangers were at work."""

    rotation_seconds: float
    """From the change of the key to the first token for the new one."""
    document_answers: "Counter[int]"
    stranger_answers: "Counter[int]"
    fetched: "Counter[str]"

    def __str__(self) -> str:
        return (
            f"the new key was good after {self.rotation_seconds:.1f} s; the client that is a document got "
            f"{dict(self.document_answers)}; strangers got {dict(self.stranger_answers)}; fetched: {dict(self.fetched)}"
        )


def ask(served: Served, client_id: str, key: jose.PrivateKey) -> Answer:
    """One token request of any client."""
    return call(served.port, "POST", "/oauth2/token", Caller(key, client_id).build_form(scope="read"))


def find_harms(served: Served, site: Site) -> list[Callable[[], Answer]]:
    """What strangers do with the URLs of the two clients."""
    key = jose.generate_private_key("ES256")
    keys_url, document_url = site.url("/jwks.json"), site.url("/client.json")
    at_document, _ = sign_up(served, document_url)
    at_keys, manage = sign_up(served, keys_url)

    def change_and_ask() -> Answer:
        manage({"jwks_uri": site.url("/other.json")})
        manage({"jwks_uri": keys_url})
        return ask(served, at_keys, key)

    return [
        lambda: ask(served, keys_url, key),  # as if the key set were a client
        lambda: ask(served, at_document, key),  # as if the client's document were a key set
        change_and_ask,
    ]


def run(folder: Path) -> Outcome:
    """Let the strangers do what they can, and hold the server to what is promised.

    :raises AssertionError: It is not kept.
    """
    authority = Authority(folder)
    with publishing(authority.server_context("localhost")) as site:
        environment = {
            "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite",
            "FLASK_OAUTH2_REGISTRATION": "open",
            "FLASK_OAUTH2_REGISTRATION_SCOPES": "read",
            "FLASK_OAUTH2_CLIENT_ID_METADATA_DOCUMENTS": "true",
            "FLASK_OAUTH2_CLIENT_ID_HOSTS": "localhost",
            "FLASK_OAUTH2_CLIENT_ID_SCOPES": "read",
            "FLASK_OAUTH2_FETCH_FROM_LOOPBACK": "true",
            "FLASK_OAUTH2_JWKS_HOSTS": '["127.0.0.1", "localhost"]',
            "FLASK_OAUTH2_FETCH_CA_BUNDLE": authority.bundle,
            "FLASK_OAUTH2_JWKS_COOLDOWN_SECONDS": str(COOLDOWN_SECONDS),
        }
        old, new, own = (jose.generate_private_key("ES256") for _ in range(3))
        site.documents["/jwks.json"] = {"keys": [old.public_jwk()]}
        site.documents["/client.json"] = {
            "client_id": site.url("/client.json"),
            "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": ["client_credentials"],
            "jwks": {"keys": [own.public_jwk()]},
        }
        set_up(environment, {"client_id": "victim", "jwks_uri": site.url("/jwks.json"), "scope": "read"})
        with serving("granian", folder, environment) as served:
            assert ask(served, "victim", old).status == 200
            assert ask(served, site.url("/client.json"), own).status == 200
            with Strangers(*find_harms(served, site)) as strangers:
                outcome = _watch(served, site, strangers, (old, new, own))
    return outcome


def _watch(served: Served, site: Site, strangers: Strangers, keys: tuple[jose.PrivateKey, ...]) -> Outcome:
    old, new, own = keys
    time.sleep(1)  # the strangers are at work by then
    site.documents["/jwks.json"] = {"keys": [new.public_jwk()]}
    changed_at, document_answers = time.monotonic(), Counter[int]()
    while ask(served, "victim", new).status != 200:
        waited = time.monotonic() - changed_at
        assert waited < COOLDOWN_SECONDS + MARGIN_SECONDS, f"the new key is refused after {waited:.0f} s"
        document_answers[ask(served, site.url("/client.json"), own).status] += 1
        time.sleep(PAUSE_SECONDS)
    rotation_seconds = time.monotonic() - changed_at
    assert ask(served, "victim", old).status == 400, "the withdrawn key goes on working"
    assert set(document_answers) <= {200}, f"the client that is a document got {dict(document_answers)}"
    answers = Counter(answer.status for answer in strangers.answers)
    assert 200 not in answers, f"strangers got {dict(answers)}"
    # Each of the three kinds of document is fetched once in a cool-down at the most, whoever asks.
    most = 3 * (2 + (rotation_seconds + 2) // COOLDOWN_SECONDS)
    assert max(site.fetched.values()) <= most, f"fetched {dict(site.fetched)}, and at most {most} are due"
    return Outcome(rotation_seconds, document_answers, answers, site.fetched)


if __name__ == "__main__":
    sys.exit(0 if report_in_folder(run) else 1)
