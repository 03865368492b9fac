"""A client's keys at the token endpoint: which one an assertion names, and X.509 certificates among them."""

import base64
import hashlib
import json
import logging

import pytest

from flask_private_key_jwt.authorization_server.keys.client_keys import MAX_KEYS, parse_jwks
from flask_private_key_jwt.client import build_client_assertion
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.certificates import build_self_signed, jwk_of, load_certificate
from flask_private_key_jwt.jose.jose import JoseProblem
from tests.conftest import CLIENT_ID, INVALID_CLIENT, ISSUER, START
from tests.refusals import causes

DAY = 86400
NO_KEY_FITS = "assertion: no key of the client fits kid"
NOT_CURRENT = "assertion: the certificate of the key is expired or not valid yet"
WRONG_SIGNATURE = "assertion: the signature does not verify"


def assert_refused(answer, refusals, cause, *, says=""):
    assert (answer.status_code, answer.json) == (400, INVALID_CLIENT)
    assert causes(refusals) == [cause], refusals
    assert refusals[0].startswith(says)


# --- X.509 ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def certificate(client_key):
    """The client's, valid for thirty days."""
    return load_certificate(build_self_signed(client_key, common_name="console", days=30, now=START))


@pytest.fixture(scope="module")
def other_certificate(keys):
    return load_certificate(build_self_signed(keys("ES256", "other"), common_name="other", days=30, now=START))


@pytest.fixture
def client(register, certificate):
    """The usual client, known by its certificate; its key has a name of its own."""
    jwk = {**jwk_of(certificate), "kid": "own-name"}
    return register(client_id=CLIENT_ID, jwks={"keys": [jwk]}, scope="read", default_scope="read")


NAMES = {
    "own kid": lambda c: {"kid": "own-name"},
    "SHA-1 in upper case": lambda c: {"kid": c.sha1_hex.upper()},
    "SHA-1 in lower case": lambda c: {"kid": c.sha1_hex.lower()},
    "SHA-1 in mixed case": lambda c: {"kid": c.sha1_hex[:20].lower() + c.sha1_hex[20:].upper()},
    "x5t": lambda c: {"x5t": c.x5t},
    "x5t#S256": lambda c: {"x5t#S256": c.x5t_s256},
    "both thumbprints": lambda c: {"x5t": c.x5t, "x5t#S256": c.x5t_s256},
    ".NET's": lambda c: {"kid": c.sha1_hex.upper(), "x5t": c.x5t, "typ": "JWT"},
}


def _sha256(certificate):
    return hashlib.sha256(base64.b64decode(certificate.der)).hexdigest()


def _colons(text):
    return ":".join(text[start : start + 2] for start in range(0, len(text), 2))


SPELLINGS = {
    "SHA-1": lambda c: c.x5t,
    "SHA-1, padded": lambda c: c.x5t + "=",
    "SHA-256": lambda c: c.x5t_s256,
    "SHA-256, padded": lambda c: c.x5t_s256 + "=",
    "SHA-1 in hex": lambda c: c.sha1_hex,
    "SHA-1 in hex with colons": lambda c: _colons(c.sha1_hex),
    "SHA-1 in small hex with colons": lambda c: _colons(c.sha1_hex.lower()),
    "SHA-256 in hex": lambda c: _sha256(c).upper(),
    "SHA-256 in small hex": _sha256,
    "SHA-256 in hex with colons": lambda c: _colons(_sha256(c)),
    "base64url of the hex of SHA-1": lambda c: jose.b64url(c.sha1_hex.encode()),
    "base64url of the small hex of SHA-256": lambda c: jose.b64url(_sha256(c).encode()),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("name", ["kid", "x5t", "x5t#S256"])
def test_thumbprint_of_the_certificate_names_the_key_in_every_spelling(
    name, spell, ask_token, build_assertion, certificate, other_certificate, refusals
):
    named = build_assertion(header={"kid": None, name: spell(certificate)})

    assert ask_token(assertion=named).status_code == 200
    another = build_assertion(header={"kid": None, name: spell(other_certificate)})
    assert_refused(ask_token(assertion=another), refusals, "assertion_no_key")


def test_thumbprint_of_the_key_names_it_whatever_its_own_name(ask_token, build_assertion, client_key, keys, refusals):
    assert ask_token(assertion=build_assertion(header={"kid": client_key.public.thumbprint})).status_code == 200
    other = build_assertion(header={"kid": keys("ES256", "other").public.thumbprint})
    assert_refused(ask_token(assertion=other), refusals, "assertion_no_key")


def test_client_of_ours_needs_no_certificate_where_it_is_registered_by_one(ask_token, clock, client_key):
    assertion = build_client_assertion(CLIENT_ID, ISSUER, key=client_key)

    assert ask_token(assertion=assertion).status_code == 200


@pytest.mark.parametrize("label", ["padded", "hex text", "wrong", "number"])
@pytest.mark.parametrize("member", ["x5t", "x5t#S256"])
def test_label_that_does_not_fit_costs_no_key(member, label, certificate, client_key, caplog):
    caplog.set_level("INFO")
    right = certificate.x5t if member == "x5t" else certificate.x5t_s256
    labels = {
        "padded": right + "=",
        "hex text": jose.b64url(certificate.sha1_hex.encode()),
        "wrong": "AAAA",
        "number": 5,
    }

    [key] = parse_jwks({"keys": [{**jwk_of(certificate), member: labels[label]}]})

    assert key.certificate == certificate
    assert key.is_named(right)
    assert not key.is_named("AAAA")
    assert f"the {member} of key {certificate.sha1_hex} is not used" in caplog.text


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_assertion_may_name_the_certificate_in_each_way(names, ask_token, build_assertion, certificate):
    answer = ask_token(assertion=build_assertion(header={"kid": None, **names(certificate)}))

    assert answer.status_code == 200


@pytest.mark.parametrize("names", list(NAMES.values())[1:], ids=list(NAMES)[1:])
def test_assertion_that_names_another_certificate_is_refused(
    names, ask_token, build_assertion, other_certificate, refusals
):
    answer = ask_token(assertion=build_assertion(header={"kid": None, **names(other_certificate)}))

    assert_refused(answer, refusals, "assertion_no_key")


@pytest.mark.parametrize("name", ["x5t", "x5t#S256"])
@pytest.mark.parametrize("change", [lambda text: "", lambda text: text + "A", str.lower, lambda text: text[:-1]])
def test_thumbprint_in_another_form_is_refused(name, change, ask_token, build_assertion, certificate, refusals):
    value = NAMES[name](certificate)[name]

    answer = ask_token(assertion=build_assertion(header={"kid": None, name: change(value)}))

    assert_refused(answer, refusals, "assertion_no_key")


def test_one_thumbprint_of_another_certificate_is_refused(
    ask_token, build_assertion, certificate, other_certificate, refusals
):
    header = {"kid": None, "x5t": certificate.x5t, "x5t#S256": other_certificate.x5t_s256}

    assert_refused(ask_token(assertion=build_assertion(header=header)), refusals, "assertion_no_key")


def test_kid_decides_whatever_the_thumbprint_says(ask_token, build_assertion, other_certificate):
    # A renewed certificate of the same key changes its thumbprint, not its key.
    header = {"kid": "own-name", "x5t": other_certificate.x5t}

    assert ask_token(assertion=build_assertion(header=header)).status_code == 200


def test_assertion_that_names_nothing_is_accepted(ask_token, build_assertion):
    assert ask_token(assertion=build_assertion(header={"kid": None})).status_code == 200


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_right_name_with_another_key_is_refused(names, ask_token, build_assertion, certificate, keys, refusals):
    header = {"kid": None, **names(certificate)}

    answer = ask_token(assertion=build_assertion(key=keys("ES256", "other"), header=header))

    assert_refused(answer, refusals, "assertion_signature")


@pytest.mark.parametrize("member", ["x5c", "x5u", "jku", "jwk"])
def test_key_brought_along_in_the_header_is_never_used(
    member, ask_token, build_assertion, other_certificate, keys, refusals
):
    key = keys("ES256", "other")
    brought = {
        "x5c": [other_certificate.der],
        "x5u": "https://evil.example/certificate.pem",
        "jku": "https://evil.example/jwks",
        "jwk": dict(key.public.jwk),
    }

    answer = ask_token(assertion=build_assertion(key=key, header={"kid": None, member: brought[member]}))

    assert_refused(answer, refusals, "assertion_signature")


@pytest.mark.parametrize("seconds", [0, 30 * DAY])
def test_certificate_counts_from_its_first_second_to_its_last(seconds, clock, ask_token, build_assertion):
    clock.now = START + seconds

    assert ask_token(assertion=build_assertion(header={"kid": "own-name"})).status_code == 200


@pytest.mark.parametrize("seconds", [-1, 30 * DAY + 1, 10000 * DAY])
@pytest.mark.parametrize("header", [{"kid": "own-name"}, {"kid": None}])
def test_certificate_out_of_its_lifetime_authenticates_nobody(
    seconds, header, clock, ask_token, build_assertion, refusals
):
    clock.now = START + seconds

    assert_refused(ask_token(assertion=build_assertion(header=header)), refusals, "assertion_certificate_not_current")


def test_expired_certificate_does_not_hold_up_the_key_beside_it(
    clock, app, oauth, ask_token, build_assertion, certificate, keys, refusals
):
    new = keys("ES256", "new")
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"jwks": {"keys": [jwk_of(certificate), new.public_jwk()]}})
    clock.move(31 * DAY)

    assert ask_token(assertion=build_assertion(key=new, header={"kid": None})).status_code == 200
    assert_refused(ask_token(assertion=build_assertion(header={"kid": None})), refusals, "assertion_signature")


def test_rsa_certificate_as_dotnet_uses_it(app, oauth, ask_token, build_assertion, client, keys):
    key = keys("RS256", "dotnet")
    certificate = load_certificate(build_self_signed(key, common_name="mobile", days=3650, now=START))
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"jwks": {"keys": [jwk_of(certificate)]}})

    header = {"kid": certificate.sha1_hex, "x5t": certificate.x5t, "typ": "JWT"}
    assert ask_token(assertion=build_assertion(key=key, header=header)).status_code == 200


# --- key sets ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("jwks", [{}, {"keys": None}, {"keys": "abc"}, {"keys": {}}, {"Keys": []}])
def test_what_is_no_key_set_is_refused(jwks):
    with pytest.raises(JoseProblem, match=r"^not a JWK Set: no list of keys$"):
        parse_jwks(jwks)


def test_as_many_keys_as_allowed_are_kept_and_one_more_is_refused(client_key):
    jwk = client_key.public_jwk()

    assert len(parse_jwks({"keys": [jwk] * MAX_KEYS})) == MAX_KEYS
    with pytest.raises(JoseProblem, match=f"^more than {MAX_KEYS} keys$"):
        parse_jwks({"keys": [jwk] * (MAX_KEYS + 1)})


@pytest.mark.parametrize("private", [{"kty": "oct", "k": "AAAA"}, {"kty": "XYZ", "d": "AAAA"}, {"k": False}])
def test_private_or_symmetric_material_spoils_the_whole_set(private, client_key):
    with pytest.raises(JoseProblem, match=r"^the set holds private or symmetric key material$"):
        parse_jwks({"keys": [client_key.public_jwk(), private]})


def test_entries_that_cannot_be_used_are_passed_over(client_key):
    odd = [None, 5, "key", [], {}, {"kty": "EC"}, {**client_key.public_jwk(), "use": "enc"}, {"kty": "XYZ"}]

    usable = parse_jwks({"keys": [*odd, client_key.public_jwk(), *odd]})

    assert [key.public.thumbprint for key in usable] == [client_key.public.thumbprint]


def test_entry_whose_certificate_is_another_keys_is_passed_over(client_key, other_certificate):
    assert parse_jwks({"keys": [{**client_key.public_jwk(), "x5c": [other_certificate.der]}]}) == ()


def test_private_material_that_got_into_the_database_authenticates_nobody(
    server, ask_token, client, client_key, refusals, caplog
):
    app, oauth, db = server
    with app.app_context():
        db.session.query(oauth.Client).one().jwks = json.dumps({"keys": [client_key.as_jwk()]})
        db.session.commit()

    with caplog.at_level(logging.ERROR):
        assert_refused(ask_token(), refusals, "assertion_no_key")

    assert (
        "the keys of client 'console' are refused: the set holds private or symmetric key material" in caplog.messages
    )
    assert client_key.as_jwk()["d"] not in caplog.text


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"keys": 5}', '{"keys": [5]}', "[" * 100000])
def test_key_set_damaged_in_the_database_authenticates_nobody(text, server, ask_token, client, refusals):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("UPDATE oauth2_client SET jwks = ?, version = 'by hand'", (text,))

    assert_refused(ask_token(), refusals, "assertion_no_key")
