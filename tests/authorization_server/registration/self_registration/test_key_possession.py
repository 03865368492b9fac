"""Proof that a client holds the keys it registers: a JWT for each new key, in the update that brings it."""

import logging
import secrets

import pytest

from flask_private_key_jwt.authorization_server.stores.sql.registrations import SQLAlchemyRegistrations
from flask_private_key_jwt.jose import jose
from tests.authorization_server.registration.self_registration.answers import assert_refused
from tests.refusals import causes

OFF = {"OAUTH2_REGISTRATION": "token", "OAUTH2_SCOPES": ["read", "write"]}


@pytest.fixture
def settings():
    return {**OFF, "OAUTH2_REGISTRATION_KEY_POSSESSION": "required"}


@pytest.fixture
def new(keys):
    return keys("ES256", "new")


@pytest.fixture
def prove(registered, clock, new):
    """A proof of possession of the new key, changed: ``prove(aud=…, header={…}, key=…)``; ``None`` removes."""

    def prove(key=None, header=None, **changes):
        key = key or new
        claims = {
            "aud": registered["registration_client_uri"],
            "exp": clock.now + 60,
            "jti": secrets.token_urlsafe(12),
            **changes,
        }
        full = {"typ": "key-possession+jwt", "kid": key.public.thumbprint, **(header or {})}
        return jose.sign(
            {name: value for name, value in full.items() if value is not None},
            {name: value for name, value in claims.items() if value is not None},
            key,
        )

    return prove


@pytest.fixture
def patch(manage):
    """Register keys by PATCH, with these proofs."""

    def patch(new_keys, *proofs, **more):
        jwks = {"keys": [key.public_jwk() for key in new_keys]}
        return manage("PATCH", {"jwks": jwks, "key_possession": list(proofs), **more})

    return patch


@pytest.fixture
def assert_unproven(registered, manage, refusals):
    """The update was refused for this reason, and the client is as it was."""

    def assert_unproven(answer, cause, *, says=""):
        assert_refused(answer, "invalid_client_metadata", refusals, cause, says=says)
        assert manage("GET").json == registered

    return assert_unproven


# --- what counts ------------------------------------------------------------------------------------------
def test_new_key_with_a_proof_counts(registered, patch, prove, new, ask_token_as):
    answer = patch([new], prove())

    assert answer.status_code == 200
    assert answer.json["jwks"] == {"keys": [new.public_jwk()]}
    assert "key_possession" not in answer.json
    assert ask_token_as(registered["client_id"], new) == 200


def test_put_carries_proofs_too(registered, manage, prove, new):
    body = {"client_id": registered["client_id"], "jwks": {"keys": [new.public_jwk()]}}

    assert manage("PUT", body).status_code == 400
    assert manage("PUT", {**body, "key_possession": [prove()]}).status_code == 200


@pytest.mark.parametrize("settings", [OFF])
def test_proofs_are_not_looked_at_where_none_are_asked_for(patch, new):
    assert patch([new]).status_code == 200
    assert patch([new], "no proof at all").status_code == 200


def test_registering_needs_no_proof(registered):
    assert "jwks" in registered


def test_key_that_is_registered_needs_no_proof(patch, client_key, manage, keys):
    assert patch([client_key]).status_code == 200
    assert manage("PATCH", {"client_name": "New"}).status_code == 200
    assert manage("PATCH", {"jwks": {"keys": [client_key.public_jwk(kid="renamed")]}}).status_code == 200


def test_only_the_new_one_of_two_keys_needs_a_proof(patch, client_key, new, prove, assert_unproven):
    assert_unproven(patch([client_key, new]), "key_possession_missing")
    assert patch([client_key, new], prove()).status_code == 200


def test_each_new_key_needs_a_proof_of_its_own(patch, new, prove, keys, assert_unproven):
    rsa = keys("PS256", "new")

    says = f"key_possession holds no JWT signed with the new key {rsa.public.thumbprint}"
    assert_unproven(patch([new, rsa], prove()), "key_possession_missing", says=says)
    assert_unproven(patch([new, rsa], prove(), prove(key=new)), "key_possession_missing", says=says)
    assert patch([new, rsa], prove(key=rsa), prove()).status_code == 200


@pytest.mark.parametrize("alg", ["ES384", "PS256", "RS256", "EdDSA", "Ed25519"])
def test_keys_of_every_kind_can_be_proven(patch, prove, keys, alg):
    key = keys(alg, "new")

    assert patch([key], prove(key=key)).status_code == 200


def test_proof_need_not_name_its_key(patch, prove, new):
    assert patch([new], prove(header={"kid": None})).status_code == 200


def test_operator_needs_no_proof(app, oauth, registered, new):
    with app.app_context():
        oauth.clients.update(registered["client_id"], {"jwks": {"keys": [new.public_jwk()]}})


# --- what does not ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("proofs", [None, []])
def test_new_key_without_a_proof_is_refused(manage, new, assert_unproven, proofs):
    answer = manage("PATCH", {"jwks": {"keys": [new.public_jwk()]}, "key_possession": proofs})

    says = f"key_possession holds no JWT signed with the new key {new.public.thumbprint}"
    assert_unproven(answer, "key_possession_missing", says=says)


def test_proof_by_the_old_key_is_none(patch, prove, new, client_key, assert_unproven):
    assert_unproven(patch([new], prove(key=client_key)), "key_possession_missing")


def test_proof_by_another_key_under_the_new_ones_name_is_none(patch, prove, new, keys, assert_unproven):
    forged = prove(key=keys("ES256", "attacker"), header={"kid": new.public.thumbprint})

    assert_unproven(patch([new], forged), "key_possession_missing")


def test_proof_that_names_another_key_is_none(patch, prove, new, assert_unproven):
    assert_unproven(patch([new], prove(header={"kid": "another"})), "key_possession_missing")


@pytest.mark.parametrize("typ", [None, "JWT", "dpop+jwt", "client-authentication+jwt", "key-possession"])
def test_jwt_of_another_type_is_no_proof(patch, prove, new, assert_unproven, typ):
    assert_unproven(patch([new], prove(header={"typ": typ})), "key_possession_typ")


@pytest.mark.parametrize("typ", ["KEY-POSSESSION+JWT", "application/key-possession+jwt"])
def test_type_is_a_media_type(patch, prove, new, typ):
    assert patch([new], prove(header={"typ": typ})).status_code == 200


def test_aud_may_be_a_list_of_one(registered, patch, prove, new):
    assert patch([new], prove(aud=[registered["registration_client_uri"]])).status_code == 200


@pytest.mark.parametrize(
    "aud",
    [
        "https://as.example",
        "https://as.example/oauth2/register",
        "https://as.example/oauth2/register/client",
        "https://as.example/oauth2/register/client?client_id=another",
        [],
    ],
    ids=str,
)
def test_proof_for_another_place_or_client_is_none(patch, prove, new, assert_unproven, aud):
    assert_unproven(patch([new], prove(aud=aud)), "key_possession_aud")


@pytest.mark.parametrize("aud", [5, {}])
def test_proof_for_what_is_no_place_is_none(patch, prove, new, assert_unproven, aud):
    assert_unproven(patch([new], prove(aud=aud)), "key_possession_aud_malformed")
    assert_unproven(patch([new], prove(aud=None)), "key_possession_aud_missing")


def test_proof_with_a_second_audience_is_none(registered, patch, prove, new, assert_unproven):
    aud = [registered["registration_client_uri"], "https://evil.example"]

    assert_unproven(patch([new], prove(aud=aud)), "key_possession_aud")


@pytest.mark.parametrize("exp", ["soon", True, [], {}, 10**400])
def test_proof_without_an_end_is_none(patch, prove, new, assert_unproven, exp):
    assert_unproven(patch([new], prove(exp=None)), "key_possession_exp_missing")
    assert_unproven(patch([new], prove(exp=exp)), "key_possession_exp_not_number")


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(("ahead", "is_good"), [(-100, True), (10, True), (11, False), (62, False)])
def test_proof_whose_time_has_not_come_is_none(name, ahead, is_good, patch, prove, new, clock, assert_unproven):
    answer = patch([new], prove(**{name: clock.now + ahead}))

    if is_good:
        assert answer.status_code == 200
    else:
        assert_unproven(
            answer, "key_possession_not_yet_valid", says=f"key_possession: {name} is in the future, {ahead} s ahead"
        )


@pytest.mark.parametrize(
    ("ahead", "cause", "says"),
    [
        (-10, "key_possession_expired", "key_possession: expired, 10 s ago"),
        (-9, None, ""),
        (310, None, ""),
        (311, "key_possession_lives_too_long", "key_possession: exp is 311 s ahead, more than 300 s"),
    ],
)
def test_proof_lives_now_and_not_for_long(patch, prove, new, clock, assert_unproven, ahead, cause, says):
    answer = patch([new], prove(exp=clock.now + ahead))

    if cause is None:
        assert answer.status_code == 200
    else:
        assert_unproven(answer, cause, says=says)


@pytest.mark.parametrize("jti", ["", 5, "x" * 257, []])
def test_proof_without_a_jti_is_none(patch, prove, new, assert_unproven, jti):
    assert_unproven(patch([new], prove(jti=None)), "key_possession_jti_missing")
    assert_unproven(patch([new], prove(jti=jti)), "key_possession_jti_malformed")


def test_proof_is_used_once(patch, prove, new, client_key, refusals):
    proof = prove()
    assert patch([new], proof).status_code == 200
    assert patch([client_key], prove(key=client_key)).status_code == 200

    answer = patch([new], proof)

    assert_refused(answer, "invalid_client_metadata", refusals, "key_possession_replayed")
    assert patch([new], prove()).status_code == 200


@pytest.mark.parametrize(
    ("seconds", "cause", "says"),
    [
        (59, "key_possession_replayed", "key_possession: jti of the key_possession was used before"),
        (69, "key_possession_replayed", "key_possession: jti of the key_possession was used before"),
        (70, "key_possession_expired", "key_possession: expired, 10 s ago"),
    ],
)
def test_proof_is_known_until_it_is_over(seconds, cause, says, patch, prove, new, client_key, clock, refusals):
    proof = prove()
    assert patch([new], proof).status_code == 200
    assert patch([client_key], prove(key=client_key)).status_code == 200
    clock.move(seconds)

    assert_refused(patch([new], proof), "invalid_client_metadata", refusals, cause, says=says)


def test_proof_is_not_spent_by_an_update_that_is_refused(patch, prove, new):
    proof = prove()

    assert patch([new], proof, scope=5).status_code == 400
    assert patch([new], proof).status_code == 200


def test_proof_is_spent_once_when_the_client_changed_meanwhile(patch, prove, new, monkeypatch):
    replace, answers = SQLAlchemyRegistrations.replace, [False, False]

    def replace_at_third(self, before, after, **options):
        return answers.pop() if answers else replace(self, before, after, **options)

    monkeypatch.setattr(SQLAlchemyRegistrations, "replace", replace_at_third)

    assert patch([new], prove()).status_code == 200


@pytest.mark.parametrize(
    ("proofs", "cause", "says"),
    [
        ("a.b.c", "key_possession_not_a_list", "key_possession is not a list of at most 20 JWTs"),
        ({}, "key_possession_not_a_list", "key_possession is not a list of at most 20 JWTs"),
        ([5], "key_possession_not_a_list", "key_possession is not a list of at most 20 JWTs"),
        ([None], "key_possession_not_a_list", "key_possession is not a list of at most 20 JWTs"),
        (["a.b.c"] * 21, "key_possession_not_a_list", "key_possession is not a list of at most 20 JWTs"),
        (["a.b.c"], "key_possession_not_base64", "key_possession: the header is not"),
        (["not a jwt"], "key_possession_malformed", "key_possession: not a compact JWS"),
        (["\ud800"], "key_possession_malformed", "key_possession: not a compact JWS"),
        (["eyJhbGciOiJub25lIn0.e30."], "key_possession_malformed", "key_possession: not a compact JWS"),
        (["a" * 8193], "key_possession_too_long", "key_possession: longer than 8192 bytes"),
    ],
    ids=range(10),
)
def test_what_is_no_list_of_jwts_is_refused(manage, new, assert_unproven, proofs, cause, says):
    answer = manage("PATCH", {"jwks": {"keys": [new.public_jwk()]}, "key_possession": proofs})

    assert_unproven(answer, cause, says=says)


@pytest.mark.parametrize(
    "settings",
    [{**OFF, "OAUTH2_REGISTRATION_KEY_POSSESSION": "required", "OAUTH2_ASSERTION_SIGNING_ALGS": ["ES256", "PS256"]}],
)
def test_proof_by_an_algorithm_that_is_not_accepted_is_none(patch, prove, new, keys, assert_unproven):
    assert_unproven(patch([new], prove(), prove(key=keys("ES384", "new"))), "key_possession_alg")


def test_proof_by_another_algorithm_than_the_key_is_for_is_none(patch, prove, keys, assert_unproven):
    """The key would verify it: but its owner registers it for one algorithm (RFC 8725 §3.1)."""
    key = keys("PS256", "new")
    other = jose.PrivateKey(key.native, "RS256", key.public)

    says = f"key_possession holds no JWT signed with the new key {key.public.thumbprint}"
    assert_unproven(patch([key], prove(key=other)), "key_possession_missing", says=says)
    assert patch([key], prove(key=key)).status_code == 200


def test_proofs_of_keys_of_another_type_are_passed_over(patch, prove, new, keys):
    others = [prove(key=keys(alg, "other"), header={"kid": None}) for alg in ("RS256", "EdDSA", "ES384")]

    assert patch([new], *others, prove()).status_code == 200


def test_new_jwks_uri_cannot_be_proven(manage, prove, assert_unproven):
    answer = manage("PATCH", {"jwks_uri": "https://keys.example/set", "key_possession": [prove()]})

    assert_unproven(answer, "key_possession_jwks_uri")


def test_jwks_uri_that_is_registered_needs_no_proof_and_keys_by_value_do(app, oauth, registered, manage, prove, new):
    with app.app_context():
        oauth.clients.update(registered["client_id"], {"jwks_uri": "https://keys.example/set"})
    assert manage("PATCH", {"client_name": "New", "jwks_uri": "https://keys.example/set"}).status_code == 200

    body = {"jwks": {"keys": [new.public_jwk()]}}
    assert manage("PATCH", body).status_code == 400
    assert manage("PATCH", {**body, "key_possession": [prove()]}).status_code == 200


def public_metadata(registered, **changes):
    """What the client would have to register to go on without keys, by PUT."""
    public = {"token_endpoint_auth_method": "none", "grant_types": ["authorization_code"]}
    return {"client_id": registered["client_id"], **public, "redirect_uris": ["https://app.example/"], **changes}


def test_client_that_held_keys_cannot_go_on_without(oauth, registered, manage, prove, assert_unproven):
    """Whoever holds its registration access token could otherwise do without the keys altogether."""
    oauth.user(lambda: None)
    oauth.sign_in(lambda page: None)

    assert_unproven(manage("PUT", public_metadata(registered)), "key_possession_dropped")
    assert_unproven(manage("PUT", public_metadata(registered, key_possession=[prove()])), "key_possession_dropped")


@pytest.mark.parametrize("settings", [OFF])
def test_client_may_go_on_without_keys_where_none_have_to_be_proven(oauth, registered, manage):
    oauth.user(lambda: None)
    oauth.sign_in(lambda page: None)

    answer = manage("PUT", public_metadata(registered))

    assert (answer.status_code, answer.json["token_endpoint_auth_method"]) == (200, "none")


def test_proof_is_no_client_assertion(app, registered, patch, prove, new, refusals):
    assert patch([new], prove()).status_code == 200
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": prove(iss=registered["client_id"], sub=registered["client_id"], aud="https://as.example"),
    }

    assert app.test_client().post("/oauth2/token", data=form).json["error"] == "invalid_client"
    assert refusals == ["assertion: typ 'key-possession+jwt' is not absent or client-authentication+jwt or jwt"]
    assert causes(refusals) == ["assertion_typ"]


def test_log_holds_no_proof(patch, prove, new, caplog):
    caplog.set_level(logging.DEBUG)
    good, bad = prove(), prove(aud="https://evil.example")
    patch([new], bad)
    patch([new], good)

    assert good not in caplog.text
    assert bad not in caplog.text
