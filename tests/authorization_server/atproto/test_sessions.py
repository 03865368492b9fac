"""Sessions under the profile: how they begin, whom they are about, who goes on with them, and when they end."""

import json

import pytest

from flask_private_key_jwt.authorization_server.grants.atproto import is_did
from flask_private_key_jwt.signals import grant_revoked
from tests.authorization_server.atproto.conftest import ALICE, BOB, CALLBACK, CLIENT, SCOPE
from tests.conftest import INVALID_CLIENT, ISSUER, TOKEN_URL
from tests.refusals import causes
from tests.servers.https_servers import answer

DAY = 86400
INVALID_GRANT = {"error": "invalid_grant", "error_description": "The grant is invalid, expired or revoked."}


def assert_refused(answer, refusals, cause, *, error=INVALID_GRANT):
    assert (answer.status_code, answer.json) == (400, error)
    assert causes(refusals) == [cause], refusals


# --- how they begin ---------------------------------------------------------------------------------------------
def test_tokens_name_the_account_and_the_scope_and_there_is_no_id_token(client):
    tokens = client.sign_in()

    assert (tokens["sub"], tokens["scope"], tokens["token_type"]) == (ALICE, SCOPE, "DPoP")
    assert tokens["expires_in"] == 300
    assert sorted(tokens) == ["access_token", "expires_in", "refresh_token", "scope", "sub", "token_type"]


def test_refreshed_tokens_name_the_account_too(client):
    assert client.refresh(client.sign_in()).json["sub"] == ALICE


def test_answer_says_which_server_it_is_from_and_repeats_the_state(client, browser):
    browser.sign_in(ALICE)
    answer = client.answer_of(client.open(client.push(state="the state")))

    assert (answer["iss"], answer["state"]) == (ISSUER, "the state")


def test_client_that_may_not_refresh_gets_no_refresh_token(client, publish):
    publish(grant_types=["authorization_code"])

    assert "refresh_token" not in client.sign_in()


def test_code_is_for_the_key_that_pushed_the_request(client, keys, refusals):
    code = client.get_code()
    stolen = client.prove("https://as.example/oauth2/token", key=keys("ES256", "thief"))

    assert_refused(client.redeem(code, proof=stolen), refusals, "code_key_mismatch")
    assert client.redeem(code).status_code == 200


def test_client_gets_no_token_for_itself(client, publish, refusals):
    publish(grant_types=["authorization_code", "client_credentials"])
    answer = client.send("/oauth2/token", TOKEN_URL, {"grant_type": "client_credentials", "scope": "atproto"})

    assert answer.json["error"] == "unauthorized_client"
    assert causes(refusals) == ["grant_type_not_registered"]


# --- whom they are about -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", [ALICE, "did:web:alice.example", "did:web:localhost%3A3000", "did:key:zQ3shW-._:x"])
def test_did_is_a_method_and_an_identifier(text):
    assert is_did(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "alice", "did:plc", "did:plc:", "did:PLC:abc", "did:web2:abc", "did:web:a:", "did:web:a%", "did:web:a b"),
        *("did:web:a/b", "did:web:a#b", "did:web:a\n", "DID:web:a", " did:web:a", "did:web:ä", "did:web:" + "x" * 248),
    ],
)
def test_anything_else_is_no_did(text):
    assert not is_did(text)


def test_person_whose_id_is_no_did_is_not_asked_and_the_request_stays_open(client, browser, refusals):
    browser.sign_in("alice")
    pushed = client.push()
    page = client.open(pushed)

    assert page.status_code == 403
    assert "This account cannot be used here" in page.text
    assert causes(refusals) == ["subject_not_did"]
    browser.sign_in(BOB)
    assert client.redeem(client.answer_of(client.open(pushed))["code"]).json["sub"] == BOB


def test_application_may_say_the_did_with_a_function_of_its_own(client, people, refusals):
    @people.did
    def find_did(user):
        return {"alice": ALICE}.get(user.get_id(), "nobody")

    assert client.sign_in(account="alice")["sub"] == ALICE
    client.browser.sign_in("mallory")
    assert client.open(client.push()).status_code == 403
    assert causes(refusals) == ["subject_not_did"]


def test_session_from_before_the_profile_ends_if_its_account_has_no_did(client, app, refusals):
    tokens = client.sign_in()
    with app.app_context():
        db = app.extensions["sqlalchemy"]
        db.session.execute(db.text("UPDATE oauth2_refresh_token SET subject = 'alice'"))
        db.session.commit()

    assert_refused(client.refresh(tokens), refusals, "subject_not_did")


# --- who goes on with them ---------------------------------------------------------------------------------------
def test_refresh_token_is_used_once(client, refusals, clock):
    tokens = client.sign_in()
    newer = client.refresh(tokens).json
    assert client.refresh(newer).status_code == 200

    assert_refused(client.refresh(tokens), refusals, "refresh_token_reused")


def test_refresh_is_with_the_dpop_key_of_the_session(client, keys, refusals):
    tokens = client.sign_in()
    foreign = client.prove("https://as.example/oauth2/token", key=keys("ES256", "thief"))

    assert_refused(client.refresh(tokens, proof=foreign), refusals, "refresh_token_key_mismatch")
    assert client.refresh(tokens).status_code == 200


def test_refresh_is_with_the_client_key_of_the_session(client, publish, keys, client_key, refusals):
    new_key = keys("ES256", "new")
    publish(jwks={"keys": [client_key.public_jwk(), new_key.public_jwk()]})
    tokens = client.sign_in()

    assert_refused(client.refresh(tokens, key=new_key), refusals, "client_key_changed")
    assert client.refresh(tokens).status_code == 200


def test_code_is_redeemed_with_the_client_key_that_pushed_the_request(client, publish, keys, client_key, refusals):
    new_key = keys("ES256", "new")
    publish(jwks={"keys": [client_key.public_jwk(), new_key.public_jwk()]})
    code = client.get_code()

    assert_refused(client.redeem(code, key=new_key), refusals, "client_key_changed")
    assert client.redeem(code).status_code == 200


def test_new_session_may_begin_with_the_new_key(client, publish, keys, client_key):
    new_key = keys("ES256", "new")
    publish(jwks={"keys": [client_key.public_jwk(), new_key.public_jwk()]})
    tokens = client.sign_in(key=new_key)

    assert client.refresh(tokens, key=new_key).status_code == 200


@pytest.mark.parametrize("signed_by", ["the removed key", "the new key"])
def test_session_ends_when_its_client_key_is_gone_and_does_not_come_back_with_it(
    client, publish, keys, client_key, refusals, clock, signed_by
):
    new_key = keys("ES256", "new")
    publish(jwks={"keys": [client_key.public_jwk(), new_key.public_jwk()]})
    tokens = client.sign_in()
    publish(jwks={"keys": [new_key.public_jwk()]})
    clock.move(600)

    if signed_by == "the removed key":
        assert_refused(client.refresh(tokens), refusals, "assertion_no_key", error=INVALID_CLIENT)
    else:
        assert_refused(client.refresh(tokens, key=new_key), refusals, "client_key_removed")
    publish(jwks={"keys": [client_key.public_jwk(), new_key.public_jwk()]})
    clock.move(600)
    refusals.clear()
    assert_refused(client.refresh(tokens), refusals, "refresh_token_unknown")


@pytest.fixture
def publish_keys(publish, network, serve, authority):
    """Put the client's keys at a URL that the document names."""
    network.names["keys.other.example"] = [["93.184.215.99"]]
    server = serve(authority.server_context("keys.other.example"), address="93.184.215.99")
    publish(jwks=None, jwks_uri="https://keys.other.example/jwks.json")

    def publish_keys(*keys):
        server.pieces = answer(json.dumps({"keys": [key.public_jwk() for key in keys]}).encode())

    return publish_keys


def test_same_holds_for_keys_at_a_url(client, publish_keys, keys, client_key, refusals, clock):
    new_key = keys("ES256", "new")
    publish_keys(client_key, new_key)
    tokens = client.sign_in()
    assert_refused(client.refresh(tokens, key=new_key), refusals, "client_key_changed")
    publish_keys(new_key)
    clock.move(600)
    refusals.clear()

    assert_refused(client.refresh(tokens, key=new_key), refusals, "client_key_removed")


def test_request_that_nobody_signed_ends_no_session_whose_key_is_there(client, build_client, keys, refusals):
    tokens = client.sign_in()
    assert_refused(
        client.refresh(tokens, key=keys("ES256", "thief")), refusals, "assertion_no_key", error=INVALID_CLIENT
    )
    refusals.clear()
    unsigned = build_client(public=True).refresh(tokens)
    assert_refused(unsigned, refusals, "assertion_missing", error=INVALID_CLIENT)

    assert client.refresh(tokens).status_code == 200


def test_session_outlives_a_document_that_cannot_be_had_for_a_while(client, site, publish, refusals, clock):
    tokens = client.sign_in()
    site.pieces = answer(b"", status="500 Oh")
    clock.move(60 + 3601)
    assert_refused(client.refresh(tokens), refusals, "client_unknown", error=INVALID_CLIENT)
    publish()
    clock.move(60)

    assert client.refresh(tokens).status_code == 200


@pytest.fixture
def ended(app):
    """Why sessions were ended, and whose, in order."""
    told = []

    def note(sender, *, client_id, subject, because, grant_id):
        told.append((client_id, subject, because))

    with grant_revoked.connected_to(note, sender=app):
        yield told


@pytest.mark.parametrize("signed_by", ["the removed key", "the new key"])
def test_end_of_a_session_whose_client_key_is_gone_is_told(client, publish, keys, client_key, clock, ended, signed_by):
    new_key = keys("ES256", "new")
    publish(jwks={"keys": [client_key.public_jwk(), new_key.public_jwk()]})
    tokens = client.sign_in()
    assert ended == []
    publish(jwks={"keys": [new_key.public_jwk()]})
    clock.move(600)

    client.refresh(tokens, key=None if signed_by == "the removed key" else new_key)
    assert ended == [(CLIENT, ALICE, "client_key_removed")]


def test_end_of_a_session_that_goes_on_is_not_told(client, keys, ended):
    tokens = client.sign_in()
    client.refresh(tokens, key=keys("ES256", "thief"))
    client.refresh(tokens)

    assert ended == []


def test_session_that_began_with_a_key_does_not_go_on_without(client, publish, build_client, refusals, clock):
    tokens = client.sign_in()
    publish(token_endpoint_auth_method="none", token_endpoint_auth_signing_alg=None, jwks=None)
    clock.move(600)

    assert_refused(build_client(public=True).refresh(tokens), refusals, "client_key_removed")


def test_scope_may_shrink_but_never_below_atproto(client, refusals):
    tokens = client.sign_in()

    answer = client.refresh(tokens, scope="transition:generic")
    assert (answer.json["error"], causes(refusals)) == ("invalid_scope", ["scope_without_atproto"])
    assert client.refresh(tokens, scope="atproto").json["scope"] == "atproto"


# --- public clients ----------------------------------------------------------------------------------------------
@pytest.fixture
def public_client(publish, build_client):
    """A public client at the same document."""
    publish(token_endpoint_auth_method="none", token_endpoint_auth_signing_alg=None, jwks=None)
    return build_client(public=True)


def test_client_gets_no_token_that_no_person_allowed(publish, client, refusals):
    publish(grant_types=["authorization_code", "refresh_token", "client_credentials"])
    form = {"grant_type": "client_credentials", "scope": SCOPE}

    assert client.send("/oauth2/token", TOKEN_URL, form).json["error"] == "unauthorized_client"
    assert causes(refusals) == ["grant_type_not_registered"]
    assert client.sign_in()["sub"] == ALICE


def test_public_client_gets_the_same_tokens(public_client):
    tokens = public_client.sign_in()

    assert (tokens["sub"], tokens["token_type"], tokens["scope"]) == (ALICE, "DPoP", SCOPE)
    assert public_client.refresh(tokens).json["sub"] == ALICE


def test_document_without_a_method_is_that_of_a_public_client(publish, build_client):
    publish(token_endpoint_auth_method=None, token_endpoint_auth_signing_alg=None, jwks=None)

    assert build_client(public=True).sign_in()["sub"] == ALICE


def test_public_client_pushes_with_a_proof_too(public_client, refusals):
    answer = public_client.push(proof=False)

    assert answer.json["error"] == "invalid_request"
    assert causes(refusals) == ["proof_missing"]


def test_person_is_asked_each_time_for_a_public_client(public_client):
    public_client.get_code()

    assert public_client.open(public_client.push()).status_code == 200
    silent = public_client.open(public_client.push(prompt="none"))
    assert "error=consent_required" in silent.headers["Location"]


def test_session_that_began_without_a_key_does_not_go_on_with_one(public_client, publish, client, refusals, clock):
    tokens = public_client.sign_in()
    publish()
    clock.move(600)

    assert_refused(client.refresh(tokens), refusals, "client_key_changed")


def test_session_of_a_public_client_lasts_two_weeks_however_often_it_is_refreshed(public_client, refusals, clock):
    tokens = public_client.sign_in()
    for _ in range(13):
        clock.move(DAY)
        tokens = public_client.refresh(tokens).json
    clock.move(DAY)

    assert_refused(public_client.refresh(tokens), refusals, "refresh_token_expired")


# --- when they end -----------------------------------------------------------------------------------------------
def test_refresh_token_of_a_confidential_client_lives_180_days_unused(client, refusals, clock):
    tokens = client.sign_in()
    clock.move(180 * DAY - 1)
    tokens = client.refresh(tokens).json
    clock.move(180 * DAY)

    assert_refused(client.refresh(tokens), refusals, "refresh_token_expired")


def test_access_token_ends_the_session_when_it_is_revoked(client, refusals, ended):
    tokens = client.sign_in()
    assert client.revoke(tokens["access_token"]).status_code == 200

    assert ended == [(CLIENT, ALICE, "client")]
    assert_refused(client.refresh(tokens), refusals, "refresh_token_unknown")


def test_so_does_an_access_token_that_has_expired(client, refusals, clock):
    tokens = client.sign_in()
    clock.move(2 * DAY)
    assert client.revoke(tokens["access_token"]).status_code == 200

    assert_refused(client.refresh(tokens), refusals, "refresh_token_unknown")


def test_one_session_ends_without_the_other(client):
    first, second = client.sign_in(), client.sign_in()
    client.revoke(first["access_token"])

    assert client.refresh(second).status_code == 200


def test_client_and_callback_of_these_tests_are_one_site():
    assert CALLBACK.startswith(CLIENT.rpartition("/")[0])
