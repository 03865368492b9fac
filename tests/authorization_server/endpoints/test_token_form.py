"""How a token request must be sent."""

from urllib.parse import urlencode

import pytest

from tests.authorization_server.endpoints.answers import assert_json_never_stored, assert_refused
from tests.conftest import ASSERTION_TYPE, SECRET
from tests.refusals import causes

PATH = "/oauth2/token"
FORM_TYPE = "application/x-www-form-urlencoded"
TOO_LARGE = {"error": "invalid_request", "error_description": "The request is too large."}


@pytest.fixture
def fields(client, build_assertion):
    """The parameters of a valid request."""
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": build_assertion(),
        "client_id": "console",
        "scope": "read",
    }


@pytest.fixture
def http(app):
    return app.test_client()


def encode(pairs):
    return urlencode(list(pairs)).encode()


# --- method -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "FOO"])
def test_other_method_is_answered_405(method, http, fields, refusals):
    answer = http.open(PATH, method=method, data=fields)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.json["error"] == "invalid_request"
    assert_json_never_stored(answer)
    assert refusals == [f"method {method!r}"]
    assert causes(refusals) == ["method_not_allowed"]


def test_head_is_answered_405_without_a_body(http):
    answer = http.head(PATH)

    assert (answer.status_code, answer.headers["Allow"], answer.data) == (405, "POST", b"")


def test_options_names_the_method_and_grants_no_other_origin_anything(http):
    answer = http.options(PATH, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})

    assert (answer.status_code, answer.headers["Allow"], answer.data) == (204, "POST, OPTIONS", b"")
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_answer_grants_no_other_origin_anything(http, fields):
    answer = http.post(PATH, data=fields, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 200
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    "accept", ["*/*", "text/html", "application/xml", "application/json;q=0", "", "\xff", "a" * 5000]
)
def test_whatever_is_asked_for_the_answer_is_json(accept, http, fields):
    answer = http.post(PATH, data=fields, headers={"Accept": accept})

    assert answer.status_code == 200
    assert_json_never_stored(answer)


# --- content type -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("content_type", [FORM_TYPE, f"{FORM_TYPE}; charset=UTF-8", FORM_TYPE.upper()])
def test_form_is_accepted(content_type, http, fields):
    assert http.post(PATH, data=encode(fields.items()), content_type=content_type).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", "", "x", f"{FORM_TYPE}x", "é"]
)
def test_other_content_type_is_refused(content_type, http, fields, refusals):
    answer = http.post(PATH, data=encode(fields.items()), content_type=content_type)

    assert_refused(answer, "invalid_request", refusals, "content_type")


def test_missing_content_type_is_refused(http, fields, refusals):
    answer = http.post(PATH, data=encode(fields.items()))

    assert_refused(answer, "invalid_request", refusals, "content_type", says="content type '' is not")


def test_json_is_refused(http, fields, refusals):
    assert_refused(
        http.post(PATH, json=fields),
        "invalid_request",
        refusals,
        "content_type",
        says="content type 'application/json' is not",
    )


def test_multipart_is_refused(http, fields, refusals):
    answer = http.post(PATH, data=fields, content_type="multipart/form-data")

    assert_refused(
        answer, "invalid_request", refusals, "content_type", says="content type 'multipart/form-data; boundary="
    )


# --- query and body ---------------------------------------------------------------------------------------
def test_parameters_in_the_query_are_not_read(http, fields, refusals):
    answer = http.post(PATH, query_string=fields, content_type=FORM_TYPE)

    assert_refused(answer, "invalid_client", refusals, "assertion_missing")


@pytest.mark.parametrize("name", ["grant_type", "client_assertion", "client_assertion_type"])
def test_parameter_that_is_in_the_query_only_is_missing(name, http, fields, refusals):
    value = fields.pop(name)

    answer = http.post(PATH, query_string={name: value}, data=fields)

    assert answer.status_code == 400
    assert len(refusals) == 1


def test_query_changes_nothing(http, fields):
    query = {"scope": "write", "resource": "https://evil.example", "grant_type": "password", "client_secret": "x"}

    answer = http.post(PATH, query_string=query, data=fields)

    assert (answer.status_code, answer.json["scope"]) == (200, "read")


@pytest.mark.parametrize(
    "name", ["grant_type", "client_assertion", "client_assertion_type", "client_id", "scope", "made_up"]
)
@pytest.mark.parametrize("second", ["same", "other", ""])
def test_parameter_sent_twice_is_refused(name, second, http, fields, refusals):
    value = fields.setdefault(name, "x")
    pairs = [*fields.items(), (name, value if second == "same" else second)]

    answer = http.post(PATH, data=encode(pairs), content_type=FORM_TYPE)

    assert_refused(
        answer, "invalid_request", refusals, "parameter_repeated", says=f"parameter {name!r} is sent more than once"
    )


@pytest.mark.parametrize("name", ["made_up", "é", "x" * 200, "\x00", ""])
def test_unknown_parameter_is_ignored(name, http, fields):
    assert http.post(PATH, data={**fields, name: "x"}).status_code == 200


def test_empty_parameter_counts_as_absent(http, fields):
    answer = http.post(PATH, data={**fields, "scope": "", "client_id": "", "resource": ""})

    assert (answer.status_code, answer.json["scope"]) == (200, "read")


# --- size and encoding ------------------------------------------------------------------------------------
def test_body_up_to_the_limit_is_read(http, fields):
    body = encode(fields.items()) + b"&more="

    assert http.post(PATH, data=body.ljust(65536, b"x"), content_type=FORM_TYPE).status_code == 200


@pytest.mark.parametrize("length", [65537, 200_000])
def test_larger_body_is_refused(length, http, fields, refusals):
    body = encode(fields.items()) + b"&more="

    answer = http.post(PATH, data=body.ljust(length, b"x"), content_type=FORM_TYPE)

    assert (answer.status_code, answer.json) == (413, TOO_LARGE)
    assert_json_never_stored(answer)
    assert refusals == ["the body is longer than 65536 bytes"]
    assert causes(refusals) == ["body_too_large"]


@pytest.mark.parametrize("settings", [{"OAUTH2_REQUEST_MAX_BYTES": 4096, "MAX_CONTENT_LENGTH": 10}])
def test_limit_is_our_setting_whatever_the_app_has(http, fields):
    body = encode(fields.items()) + b"&more="

    assert http.post(PATH, data=body.ljust(4096, b"x"), content_type=FORM_TYPE).status_code == 200
    assert http.post(PATH, data=body.ljust(4097, b"x"), content_type=FORM_TYPE).status_code == 413


def test_as_many_parameters_as_allowed_are_read(http, fields):
    more = {f"more{number}": "x" for number in range(64 - len(fields))}

    assert http.post(PATH, data={**fields, **more}).status_code == 200


def test_more_parameters_are_refused(http, fields, refusals):
    more = {f"more{number}": "x" for number in range(65 - len(fields))}

    answer = http.post(PATH, data={**fields, **more})

    assert_refused(answer, "invalid_request", refusals, "form_malformed", says="the form cannot be parsed: ValueError")


@pytest.mark.parametrize("part", [b"&x=%FF", b"&%C3%28=x", b"&x=\xff", "&x=é".encode(), b"&x=%ED%A0%80"])
def test_form_that_is_not_utf_8_is_refused(part, http, fields, refusals):
    answer = http.post(PATH, data=encode(fields.items()) + part, content_type=FORM_TYPE)

    assert_refused(
        answer, "invalid_request", refusals, "form_malformed", says="the form cannot be parsed: UnicodeDecodeError"
    )


@pytest.mark.parametrize(
    "name", ["grant_type", "client_assertion", "client_assertion_type", "client_id", "scope", "resource"]
)
def test_odd_text_in_any_parameter_is_refused(name, http, fields, refusals):
    for value in ("\x00", "a\x00b", "\n", "é", "\U0001f511", "'\"\\", "[" * 5000, "x" * 60000):
        refusals.clear()
        answer = http.post(PATH, data={**fields, name: value})

        assert answer.status_code == 400
        assert_json_never_stored(answer)
        assert len(refusals) == 1
        assert len(refusals[0]) <= 600
        assert refusals[0].isprintable()


# --- whatever else comes along ------------------------------------------------------------------------------
FORGED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-For": "127.0.0.1",
    "Forwarded": "host=evil.example;proto=http",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "X-HTTP-Method-Override": "GET",
}


@pytest.mark.parametrize("header", FORGED)
def test_forged_host_and_proxy_headers_change_nothing(header, http, fields, build_dpop):
    answer = http.post(PATH, data=fields, headers={header: FORGED[header], "DPoP": build_dpop()})

    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP")
    assert "evil" not in str(answer.headers)


@pytest.mark.parametrize("host", ["", "a b", "é", "[", "as.example:x", "as.example:99999", "x" * 3000, "../.."])
def test_malformed_host_changes_nothing(host, http, fields):
    assert http.post(PATH, data=fields, headers={"Host": host.encode().decode("latin-1")}).status_code == 200


@pytest.mark.parametrize(
    "cookie", ["session=x", "session=.eJx.x.x", "session", "=;=;=", "\xff" * 100, f"session={SECRET}"]
)
def test_cookies_change_nothing(cookie, http, fields):
    answer = http.post(PATH, data=fields, headers={"Cookie": cookie})

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
