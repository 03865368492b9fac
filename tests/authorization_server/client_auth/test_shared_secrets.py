"""client_secret_basic and client_secret_post: only the secret that the operator gave, only until the date."""

import base64
import logging
from urllib.parse import urlencode

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import event, text

from flask_private_key_jwt.authorization_server.keys.client_secrets import HOUR_SECONDS
from flask_private_key_jwt.authorization_server.request import FormRequest
from tests.authorization_server.client_auth.conftest import PASSWORD, SECONDS_UNTIL, UNTIL, basic
from tests.conftest import CLIENT_ID, INVALID_CLIENT, INVALID_REQUEST, START, TOKEN_URL
from tests.refusals import causes

OTHER = "another secret, which is long enough too"
METHODS = ("client_secret_basic", "client_secret_post")


@pytest.fixture
def settings():
    return {"OAUTH2_CLIENT_SECRETS_UNTIL": UNTIL}


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


@pytest.fixture
def show(method, request):
    """Show a secret by either method."""
    return request.getfixturevalue(f"show_{method.rpartition('_')[2]}")


def assert_refused(answer, refusals, cause, *, method=None):
    """By HTTP Basic with a challenge (RFC 6749 §5.2)."""
    assert answer.json == INVALID_CLIENT
    is_basic = method == "client_secret_basic"
    assert answer.status_code == (401 if is_basic else 400)
    assert answer.headers.get("WWW-Authenticate") == ('Basic realm="client secret"' if is_basic else None)
    assert answer.headers["Cache-Control"] == "no-store"
    assert causes(refusals) == [cause], refusals
    assert PASSWORD not in refusals[0]


# --- what is accepted, and its twin -------------------------------------------------------------------------
def test_secret_that_was_given_is_accepted(client, give, show, method, refusals):
    give(method=method)

    answer = show()

    assert answer.status_code == 200
    assert answer.json["token_type"] == "Bearer"
    assert refusals == []


@pytest.mark.parametrize(
    "wrong", [OTHER, PASSWORD[:-1], PASSWORD + "x", PASSWORD.upper(), "x", " ", "é" * 32, "\x00", "x" * 9000]
)
def test_wrong_secret_is_refused_and_the_right_one_still_counts(wrong, client, give, show, method, refusals):
    give(method=method)

    assert_refused(show(wrong), refusals, "client_secret_wrong", method=method)
    assert show().status_code == 200


def test_secret_of_another_client_is_refused(client, register, client_key, give, show, method, refusals):
    register(client_id="other", jwks={"keys": [client_key.public_jwk()]}, scope="read")
    give("other", secret=OTHER, method=method)
    give(method=method)

    assert_refused(show(OTHER), refusals, "client_secret_wrong", method=method)
    assert show(OTHER, client_id="other", scope="read").status_code == 200


@pytest.mark.parametrize("name", ["nobody", "CONSOLE", "console ", "console\x00", "", "x" * 300])
def test_unknown_client_is_refused(name, client, give, show, method, refusals):
    give(method=method)

    answer = show(client_id=name)

    assert_refused(answer, refusals, "client_unknown", method=method)


def test_secret_for_one_method_is_none_for_the_other(client, give, show_basic, show_post, method, refusals):
    give(method=method)
    right, wrong = (show_basic, show_post) if method == "client_secret_basic" else (show_post, show_basic)

    other = METHODS[1 - METHODS.index(method)]
    assert_refused(wrong(), refusals, "client_auth_method", method=other)
    assert right().status_code == 200


def test_client_without_any_secret_is_refused(client, show, method, refusals):
    assert_refused(show(), refusals, "client_auth_method", method=method)


def test_disabled_client_is_refused_from_its_next_request_on(app, oauth, client, give, show, method, refusals):
    give(method=method)
    assert show().status_code == 200
    with app.app_context():
        oauth.clients.disable(CLIENT_ID)

    assert_refused(show(), refusals, "client_disabled", method=method)


def test_client_that_became_public_is_refused(app, oauth, people, client, give, show, method, refusals):
    give(method=method)
    with app.app_context():
        oauth.clients.update(
            CLIENT_ID,
            {
                "token_endpoint_auth_method": "none",
                "jwks": None,
                "dpop_bound_access_tokens": True,
                "grant_types": ["authorization_code"],
                "redirect_uris": ["https://console.example/callback"],
            },
        )

    assert_refused(show(), refusals, "client_auth_method", method=method)


def test_client_that_the_operator_no_longer_stands_behind_is_refused(app, oauth, client, give, show, method, refusals):
    give(method=method)
    with app.app_context():
        oauth.clients.vouch(CLIENT_ID, vouched=False)

    assert_refused(show(), refusals, "client_secret_not_vouched", method=method)


def test_secret_that_was_taken_away_is_refused_from_the_next_request_on(
    app, oauth, client, give, show, method, refusals
):
    name = give(method=method)
    give(method=method, secret=OTHER)
    assert show().status_code == show(OTHER).status_code == 200
    with app.app_context():
        oauth.clients.secrets.remove(CLIENT_ID, name=name)

    assert_refused(show(), refusals, "client_secret_wrong", method=method)
    assert show(OTHER).status_code == 200


# --- dates --------------------------------------------------------------------------------------------------
def test_secret_counts_until_the_second_of_the_setting(client, give, show, method, refusals, clock):
    give(method=method)
    clock.move(SECONDS_UNTIL - 1)
    assert show().status_code == 200

    clock.move(1)

    assert_refused(show(), refusals, "client_secrets_over", method=method)


def test_secret_counts_until_the_second_of_the_clients_own_date(client, give, show, method, refusals, clock):
    give(method=method, until="2027-01-20T12:00:00Z")
    clock.move(5 * 86400 + 4 * 3600 - 1)
    assert show().status_code == 200

    clock.move(1)

    assert_refused(show(), refusals, "client_secret_over", method=method)


def test_clients_own_date_does_not_outlast_the_setting(client, give, show, method, refusals, clock):
    give(method=method, until="2027-06-01")
    clock.move(SECONDS_UNTIL)

    assert_refused(show(), refusals, "client_secrets_over", method=method)


@pytest.mark.parametrize("settings", [{}])
def test_without_the_setting_a_secret_is_refused_as_ever(client, show_basic, show_post, refusals):
    answer = show_basic()
    assert (answer.status_code, answer.json) == (401, INVALID_CLIENT)
    assert show_post().json == INVALID_CLIENT
    assert show_post(client_id=None).json == INVALID_CLIENT
    assert causes(refusals) == ["assertion_missing"] * 3


# --- one way in one request (RFC 6749 §2.3) -----------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        {"client_secret": PASSWORD},
        {"client_secret": PASSWORD, "client_id": CLIENT_ID},
        {"client_assertion": "a.b.c"},
        {"client_assertion": "eyJhbGciOiJIUzI1NiJ9.b.c"},
        {"client_assertion_type": "urn:x"},
    ],
)
def test_basic_and_another_way_are_refused(form, client, give, show_basic, refusals):
    give(method="client_secret_basic")
    give(method="client_secret_post")

    answer = show_basic(**form)

    assert (answer.status_code, answer.json) == (400, INVALID_REQUEST)
    assert causes(refusals) == ["client_auth_twice"]
    assert show_basic().status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        {"client_assertion": "a.b.c"},
        {"client_assertion_type": "urn:x"},
        {"headers": {"Authorization": "Bearer x"}},
        {"headers": {"Authorization": ""}},
        {"headers": basic(CLIENT_ID, PASSWORD)},
    ],
)
def test_secret_in_the_form_and_another_way_are_refused(more, client, give, show_post, refusals):
    give(method="client_secret_post")

    answer = show_post(**more)

    assert (answer.status_code, answer.json) == (400, INVALID_REQUEST)
    assert causes(refusals) == ["client_auth_twice"]
    assert show_post().status_code == 200


def test_assertion_and_a_secret_are_refused_though_both_are_right(client, give, ask_token, refusals):
    give(method="client_secret_basic")
    give(method="client_secret_post")

    assert ask_token(headers=basic(CLIENT_ID, PASSWORD)).json == INVALID_REQUEST
    assert ask_token(client_secret=PASSWORD, client_id=CLIENT_ID).json == INVALID_REQUEST
    assert causes(refusals) == ["client_auth_twice"] * 2


# --- HTTP Basic ---------------------------------------------------------------------------------------------
def encode(raw):
    return {"Authorization": "Basic " + base64.b64encode(raw if isinstance(raw, bytes) else raw.encode()).decode()}


def test_both_parts_are_form_urlencoded(register, client_key, give, post_form):
    register(client_id="a:b c%", jwks={"keys": [client_key.public_jwk()]}, scope="read")
    give("a:b c%", method="client_secret_basic")

    assert post_form(headers=basic("a:b c%", PASSWORD), scope="read").status_code == 200


def test_part_that_is_not_form_urlencoded_is_another_secret(client, give, post_form, refusals):
    give(method="client_secret_basic")
    give(method="client_secret_basic", secret="only-unreserved_characters.in~this.one")

    assert_refused(
        post_form(headers=encode(f"{CLIENT_ID}:{PASSWORD}")),
        refusals,
        "client_secret_wrong",
        method="client_secret_basic",
    )
    assert post_form(headers=encode(f"{CLIENT_ID}:only-unreserved_characters.in~this.one")).status_code == 200


def test_scheme_is_written_in_any_case(client, give, post_form):
    give(method="client_secret_basic")
    header = basic(CLIENT_ID, PASSWORD)["Authorization"].removeprefix("Basic ")

    assert post_form(headers={"Authorization": f"bAsIC  {header}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic "},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic Y29uc29sZTp4, Basic Y29uc29sZTp4"},
        {"Authorization": "Basic Y29uc29sZTp"},
        {"Authorization": "Basic é"},
        encode("no colon"),
        encode("console:é"),
        encode("console:%ff"),
        encode(b"console:\xff"),
    ],
)
def test_malformed_credentials_are_refused(headers, client, give, post_form, refusals):
    give(method="client_secret_basic")

    answer = post_form(headers=headers)

    assert_refused(answer, refusals, "basic_malformed", method="client_secret_basic")


def test_same_client_id_beside_the_header_is_accepted(client, give, post_form):
    give(method="client_secret_basic")

    assert post_form(headers=basic(CLIENT_ID, PASSWORD), client_id=CLIENT_ID).status_code == 200


def test_another_client_id_beside_the_header_is_refused(client, give, post_form, refusals):
    give(method="client_secret_basic")

    answer = post_form(headers=basic(CLIENT_ID, PASSWORD), client_id="other")

    assert_refused(answer, refusals, "client_id_mismatch", method="client_secret_basic")


@pytest.mark.parametrize("header", ["Bearer x", "Digest x", "Basic", "BasicX x", ""])
def test_header_of_another_scheme_is_no_secret(header, client, give, post_form, refusals):
    give(method="client_secret_basic")

    answer = post_form(headers={"Authorization": header})

    assert (answer.status_code, answer.json) == (401, INVALID_CLIENT)
    assert causes(refusals) == ["assertion_missing"]


def test_secret_in_the_query_is_not_read(app, client, give):
    give(method="client_secret_post")
    query = {"client_id": CLIENT_ID, "client_secret": PASSWORD}

    answer = app.test_client().post("/oauth2/token", query_string=query, data={"grant_type": "client_credentials"})

    assert answer.json == INVALID_CLIENT


# --- keys and secrets side by side ---------------------------------------------------------------------------
def test_client_with_keys_and_a_secret_may_use_either(client, give, ask_token, show, method, refusals):
    give(method=method)

    for _ in range(2):
        assert ask_token().status_code == show().status_code == 200
    assert refusals == []


def test_client_without_keys_gets_its_first_and_may_use_either(
    app, oauth, keyless, client_key, give, post_as, show_basic, refusals
):
    give()
    assert show_basic().status_code == 200
    assert post_as(CLIENT_ID, "/oauth2/token", grant_type="client_credentials").json == INVALID_CLIENT
    assert causes(refusals) == ["client_auth_method"]

    with app.app_context():
        moved = oauth.clients.add_keys(CLIENT_ID, {"keys": [client_key.public_jwk()]})

    assert moved.token_endpoint_auth_method == "private_key_jwt"
    assert post_as(CLIENT_ID, "/oauth2/token", grant_type="client_credentials").status_code == 200
    assert show_basic().status_code == 200


def test_client_without_keys_signs_nothing(keyless, give, show_basic, show_post, post_as, build_assertion, refusals):
    give()

    answer = post_as(CLIENT_ID, "/oauth2/token", assertion=build_assertion(), grant_type="client_credentials")

    assert answer.json == INVALID_CLIENT
    assert causes(refusals) == ["client_auth_method"]


# --- nothing else is relaxed ----------------------------------------------------------------------------------
def test_tokens_are_bound_for_a_client_that_must_prove(app, oauth, client, give, show, method, build_dpop, refusals):
    give(method=method)
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"dpop_bound_access_tokens": True})

    assert show().json == INVALID_REQUEST
    assert causes(refusals) == ["proof_missing"]


def test_token_is_bound_to_the_key_of_the_proof_which_is_used_once(client, give, post_form, build_dpop, refusals):
    give(method="client_secret_post")
    proof = {"DPoP": build_dpop()}
    form = {"client_id": CLIENT_ID, "client_secret": PASSWORD}

    assert post_form(headers=proof, **form).json["token_type"] == "DPoP"
    assert post_form(headers=proof, **form).status_code == 400
    assert causes(refusals) == ["proof_replayed"]


def test_scope_that_is_not_registered_is_refused(client, give, show, method, refusals):
    give(method=method)

    assert show(scope="admin").json["error"] == "invalid_scope"
    assert show(scope="write").json["scope"] == "write"


def test_introspection_and_revocation_take_the_secret(client, give, show, method, refusals):
    give(method=method)
    token = show().json["access_token"]

    assert show(path="introspect", token=token).json["active"] is True
    assert show(path="revoke", token=token).status_code == 200
    assert show(path="introspect", token=token).json == {"active": False}


@pytest.mark.parametrize("path", ["introspect", "revoke"])
def test_introspection_and_revocation_refuse_another_secret(path, client, give, show, method, refusals):
    give(method=method)

    answer = show(OTHER, path=path, token="x")

    assert answer.json == INVALID_CLIENT
    assert answer.status_code == (401 if path == "introspect" or method == "client_secret_basic" else 400)
    assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)
    if method == "client_secret_basic":
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="client secret"'
    assert causes(refusals) == ["client_secret_wrong"]


def test_pushed_request_takes_the_secret(app, oauth, people, client, give, show, method):
    give(method=method)
    with app.app_context():
        oauth.clients.update(
            CLIENT_ID,
            {"grant_types": ["authorization_code"], "redirect_uris": ["https://console.example/callback"]},
        )
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": "https://console.example/callback",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "scope": "read",
    }

    assert show(path="par", **asked).status_code == 201
    assert show(OTHER, path="par", **asked).json == INVALID_CLIENT


# --- the last use -----------------------------------------------------------------------------------------------
def test_last_use_is_noted_at_most_once_an_hour(client, give, show, method, secrets_of, clock):
    give(method=method)
    assert secrets_of()[0].last_used_at is None
    noted = []
    for seconds in (0, 1, HOUR_SECONDS - 2, 1, HOUR_SECONDS - 1, 1):
        clock.move(seconds)
        assert show().status_code == 200
        noted.append(secrets_of()[0].last_used_at - START)

    assert noted == [0, 0, 0, HOUR_SECONDS, HOUR_SECONDS, 2 * HOUR_SECONDS]


def test_refused_use_is_not_noted(client, give, show, method, secrets_of):
    give(method=method)

    show(OTHER)
    show(scope="read", headers=None, grant_type="unknown")

    assert secrets_of()[0].last_used_at == START  # the second request had authenticated
    assert len(secrets_of()) == 1


def test_note_that_fails_costs_no_token(app, server, client, give, show, method, caplog):
    give(method=method)
    with app.app_context(), server[2].engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER frozen BEFORE UPDATE ON oauth2_client_secret "
                "BEGIN SELECT RAISE(ABORT, 'no more room'); END"
            )
        )

    with caplog.at_level(logging.WARNING):
        assert show().status_code == 200
    assert "the use of a secret of client 'console' is not recorded" in caplog.text


# --- what it costs others ---------------------------------------------------------------------------------------
@pytest.fixture
def statements(app, server):
    """The statements of the requests since :meth:`clear`, without values."""
    found = []
    with app.app_context():
        engine = server[2].engine
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, statement, *_: found.append(statement))
    return found


def test_request_with_a_key_reads_and_writes_nothing_of_secrets(client, give, ask_token, statements):
    give(method="client_secret_basic")
    ask_token()
    statements.clear()

    assert ask_token().status_code == 200
    assert [statement for statement in statements if "client_secret" in statement] == []
    assert len(statements) == 1  # the client's version; the replay store of this app is in memory


def test_wrong_secret_writes_nothing(client, give, show, method, statements):
    give(method=method)
    show()
    statements.clear()

    assert show(OTHER).json == INVALID_CLIENT
    assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT"]


def test_used_secret_is_read_with_one_statement_and_written_once_an_hour(client, give, show, method, statements):
    give(method=method)
    show()
    statements.clear()

    assert show().status_code == 200
    assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT"]


# --- what is kept -----------------------------------------------------------------------------------------------
def test_secret_is_nowhere_in_the_database_nor_in_the_log(app, server, client, give, show, method, caplog):
    with caplog.at_level(logging.DEBUG):
        give(method=method)
        show()
        show(OTHER)

    with app.app_context(), server[2].engine.connect() as connection:
        kept = connection.execute(text("SELECT * FROM oauth2_client_secret")).all()
    assert PASSWORD not in str(kept) + caplog.text
    assert OTHER not in caplog.text


def test_same_secret_of_two_clients_does_not_look_the_same(app, server, client, register, client_key, give):
    register(client_id="other", jwks={"keys": [client_key.public_jwk()]}, scope="read")
    give()
    give("other")

    with app.app_context(), server[2].engine.connect() as connection:
        kept = connection.scalars(text("SELECT kept FROM oauth2_client_secret")).all()
    assert len(set(kept)) == 2


def test_request_does_not_show_its_secrets():
    request = FormRequest("token", TOKEN_URL, {"client_secret": PASSWORD}, authorization=PASSWORD)

    assert PASSWORD not in repr(request)


# --- whatever a caller sends --------------------------------------------------------------------------------------
HOSTILE = hypothesis.settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
texts = st.text(st.characters(), max_size=60) | st.sampled_from(
    ["", "\x00", "\ud800", "%", "%zz", "+", ":", "x" * 5000]
)
octets = st.binary(max_size=80) | st.sampled_from([b"", b":", b"console:", b"console:\xff", b"\xff:x", b"%00:%ff"])


@pytest.fixture
def with_secrets(client, give):
    for method in METHODS:
        give(method=method)


@HOSTILE
@given(raw=octets)
def test_any_credentials_by_http_basic(with_secrets, post_form, raw):
    for header in (encode(raw)["Authorization"], "Basic " + raw.decode("latin-1").replace("\n", "").replace("\r", "")):
        answer = post_form(headers={"Authorization": header})

        assert answer.status_code == 401
        assert answer.json == INVALID_CLIENT


@HOSTILE
@given(client_id=texts | st.just(CLIENT_ID), password=texts)
def test_any_credentials_in_the_form(with_secrets, app, client_id, password):
    data = urlencode({"client_id": client_id, "client_secret": password}, errors="surrogatepass")
    answer = app.test_client().post("/oauth2/token", data=data, content_type="application/x-www-form-urlencoded")

    assert answer.status_code in (400, 401)
    assert answer.json["error"] in ("invalid_client", "invalid_request")


def test_application_hears_only_of_a_client_whose_secret_was_right(oauth, client, give, show, method):
    heard = []
    oauth.after_client_authentication(lambda caller, request: heard.append(caller.client_id))
    give(method=method)

    show(OTHER)
    assert heard == []
    show()
    assert heard == [CLIENT_ID]
