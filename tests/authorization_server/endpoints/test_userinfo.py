"""UserInfo: it is protected like any API, and returns the application's claims."""

import secrets
import uuid

import flask
import pytest
from sqlalchemy import String, Uuid
from sqlalchemy.orm import DeclarativeBase, mapped_column

from flask_private_key_jwt import ResourceProtector, current_token
from flask_private_key_jwt.dpop.proof import access_token_hash
from flask_private_key_jwt.errors import ConfigurationError, InvalidToken
from flask_private_key_jwt.jose import jose
from tests.authorization_server.conftest import APP_ID, answer_in, build_request
from tests.conftest import API, ISSUER
from tests.refusals import causes

PATH = "/oauth2/userinfo"
URL = f"{ISSUER}{PATH}"
INVALID_TOKEN = {"error": "invalid_token", "error_description": "The access token is invalid."}
DPOP_CHALLENGE = 'DPoP algs="ES256 ES384 ES512 PS256 PS384 PS512 RS256 RS384 RS512 EdDSA Ed25519"'
CLAIMS = {"name": "Alice", "email": "alice@example.org", "email_verified": True, "tenant": 5}


@pytest.fixture
def webapp(openid_app):
    return openid_app


@pytest.fixture
def get_tokens(get_code, redeem):
    def get_tokens(scope="openid email", **changes):
        return redeem(get_code(scope=scope), **changes).json

    return get_tokens


@pytest.fixture
def ask(app, clock, proof_key):
    """Ask UserInfo with a Bearer token; with ``proof`` changes, with a bound one."""

    def ask(token, *, method="GET", scheme=None, path=PATH, proof=None, **options):
        headers = {"Authorization": f"{scheme or ('Bearer' if proof is None else 'DPoP')} {token}"}
        if isinstance(proof, dict):
            claims = {"jti": secrets.token_hex(8), "htm": method, "htu": URL, "iat": clock.now}
            claims |= {"ath": access_token_hash(token), **proof}
            key = claims.pop("key", proof_key)
            headers["DPoP"] = jose.sign({"typ": "dpop+jwt", "jwk": key.public.jwk}, claims, key)
        return app.test_client().open(path, method=method, headers=headers, **options)

    return ask


@pytest.fixture
def bound(get_code, redeem, build_dpop):
    return redeem(get_code(scope="openid email"), proof=build_dpop()).json["access_token"]


@pytest.fixture
def claims(oauth):
    """What the application says about everybody."""
    known = dict(CLAIMS)
    oauth.user_claims(lambda subject, scope: known)
    return known


def assert_refused(answer, challenge, refusals, cause, *, says=""):
    assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "no-store")
    assert answer.headers.getlist("WWW-Authenticate") == [challenge]
    assert causes(refusals) == [cause], refusals
    assert refusals[0].startswith(says)


BEARER_REFUSED = 'Bearer error="invalid_token", error_description="The access token is invalid.", scope="openid"'


# --- what it says ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_claims_of_the_granted_scopes_are_told(method, claims, get_tokens, ask):
    tokens = get_tokens()

    answer = ask(tokens["access_token"], method=method)

    assert answer.json == {"sub": "alice", "email": "alice@example.org", "email_verified": True, "tenant": 5}
    assert answer.json["sub"] == jose.decode_unverified(tokens["id_token"])[1]["sub"]
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize(
    ("scope", "names"), [("openid", {"sub", "tenant"}), ("openid profile", {"sub", "tenant", "name"})]
)
def test_claims_of_other_scopes_are_not(scope, names, claims, get_tokens, ask):
    assert ask(get_tokens(scope)["access_token"]).json.keys() == names


def test_narrower_refreshed_token_opens_less(claims, get_tokens, refresh, ask):
    token = refresh(get_tokens()["refresh_token"], scope="openid").json["access_token"]

    assert "email" not in ask(token).json


def test_application_that_says_nothing_is_good_for_sub(get_tokens, ask):
    assert ask(get_tokens()["access_token"]).json == {"sub": "alice"}


def test_class_is_asked_by_scope(oauth, get_tokens, ask):
    @oauth.user_claims
    class Person:
        def __init__(self, subject):
            self._subject = subject

        def email(self):
            return {"email": f"{self._subject}@example.org"}

        def profile(self):
            raise AssertionError("not granted")

    assert Person("alice").email() == {"email": "alice@example.org"}  # the decorator gives the class back
    assert ask(get_tokens()["access_token"]).json == {"sub": "alice", "email": "alice@example.org"}


def test_form_is_not_read(claims, get_tokens, ask):
    token = get_tokens()["access_token"]

    assert ask(token, method="POST", data={"access_token": "x", "sub": "bob"}).status_code == 200
    assert ask(token, method="POST", data=b"\xff" * 70000, content_type="application/json").status_code == 200


# --- how it is asked ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("settings", [{}, {"OAUTH2_REPLAY_STORE": "sql"}])
def test_bound_token_comes_with_a_proof_that_counts_once(method, bound, ask, refusals):
    proof = {"jti": "once"}
    assert ask(bound, method=method, proof=proof).json == {"sub": "alice"}

    again = ask(bound, method=method, proof=proof)

    challenge = DPOP_CHALLENGE.replace(
        "DPoP ", 'DPoP error="invalid_dpop_proof", error_description="The DPoP proof is invalid.", '
    )
    assert_refused(again, challenge, refusals, "proof_replayed")


@pytest.mark.parametrize(
    ("proof", "cause"),
    [
        ({"htu": f"{ISSUER}/oauth2/token"}, "proof_htu"),
        ({"htm": "POST"}, "proof_htm"),
        ({"ath": access_token_hash("x")}, "proof_ath"),
        ({"iat": 5}, "proof_expired"),
        (True, "proof_missing"),
    ],
)
def test_proof_for_something_else_is_refused(proof, cause, bound, ask, refusals):
    answer = ask(bound, proof=proof)

    assert (answer.status_code, answer.json["error"]) == (401, "invalid_dpop_proof")
    assert len(refusals) == 1
    assert refusals[0].cause == cause


def test_proof_of_another_key_is_refused(bound, ask, keys, refusals):
    answer = ask(bound, proof={"key": keys("ES256", "thief")})

    challenge = DPOP_CHALLENGE.replace(
        "DPoP ", 'DPoP error="invalid_token", error_description="The access token is invalid.", scope="openid", '
    )
    assert_refused(answer, challenge, refusals, "proof_key_mismatch")


def test_bound_token_as_bearer_is_refused(bound, ask, refusals):
    answer = ask(bound, scheme="Bearer")

    assert answer.json == INVALID_TOKEN
    assert answer.headers["WWW-Authenticate"].startswith('DPoP error="invalid_token"')
    assert causes(refusals) == ["token_bound_as_bearer"]


def test_whoever_brings_nothing_is_told_how(app, webapp, refusals):
    answer = app.test_client().get(PATH)

    assert answer.status_code == 401
    assert answer.headers.getlist("WWW-Authenticate") == [
        DPOP_CHALLENGE.replace("DPoP ", 'DPoP scope="openid", '),
        'Bearer scope="openid"',
    ]
    assert causes(refusals) == ["token_missing"]


@pytest.mark.parametrize("way", ["query", "form"])
def test_token_elsewhere_is_none(way, app, get_tokens, refusals):
    token = {"access_token": get_tokens()["access_token"]}
    options = {"query_string": token} if way == "query" else {"data": token}

    assert app.test_client().post(PATH, **options).status_code == 401
    assert causes(refusals) == ["token_missing"]


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required"}])
def test_nonce_is_an_apis_own(get_code, redeem, build_dpop, ask):
    code = get_code(scope="openid")
    server_nonce = redeem(code, proof=build_dpop()).headers["DPoP-Nonce"]
    token = redeem(code, proof=build_dpop(nonce=server_nonce)).json["access_token"]

    refused = ask(token, proof={"nonce": server_nonce})

    assert (refused.status_code, refused.json["error"]) == (401, "use_dpop_nonce")
    assert refused.headers["WWW-Authenticate"].startswith('DPoP error="use_dpop_nonce"')
    answer = ask(token, proof={"nonce": refused.headers["DPoP-Nonce"]})
    assert (answer.status_code, answer.headers["DPoP-Nonce"]) == (200, refused.headers["DPoP-Nonce"])
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "fapi2", "OAUTH2_REPLAY_STORE": "sql"}])
def test_profile_takes_bound_tokens_only(app, people, openid_app, browser, push, redeem, build_dpop, ask, refusals):
    request_uri = push(scope="openid").json["request_uri"]
    page = browser.sign_in().open({"client_id": APP_ID, "request_uri": request_uri})
    token = redeem(answer_in(browser.decide(page))["code"], proof=build_dpop()).json["access_token"]

    assert ask(token, proof={}).json == {"sub": "alice"}
    answer = ask(token, scheme="Bearer")
    assert (answer.status_code, answer.json) == (401, INVALID_TOKEN)
    unbound = app.test_client().get(PATH)
    assert unbound.headers.getlist("WWW-Authenticate") == ['DPoP scope="openid", algs="PS256 ES256 EdDSA Ed25519"']


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods_are_refused(method, app, webapp):
    answer = app.test_client().open(PATH, method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_application_is_not_asked_who_may(app, claims, get_tokens, ask):
    token = get_tokens()["access_token"]
    app.before_request_funcs[None].append(lambda: ("sign in first", 403))

    assert ask(token).status_code == 200


# --- which tokens open it -------------------------------------------------------------------------------------
def test_token_without_the_scope_is_not_for_it(get_tokens, ask, refusals):
    answer = ask(get_tokens("read")["access_token"])

    assert_refused(answer, BEARER_REFUSED, refusals, "token_aud", says=f"token: aud '{API}' does not name '{ISSUER}'")


@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": [ISSUER]}])
def test_token_for_the_issuer_without_the_scope_does_not_reach(get_tokens, ask, refusals):
    answer = ask(get_tokens("read")["access_token"])

    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    assert 'scope="openid"' in answer.headers["WWW-Authenticate"]
    assert refusals == ["the token has scope 'read', not 'openid'"]
    assert causes(refusals) == ["scope_insufficient"]


def test_id_token_is_no_access_token(get_tokens, ask, refusals):
    assert_refused(
        ask(get_tokens()["id_token"]), BEARER_REFUSED, refusals, "token_typ", says="token: typ 'jwt' is not at+jwt"
    )


@pytest.mark.parametrize(("seconds", "status"), [(609, 200), (610, 401)])
def test_token_expires(seconds, status, get_tokens, ask, clock):
    token = get_tokens()["access_token"]
    clock.move(seconds)

    assert ask(token).status_code == status


def test_token_that_was_revoked_is_refused(app, oauth, get_tokens, ask, refusals):
    token = get_tokens()["access_token"]
    with app.app_context():
        oauth.revoke(subject="alice")

    assert_refused(ask(token), BEARER_REFUSED, refusals, "token_revoked")


def test_reused_code_ends_it(get_code, redeem, ask):
    code = get_code(scope="openid")
    token = redeem(code).json["access_token"]
    assert ask(token).status_code == 200

    redeem(code)

    assert ask(token).status_code == 401


@pytest.fixture
def sign_token(app, webapp, clock):
    """An access token as this server would never make it."""

    def sign(**changes):
        with app.app_context():
            key = app.extensions["private_key_jwt"].server_keys.current().signing
        claims = {"iss": ISSUER, "aud": ISSUER, "sub": "alice", "client_id": APP_ID, "scope": "openid", "jti": "1"}
        claims |= {"iat": clock.now, "exp": clock.now + 60, "grant_id": "g", **changes}
        return jose.sign({"typ": "at+jwt", "kid": key.public.kid}, claims, key)

    return sign


def test_token_of_nobody_is_refused(sign_token, ask, refusals):
    assert ask(sign_token()).status_code == 200

    answer = ask(sign_token(sub=APP_ID))

    assert_refused(answer, BEARER_REFUSED, refusals, "token_without_person")


def test_person_who_is_no_more_ends_the_token(oauth, get_tokens, bound, ask, refusals):
    oauth.user_claims(lambda subject, scope: None)

    assert_refused(ask(get_tokens()["access_token"]), BEARER_REFUSED, refusals, "person_unknown")
    challenge = DPOP_CHALLENGE.replace(
        "DPoP ", 'DPoP error="invalid_token", error_description="The access token is invalid.", scope="openid", '
    )
    refusals.clear()
    assert_refused(ask(bound, proof={}), challenge, refusals, "person_unknown")


# --- defects of the application -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"sub": "bob"}, "user_claims gives another sub than the one it was asked about."),
        ({"aud": "x", "iss": "y"}, "user_claims may not give aud, iss: the server sets these."),
        ({"tenant": object()}, "user_claims gives 'tenant' as object, which is no JSON"),
        ("alice", "user_claims gives a str, not a mapping of claims."),
    ],
)
def test_defect_is_told_to_the_developer_only(given, reason, oauth, get_tokens, ask, refusals):
    oauth.user_claims(lambda subject, scope: given)

    answer = ask(get_tokens()["access_token"])

    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert len(refusals) == 1
    assert refusals[0].startswith(f"set up wrongly: {reason}")
    assert refusals[0].cause == "setup_wrong"


# --- where it is not ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", [PATH, "/.well-known/openid-configuration"])
def test_app_without_people_has_none(path, app, client, refusals):
    answer = app.test_client().get(path)

    assert (answer.status_code, answer.mimetype) == (404, "application/json")
    assert refusals == ["OpenID Connect is not offered"]
    assert causes(refusals) == ["endpoint_not_served"]


@pytest.mark.parametrize("settings", [{"OAUTH2_SCOPES": ["read"]}])
@pytest.mark.parametrize("path", [PATH, "/.well-known/openid-configuration"])
def test_app_that_left_the_scope_out_has_none(path, app, people, refusals):
    assert app.test_client().get(path).status_code == 404
    assert refusals == ["OpenID Connect is not offered"]
    assert causes(refusals) == ["endpoint_not_served"]


# --- beside an API of the app's own ---------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCE": API}])
def test_one_app_has_both(app, people, openid_app, get_tokens, ask):
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    app.get("/me")(require_oauth("email")(lambda: {"subject": current_token["sub"]}))
    token = get_tokens()["access_token"]

    assert ask(token).json == {"sub": "alice"}
    assert ask(token, path="/me").json == {"subject": "alice"}
    assert ask(get_tokens("read email")["access_token"], path="/me").status_code == 200


# --- people whose key is a UUID -----------------------------------------------------------------------------------
KEY = uuid.UUID("6f0c7d3e-27a4-4c39-9c5e-0f4b3c1f1f10")


@pytest.fixture
def uuid_people(server):
    """Alice's account, with a UUID for a key, and its model."""
    app, _, db = server

    class Base(DeclarativeBase):
        pass

    class Account(Base):
        __tablename__ = "account"
        id = mapped_column(Uuid, primary_key=True)
        name = mapped_column(String(20))

    with app.app_context():
        Base.metadata.create_all(db.engine)
        db.session.add(Account(id=KEY, name="Alice"))
        db.session.commit()
    return lambda key: db.session.get(Account, key)


@pytest.fixture
def uuid_token(app, oauth, browser, webapp, redeem, uuid_people):
    """An access token for the person with that key."""

    class Known:
        def get_id(self):
            return KEY

    oauth.user(Known)
    code = answer_in(browser.decide(browser.open(build_request(scope="openid profile"))))["code"]
    return redeem(code).json["access_token"]


def test_key_that_is_a_uuid_is_looked_up_as_one(oauth, uuid_people, uuid_token, ask):
    oauth.user_claims(lambda subject, scope: {"name": uuid_people(uuid.UUID(subject)).name})

    assert ask(uuid_token).json == {"sub": str(KEY), "name": "Alice"}


def fail_with_a_string(uuid_people):
    return lambda subject, scope: uuid_people(subject)


def fail_in_a_class(_uuid_people):
    class Claims:
        def __init__(self, subject):
            self.id = int(subject)

    return Claims


def fail_in_a_method(_uuid_people):
    class Claims:
        def __init__(self, subject):
            pass

        def profile(self):
            return {"name": self.name}

    return Claims


@pytest.mark.parametrize(
    ("build", "raised"),
    [(fail_with_a_string, "StatementError"), (fail_in_a_class, "ValueError"), (fail_in_a_method, "AttributeError")],
)
def test_function_that_fails_is_named_in_the_log(
    build, raised, app, oauth, uuid_people, uuid_token, ask, refusals, caplog
):
    oauth.user_claims(build(uuid_people))
    seen = []
    with flask.got_request_exception.connected_to(lambda sender, exception: seen.append(exception), sender=app):
        answer = ask(uuid_token)

    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert len(refusals) == 1
    assert refusals[0].startswith(f"set up wrongly: user_claims raised {raised}; the log has its traceback.")
    assert refusals[0].cause == "setup_wrong"
    assert "uuid.UUID(subject)" in refusals[0]
    assert refusals[0].cause == "setup_wrong"
    assert [type(error.__cause__).__name__ for error in seen] == [raised]
    assert any(record.exc_info and record.message == "a defect in the application" for record in caplog.records)


def test_function_that_fails_raises_while_testing(app, oauth, uuid_people, uuid_token, ask):
    oauth.user_claims(fail_in_a_class(uuid_people))
    app.testing = True

    with pytest.raises(ConfigurationError, match="user_claims raised ValueError") as caught:
        ask(uuid_token)

    assert isinstance(caught.value.__cause__, ValueError)


def test_refusal_of_the_function_stays_what_it_is(oauth, uuid_token, ask, refusals):
    @oauth.user_claims
    def refuse(subject, scope):
        raise InvalidToken("not today")

    assert ask(uuid_token).status_code == 401
    assert refusals == ["not today"]
    assert causes(refusals) == ["invalid_token"]


def test_key_is_revoked_by_its_string(app, oauth, uuid_token, ask):
    with app.app_context():
        with pytest.raises(TypeError, match="subject has to be"):
            oauth.revoke(subject=KEY)
        assert oauth.revoke(subject=str(KEY)) == 1

    assert ask(uuid_token).status_code == 401
