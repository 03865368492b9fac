"""Several workers are one server: what one of them has seen, all have."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_private_key_jwt.client import build_client_assertion, load_key
from flask_private_key_jwt.client.assertion import ASSERTION_TYPE
from flask_private_key_jwt.client.proofs import Prover
from flask_private_key_jwt.fetching.exchange import exchange
from flask_private_key_jwt.jose import jose

SENDS = 20


def form(assertion: str, scope: str) -> list[tuple[str, str]]:
    return [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ]


def assertion_of(demo, client_id: str, alg: str) -> str:
    key = load_key(demo.folder / "keys" / f"{client_id}.pem", alg=alg)
    return build_client_assertion(client_id, demo.issuer, key=key)


def send_at_once(url: str, **request: object) -> list[int]:
    """The statuses of the same request, sent many times in parallel."""
    method = "POST" if "form" in request else "GET"
    with ThreadPoolExecutor(SENDS) as pool:
        sent = [pool.submit(exchange, method, url, timeout=30, **request) for _ in range(SENDS)]
        return sorted(future.result().status for future in sent)


@pytest.mark.parametrize("kind", ["granian", "gunicorn"])
def test_one_assertion_sent_twenty_times_at_once_succeeds_once(demo, kind):
    with demo.serving(kind, "demo.token_server", demo.as_port):
        assertion = assertion_of(demo, "mobile-client", "ES256")
        statuses = send_at_once(f"{demo.issuer}/oauth2/token", form=form(assertion, "mobile"))

    assert statuses == [200] + [400] * (SENDS - 1)


@pytest.mark.parametrize("kind", ["granian", "gunicorn"])
def test_one_proof_sent_twenty_times_at_once_succeeds_once(demo, kind):
    prover = Prover(jose.generate_private_key("ES256"))
    with (
        demo.serving("flask", "demo.token_server", demo.as_port),
        demo.serving(kind, "demo.resource_server", demo.api_port),
    ):
        token_url, url = f"{demo.issuer}/oauth2/token", f"{demo.api}/dpop/values"
        proof = prover.prove(method="POST", url=token_url)
        assertion = assertion_of(demo, "mobile-dpop-client", "PS256")
        answer = exchange("POST", token_url, timeout=30, form=form(assertion, "scope-dpop"), headers={"DPoP": proof})
        token = jose.load_json_object(answer.body, "answer")["access_token"]
        proof = prover.prove(method="GET", url=url, access_token=token)
        statuses = send_at_once(url, headers={"Authorization": f"DPoP {token}", "DPoP": proof})

    assert statuses == [200] + [401] * (SENDS - 1)


def test_many_assertions_at_once_all_succeed(demo):
    with demo.serving("granian", "demo.token_server", demo.as_port), ThreadPoolExecutor(SENDS) as pool:
        forms = [form(assertion_of(demo, "mobile-client", "ES256"), "mobile") for _ in range(SENDS)]
        url = f"{demo.issuer}/oauth2/token"
        sent = [pool.submit(exchange, "POST", url, timeout=30, form=each) for each in forms]

        assert {future.result().status for future in sent} == {200}
