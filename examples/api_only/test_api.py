"""Tests of the API, without its authorization server and without network."""

import pytest
from api import create_app
from flask import Flask

from flask_private_key_jwt.testing import APIClient, Attack


@pytest.fixture
def app() -> Flask:
    return create_app()


def test_people_see_their_own_invoices(resource_server: APIClient) -> None:
    answer = resource_server.get("/invoices", subject="bob", scope="invoices.read")

    assert answer.json == [{"number": 2, "of": "bob"}]


@pytest.mark.parametrize("dpop", [True, False])
def test_reading_withstands_every_attack(resource_server: APIClient, attack: Attack, dpop: bool) -> None:
    resource_server.get("/invoices", subject="bob", scope="invoices.read", dpop=dpop)

    attack.everything()
    attack.without_scope()


def test_a_bearer_token_deletes_nothing(resource_server: APIClient) -> None:
    assert resource_server.delete("/invoices/1", scope="invoices.write").status_code == 200
    assert resource_server.delete("/invoices/1", scope="invoices.write", dpop=False).status_code == 401
