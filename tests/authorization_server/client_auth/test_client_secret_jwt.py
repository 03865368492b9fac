"""client_secret_jwt: every rule of an assertion holds, and a public key is never a secret."""

import base64
import json
import secrets as random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flask_private_key_jwt.errors import InvalidClientMetadata
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.signatures import verify_mac
from tests.authorization_server.client_auth.conftest import PASSWORD, SECONDS_UNTIL, UNTIL
from tests.conftest import CLIENT_ID, INVALID_CLIENT, INVALID_REQUEST, ISSUER, TOKEN_URL, build_claims
from tests.jose.mac import sign_mac
from tests.refusals import causes

LONG = "0123456789abcdef" * 4
"""64 octets: enough for every hash."""
METHOD = "client_secret_jwt"
OTHER = "another secret, which is long enough too"


@pytest.fixture
def settings():
    return {"OAUTH2_CLIENT_SECRETS_UNTIL": UNTIL}


@pytest.fixture
def build_mac(clock):
    """``build_mac(secret=…, alg=…, header={…}, aud=…)``: a valid assertion but for what is given."""

    def build(*, secret=LONG, alg="HS256", header=None, **claims):
        return sign_mac({"alg": alg, **(header or {})}, build_claims(clock.now, **claims), secret)

    return build


@pytest.fixture
def ask(app, client, build_mac):
    def ask(assertion=None, path="token", **form):
        fields = {
            **({"grant_type": "client_credentials"} if path == "token" else {}),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": build_mac() if assertion is None else assertion,
            **form,
        }
        headers = fields.pop("headers", {})
        return app.test_client().post(f"/oauth2/{path}", data=fields, headers=headers)

    return ask


@pytest.fixture
def given(client, give):
    return give(secret=LONG, method=METHOD)


def assert_refused(answer, refusals, cause):
    assert (answer.status_code, answer.json) == (400, INVALID_CLIENT)
    assert causes(refusals) == [cause], refusals
    assert LONG not in str(refusals)


# --- algorithms and lengths --------------------------------------------------------------------------------
@pytest.mark.parametrize(("alg", "octets"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_secret_as_long_as_the_hash_is_accepted(alg, octets, client, give, ask, build_mac, refusals):
    secret = LONG[:octets]
    give(secret=secret, method=METHOD, alg=alg)

    assert ask(build_mac(secret=secret, alg=alg)).status_code == 200
    assert refusals == []


@pytest.mark.parametrize(("alg", "octets"), [("HS256", 31), ("HS384", 47), ("HS512", 63)])
def test_shorter_secret_is_not_given(alg, octets, client, give):
    with pytest.raises(InvalidClientMetadata) as refused:
        give(secret=LONG[:octets], method=METHOD, alg=alg)

    assert refused.value.cause == "client_secret_too_short"
    assert refused.value.reason == f"client secret: the secret has {octets} octets, and {alg} needs {octets + 1}"


def test_octets_count_and_not_characters(client, give, ask, build_mac):
    secret = "ü" * 16
    give(secret=secret, method=METHOD)

    assert ask(build_mac(secret=secret)).status_code == 200


def test_oct_key_is_its_octets(client, give, ask, build_mac, refusals):
    octets = bytes(range(1, 65))
    jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(octets).rstrip(b"=").decode(), "alg": "HS512", "kid": "one"}
    give(secret=jwk, method=METHOD)

    assert ask(build_mac(secret=octets, alg="HS512")).status_code == 200
    assert ask(build_mac(secret=octets, alg="HS512", header={"kid": "one"})).status_code == 200
    assert_refused(ask(build_mac(secret=octets, alg="HS512", header={"kid": "two"})), refusals, "assertion_no_key")


def test_oct_key_may_be_given_as_text(client, give, ask, build_mac):
    octets = bytes(range(32))
    give(secret=json.dumps({"kty": "oct", "k": base64.urlsafe_b64encode(octets).decode().rstrip("=")}), method=METHOD)

    assert ask(build_mac(secret=octets)).status_code == 200


def test_short_oct_key_is_not_given(client, give):
    jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(b"x" * 31).decode().rstrip("=")}
    with pytest.raises(InvalidClientMetadata) as refused:
        give(secret=jwk, method=METHOD)

    assert refused.value.cause == "client_secret_too_short"


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
def test_key_decides_the_algorithm(alg, given, ask, build_mac, refusals):
    assert_refused(ask(build_mac(alg=alg)), refusals, "assertion_no_key")
    assert ask().status_code == 200


@pytest.mark.parametrize("alg", ["none", "hs256", "HS1", "HS256 "])
def test_unknown_algorithm_is_refused(alg, given, ask, build_mac, refusals):
    header, payload, signature = build_mac().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": alg}).encode()).rstrip(b"=").decode()

    assert_refused(ask(f"{header}.{payload}.{signature}"), refusals, "assertion_alg")


# --- secrets and public keys are never confused --------------------------------------------------------------
def forms_of(key):
    native = key.native.public_key
    pem = native.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = native.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "PEM": pem,
        "PEM without a line break": pem.strip(),
        "DER": der,
        "base64": base64.b64encode(der),
        "OpenSSH": native.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "JWK": json.dumps(key.public_jwk()).encode(),
        "JWK without blanks": json.dumps(key.public.jwk, separators=(",", ":")).encode(),
        "JWK Set": json.dumps({"keys": [key.public_jwk()]}).encode(),
        "thumbprint": key.public.thumbprint.encode(),
    }


FORMS = ["PEM", "PEM without a line break", "DER", "base64", "OpenSSH", "JWK", "JWK without blanks", "JWK Set"]


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("form", [*FORMS, "thumbprint"])
def test_public_key_of_the_client_is_no_secret(form, alg, given, ask, build_mac, client_key, refusals):
    forged = build_mac(secret=forms_of(client_key)[form], alg=alg, header={"kid": client_key.public.thumbprint})

    assert ask(forged).json == INVALID_CLIENT
    assert refusals[0].cause in ("assertion_signature", "assertion_no_key")


@pytest.mark.parametrize("kind", ["ES256", "RS256", "EdDSA"])
@pytest.mark.parametrize("form", [form for form in FORMS if form != "DER"])
@pytest.mark.parametrize("method", [METHOD, "client_secret_basic"])
def test_public_key_is_not_given_as_a_secret(method, form, kind, client, give, keys):
    with pytest.raises(InvalidClientMetadata) as refused:
        give(secret=forms_of(keys(kind))[form].decode(), method=method)

    causes = {"client_secret_is_a_key"} | ({"client_secret_kty"} if "JWK" in form else set())
    assert refused.value.cause in causes | {"client_secret_characters", "client_secret_length"}


@pytest.mark.parametrize("form", FORMS)
def test_public_key_in_an_oct_key_is_not_given_as_a_secret(form, client, give, keys):
    octets = forms_of(keys("RS256"))[form]
    with pytest.raises(InvalidClientMetadata) as refused:
        give(secret={"kty": "oct", "k": base64.urlsafe_b64encode(octets).decode().rstrip("=")}, method=METHOD)

    assert refused.value.cause == "client_secret_is_a_key"


def test_random_secret_that_begins_like_json_is_given(client, give, ask, build_mac):
    octets = b"{" + random.token_bytes(31)
    give(secret={"kty": "oct", "k": base64.urlsafe_b64encode(octets).decode().rstrip("=")}, method=METHOD)

    assert ask(build_mac(secret=octets)).status_code == 200


@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "EdDSA"])
def test_header_of_a_public_key_with_the_mac_of_the_secret_is_refused(alg, given, ask, build_mac, refusals):
    payload = build_mac().split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps({"alg": alg}).encode()).rstrip(b"=").decode()
    signed = sign_mac({"alg": alg}, {}, LONG).split(".")[2]

    answer = ask(f"{head}.{payload}.{signed}")

    assert answer.json == INVALID_CLIENT
    assert refusals[0].cause in ("assertion_signature", "assertion_no_key")


def test_key_of_the_client_signs_and_names_an_hmac_in_vain(given, ask, build_assertion, refusals):
    _, payload, signature = build_assertion().split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode()

    assert_refused(ask(f"{head}.{payload}.{signature}"), refusals, "assertion_signature")


@pytest.mark.parametrize("settings", [{}, {"OAUTH2_CLIENT_SECRETS_UNTIL": UNTIL}])
def test_oct_key_is_refused_in_a_registration(client, app, oauth, settings):
    jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("="), "alg": "HS256"}
    with app.app_context(), pytest.raises(InvalidClientMetadata) as refused:
        oauth.clients.add({"client_id": "other", "jwks": {"keys": [jwk]}})

    assert refused.value.cause == "jwks_private"


def test_oct_key_beside_a_public_one_is_refused(client, app, oauth, client_key):
    jwk = {"kty": "oct", "k": "eHh4", "alg": "HS256"}
    with app.app_context(), pytest.raises(InvalidClientMetadata) as refused:
        oauth.clients.add_keys(CLIENT_ID, {"keys": [jwk]})

    assert refused.value.cause == "jwks_private"


def test_mac_is_verified_with_the_algorithm_of_the_key_only():
    key = jose.import_symmetric_key(LONG, alg="HS512")
    jwt = jose.parse(sign_mac({"alg": "HS512"}, {"a": 1}, LONG), max_bytes=4096)
    other = jose.parse(sign_mac({"alg": "HS256"}, {"a": 1}, LONG), max_bytes=4096)

    assert verify_mac(jwt, key)
    assert not verify_mac(other, key)
    assert LONG not in repr(key)


@pytest.mark.parametrize("kid", ["HS256", 'a"HS256', "HS"])
def test_key_whose_name_begins_like_an_hmac_signs_as_ever(kid, app, oauth, client_key, ask, build_assertion, refusals):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"jwks": {"keys": [client_key.public_jwk(kid=kid)]}})

    assert ask(build_assertion(header={"kid": kid})).status_code == 200


# --- every rule of an assertion -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"iss": None}, "assertion_iss_missing"),
        ({"sub": None}, "assertion_sub_missing"),
        ({"iss": "other"}, "assertion_iss_not_sub"),
        ({"iss": "nobody", "sub": "nobody"}, "client_unknown"),
        ({"aud": None}, "assertion_aud_missing"),
        ({"aud": TOKEN_URL}, "assertion_aud"),
        ({"aud": [ISSUER, TOKEN_URL]}, "assertion_aud_not_one"),
        ({"aud": "https://evil.example"}, "assertion_aud"),
        ({"exp": None}, "assertion_exp_missing"),
        ({"exp": "soon"}, "assertion_exp_not_number"),
        ({"exp": 1}, "assertion_expired"),
        ({"exp": 4_000_000_000}, "assertion_lives_too_long"),
        ({"iat": 4_000_000_000}, "assertion_not_yet_valid"),
        ({"nbf": 4_000_000_000}, "assertion_not_yet_valid"),
        ({"jti": None}, "assertion_jti_missing"),
        ({"jti": "x" * 257}, "assertion_jti_malformed"),
        ({"response_type": "code"}, "assertion_response_type"),
        ({"header": {"typ": "dpop+jwt"}}, "assertion_typ"),
        ({"header": {"crit": ["x"]}}, "assertion_crit"),
        ({"secret": OTHER}, "assertion_signature"),
    ],
)
@pytest.mark.parametrize("path", ["token", "introspect", "revoke"])
def test_wrong_assertion_is_refused_and_spends_nothing(path, change, cause, given, ask, build_mac, refusals):
    form = {} if path == "token" else {"token": "x"}
    wrong = build_mac(**{"jti": "one", **change})

    assert ask(wrong, path, **form).json == INVALID_CLIENT
    assert causes(refusals) == [cause], refusals
    assert ask(build_mac(jti="one"), path, **form).status_code == 200


def test_jti_is_used_once_at_all_endpoints(given, ask, build_mac, refusals):
    assertion = build_mac()
    assert ask(assertion).status_code == 200

    assert ask(assertion).json == INVALID_CLIENT
    assert ask(assertion, "introspect", token="x").json == INVALID_CLIENT
    assert causes(refusals) == ["assertion_replayed"] * 2


def test_jti_of_a_secret_and_of_a_key_are_one_space(given, ask, build_mac, build_assertion, refusals):
    """One client, one server, one use, whatever signs."""
    assert ask(build_mac(jti="one")).status_code == 200

    assert_refused(ask(build_assertion(jti="one")), refusals, "assertion_replayed")


def test_compatibility_client_may_name_the_endpoint_and_live_for_an_hour(
    app, oauth, given, ask, build_mac, clock, refusals
):
    assertion = {"aud": TOKEN_URL, "exp": clock.now + 3600}
    assert_refused(ask(build_mac(**assertion)), refusals, "assertion_aud")
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"assertion_audience": "compatibility"})

    assert ask(build_mac(**assertion)).status_code == 200


@pytest.mark.parametrize("form", [{"client_secret": PASSWORD}, {"headers": {"Authorization": "Basic Y29uc29sZTp4"}}])
def test_second_way_of_authenticating_is_refused(form, given, ask, refusals):
    assert ask(**form).json == INVALID_REQUEST
    assert causes(refusals) == ["client_auth_twice"]


def test_client_id_in_the_form_must_be_the_same(given, ask, refusals):
    assert ask(client_id=CLIENT_ID).status_code == 200

    assert_refused(ask(client_id="other"), refusals, "client_id_mismatch")


# --- whose, and until when ----------------------------------------------------------------------------------
def test_secret_of_another_client_is_refused(given, register, client_key, give, ask, build_mac, refusals):
    register(client_id="other", jwks={"keys": [client_key.public_jwk()]}, scope="read")
    give("other", secret=OTHER, method=METHOD)

    assert_refused(ask(build_mac(secret=OTHER)), refusals, "assertion_signature")
    assert ask(build_mac(secret=OTHER, iss="other", sub="other"), scope="read").status_code == 200


def test_client_without_such_a_secret_is_refused(client, give, ask, refusals):
    give(secret=LONG, method="client_secret_basic")

    assert_refused(ask(), refusals, "client_auth_method")


def test_secret_counts_until_the_second_of_the_setting(given, ask, refusals, clock):
    clock.move(SECONDS_UNTIL - 1)
    assert ask().status_code == 200

    clock.move(1)

    assert_refused(ask(), refusals, "client_secrets_over")


def test_secret_counts_until_the_second_of_the_clients_own_date(client, give, ask, refusals, clock):
    give(secret=LONG, method=METHOD, until="2027-01-16")
    clock.move(16 * 3600 - 1)
    assert ask().status_code == 200

    clock.move(1)

    assert_refused(ask(), refusals, "client_secret_over")


@pytest.mark.parametrize("settings", [{}])
def test_without_the_setting_it_is_refused_as_ever(client, ask, refusals):
    assert_refused(ask(), refusals, "assertion_alg")


def test_key_signs_as_ever_when_secrets_are_over(given, ask_token, clock):
    clock.move(SECONDS_UNTIL)

    assert ask_token().status_code == 200


def test_last_use_is_noted(given, ask, build_mac, secrets_of, clock):
    ask(build_mac(aud=TOKEN_URL))
    assert secrets_of()[0].last_used_at is None

    ask()
    assert secrets_of()[0].last_used_at == clock.now


def test_replayed_assertion_is_no_use(given, ask, build_mac, secrets_of, clock):
    assertion = build_mac(exp=clock.now + 300)
    ask(assertion)
    first = clock.now
    clock.move(299)
    ask(assertion)

    assert secrets_of()[0].last_used_at == first


@pytest.mark.parametrize(
    "noise", ["", "a", "a.b", "!!!.b.c", "W10.b.c", "bnVsbA.b.c", "IkhTMjU2Ig.b.c", "e30.b.c", "é.b.c"]
)
def test_what_is_no_assertion_is_refused(noise, given, ask, refusals):
    answer = ask(noise)

    assert answer.json == INVALID_CLIENT
    assert len(refusals) == 1
