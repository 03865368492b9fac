"""Requests to the authorization endpoint: which errors are shown on a page, and which go to the client."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import flask
import pytest

from tests.authorization_server.conftest import APP_ID, PATH, REDIRECT_URI, answer_in, build_request
from tests.conftest import ISSUER
from tests.refusals import causes


def assert_page(answer, refusals, cause, status=400, *, says=""):
    assert (answer.status_code, answer.mimetype) == (status, "text/html"), answer.headers
    assert "Location" not in answer.headers
    assert answer.headers["Error-Reference"] in answer.text
    assert causes(refusals) == [cause], refusals
    assert refusals[0].startswith(says)


# --- a page, never a redirect -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "cause", "says"),
    [
        ({"client_id": None}, "client_unknown", "client '' is not registered"),
        ({"client_id": "nobody"}, "client_unknown", "client 'nobody' is not registered"),
        ({"client_id": "é"}, "client_unknown", "client '\\xe9' is not registered"),
        ({"redirect_uri": None}, "redirect_uri_missing", ""),
        (
            {"redirect_uri": "https://evil.example"},
            "redirect_uri_not_registered",
            "redirect_uri 'https://evil.example' is not registered",
        ),
        (
            {"redirect_uri": REDIRECT_URI + "&x=1"},
            "redirect_uri_not_registered",
            "redirect_uri 'https://app.example/callback?tenant=1&x=1' is not",
        ),
        (
            {"redirect_uri": REDIRECT_URI.partition("?")[0]},
            "redirect_uri_not_registered",
            "redirect_uri 'https://app.example/callback' is not",
        ),
        (
            {"redirect_uri": REDIRECT_URI + "#x"},
            "redirect_uri_not_registered",
            "redirect_uri 'https://app.example/callback?tenant=1#x' is not",
        ),
        (
            {"redirect_uri": REDIRECT_URI.upper()},
            "redirect_uri_not_registered",
            "redirect_uri 'HTTPS://APP.EXAMPLE/CALLBACK?TENANT=1' is not",
        ),
        ({"redirect_uri": '"><script>'}, "redirect_uri_not_registered", "redirect_uri '\"><script>' is not registered"),
        ({"response_mode": "fragment"}, "response_mode_not_supported", "response_mode 'fragment' is not supported"),
        (
            {"request_uri": "https://evil.example/r"},
            "request_uri_malformed",
            "a request_uri of 22 characters is not one of ours",
        ),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:" + "x" * 43}, "request_uri_unknown", ""),
        ({"request": "e.y.j"}, "request_object_not_base64", ""),
        (
            {"redirect_uri": [REDIRECT_URI, REDIRECT_URI]},
            "parameter_repeated",
            "parameter 'redirect_uri' is sent more than once",
        ),
        ({"client_id": [APP_ID, APP_ID]}, "parameter_repeated", "parameter 'client_id' is sent more than once"),
        ({"state": ["a", "b"]}, "parameter_repeated", "parameter 'state' is sent more than once"),
    ],
)
def test_request_that_cannot_be_answered_at_a_registered_place_is_a_page(
    change, cause, says, browser, webapp, refusals
):
    answer = browser.sign_in().open(build_request(**change))

    assert_page(answer, refusals, cause, says=says)
    assert "evil" not in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize("query", ["client_id=%FF", "client_id=é", "&".join(f"p{n}=x" for n in range(70))])
def test_query_that_cannot_be_read_is_a_page(query, browser, webapp, refusals):
    answer = browser.http.get(PATH, environ_overrides={"QUERY_STRING": query.encode().decode("latin-1")})

    assert_page(answer, refusals, "query_malformed", says="the query cannot be parsed")


def test_disabled_client_is_a_page(app, oauth, browser, webapp, refusals):
    with app.app_context():
        oauth.clients.disable(APP_ID)

    assert_page(browser.open(build_request()), refusals, "client_disabled")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(method, browser, webapp):
    answer = browser.sign_in().http.open(f"{PATH}?{urlencode(build_request())}", method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


# --- told to the client ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "error", "cause", "says"),
    [
        ({"response_type": None}, "invalid_request", "response_type_missing", "no response_type"),
        (
            {"response_type": "token"},
            "unsupported_response_type",
            "response_type_not_supported",
            "response_type 'token' is not code",
        ),
        (
            {"response_type": "code id_token"},
            "unsupported_response_type",
            "response_type_not_supported",
            "response_type 'code id_token' is not code",
        ),
        ({"code_challenge": None}, "invalid_request", "code_challenge_missing", "no code_challenge"),
        (
            {"code_challenge": "x" * 42},
            "invalid_request",
            "code_challenge_malformed",
            "code_challenge is not 43 characters",
        ),
        (
            {"code_challenge": "x" * 42 + "="},
            "invalid_request",
            "code_challenge_malformed",
            "code_challenge is not 43 characters",
        ),
        (
            {"code_challenge_method": None},
            "invalid_request",
            "code_challenge_method",
            "code_challenge_method 'plain' is not S256",
        ),
        (
            {"code_challenge_method": "plain"},
            "invalid_request",
            "code_challenge_method",
            "code_challenge_method 'plain' is not S256",
        ),
        (
            {"code_challenge_method": "s256"},
            "invalid_request",
            "code_challenge_method",
            "code_challenge_method 's256' is not S256",
        ),
        ({"scope": "read admin"}, "invalid_scope", "scope_not_registered", "scope 'admin' is not registered"),
        ({"scope": "read\twrite"}, "invalid_scope", "scope_not_registered", "scope 'read\\twrite' is not registered"),
        (
            {"resource": "https://evil.example"},
            "invalid_target",
            "resource_unknown",
            "resource 'https://evil.example' is not",
        ),
        ({"dpop_jkt": "x" * 42}, "invalid_request", "dpop_jkt_malformed", "dpop_jkt is not"),
        ({"prompt": "create"}, "invalid_request", "prompt_unknown", "prompt 'create' is not known"),
        ({"prompt": "login\tconsent"}, "invalid_request", "prompt_unknown", "prompt 'login\\tconsent' is not known"),
        (
            {"prompt": "login\u00a0consent"},
            "invalid_request",
            "prompt_unknown",
            "prompt 'login\\xa0consent' is not known",
        ),
        ({"prompt": "none login"}, "invalid_request", "prompt_none_combined", "prompt none goes with no other"),
        ({"max_age": "-1"}, "invalid_request", "max_age_malformed", "max_age is not"),
        ({"max_age": "1.5"}, "invalid_request", "max_age_malformed", "max_age is not"),
        ({"max_age": "9" * 11}, "invalid_request", "max_age_malformed", "max_age is not"),
        ({"login_hint": "a\nb"}, "invalid_request", "login_hint_malformed", "login_hint is not"),
        (
            {"registration": "{}"},
            "registration_not_supported",
            "registration_parameter",
            "the parameter 'registration' was sent",
        ),
    ],
)
def test_other_refusal_goes_to_the_client_with_iss_and_state(change, error, cause, says, browser, webapp, refusals):
    request = build_request(**change)

    answer = answer_in(browser.sign_in().open(request))

    assert answer.pop("error_description")
    assert answer == {"tenant": "1", "error": error, "state": request["state"], "iss": ISSUER}
    assert len(refusals) == 1
    assert refusals[0].startswith(says)
    assert refusals[0].cause == cause


@pytest.mark.parametrize("state", ["x" * 4097, "é" * 683, "&" * 1366])
def test_state_that_is_too_long_once_encoded_is_refused_and_not_sent_back(state, browser, webapp, refusals):
    answer = answer_in(browser.sign_in().open(build_request(state=state)))

    assert (answer["error"], "state" in answer) == ("invalid_request", False)
    assert refusals == ["state is longer than 4096 bytes"]
    assert causes(refusals) == ["state_too_long"]


def test_pushed_state_that_is_too_long_is_refused(push, refusals):
    answer = push(state="x" * 4097)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert refusals == ["state is longer than 4096 bytes"]
    assert causes(refusals) == ["state_too_long"]


def test_refusal_of_a_request_without_state_has_none(browser, webapp):
    assert "state" not in answer_in(browser.open(build_request(state=None, scope="admin")))


# --- what is accepted ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", ["x", "x" * 4096, "é" * 682, "&=+%\"'<>#", "é 𝄞", "\x00\n", None])
def test_state_comes_back_as_it_was(state, browser, webapp):
    page = browser.sign_in().open(build_request(state=state))

    answer = answer_in(browser.decide(page))

    assert answer.get("state") == state
    assert set(answer) <= {"tenant", "code", "state", "iss"}


def test_unknown_and_empty_parameters_are_ignored(browser, webapp):
    page = browser.sign_in().open(build_request(nonce="n", acr_values="x", display="page", prompt="", max_age=""))

    assert page.status_code == 200


def test_code_is_long_and_new_each_time(get_code):
    codes = {get_code() for _ in range(3)}

    assert len(codes) == 3
    assert all(len(code) == 43 for code in codes)


def test_request_may_be_posted_and_goes_on_in_the_url(browser, webapp):
    answer = browser.sign_in().http.post(PATH, data=build_request())

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{PATH}?response_type=code")
    assert browser.http.get(answer.headers["Location"]).status_code == 200


def read_the_form():
    """A hook as CSRF protection has it."""
    flask.request.form.get("csrf_token")


def test_posted_request_goes_on_without_what_is_not_known(browser, webapp):
    answer = browser.http.post(PATH, data=build_request(resource=["a", "b"], display="page", client_assertion="secret"))

    query = parse_qsl(urlsplit(answer.headers["Location"]).query)
    assert query == [*build_request().items(), ("resource", "a"), ("resource", "b")]


@pytest.mark.parametrize(
    ("form", "status", "cause", "says"),
    [
        ({"data": {"state": "x" * 65536}}, 413, "body_too_large", "the body is longer than 65536 bytes"),
        ({"data": {f"p{n}": "x" for n in range(65)}}, 400, "form_too_many", "the form has more than 64 parameters"),
        (
            {"json": build_request()},
            400,
            "content_type",
            "content type 'application/json' is not application/x-www-form-urlencoded",
        ),
        ({}, 400, "content_type", "content type '' is not application/x-www-form-urlencoded"),
        (
            {"data": {"decision_token": ["a", "b"]}},
            400,
            "parameter_repeated",
            "parameter 'decision_token' is sent more than once",
        ),
        (
            {"data": {"decision_token": "a", "decision": ["deny", "allow"]}},
            400,
            "parameter_repeated",
            "parameter 'decision' is sent more",
        ),
    ],
)
@pytest.mark.parametrize("read_before", [False, True])
def test_form_that_cannot_be_read_is_a_page(form, status, cause, says, read_before, app, browser, webapp, refusals):
    if read_before:
        app.before_request(read_the_form)

    assert_page(browser.http.post(PATH, **form), refusals, cause, status, says=says)


def test_hook_of_the_application_may_read_the_form_first(app, browser, webapp):
    app.before_request(read_the_form)
    page = browser.sign_in().open(build_request())

    assert browser.http.post(PATH, data=build_request()).headers["Location"].startswith(f"{PATH}?response_type=code")
    assert "code" in answer_in(browser.decide(page))


def test_form_post_is_a_page_that_posts_itself(browser, webapp, redeem):
    page = browser.sign_in().open(build_request(response_mode="form_post", state='"><script>alert(1)</script>'))

    answer = browser.decide(page)

    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert 'action="https://app.example/callback?tenant=1"' in answer.text
    assert f'name="iss" value="{ISSUER}"' in answer.text
    assert "<script>alert" not in answer.text
    assert "script-src 'sha256-" in answer.headers["Content-Security-Policy"]
    code = answer.text.partition('name="code" value="')[2].partition('"')[0]
    assert redeem(code).status_code == 200


@pytest.mark.parametrize(
    ("redirect_uri", "accepted"),
    [("http://127.0.0.1/back", True), ("com.example.app:/back", False), ("http.example.app:/back", False)],
)
def test_form_is_posted_where_a_web_server_takes_it_only(redirect_uri, accepted, register, browser, people, refusals):
    register(
        client_id="app",
        token_endpoint_auth_method="none",
        application_type="native",
        grant_types=["authorization_code"],
        redirect_uris=[redirect_uri],
        scope="read",
    )

    answer = browser.open(build_request(client_id="app", redirect_uri=redirect_uri, response_mode="form_post"))

    if accepted:
        assert answer.status_code == 302
    else:
        assert_page(answer, refusals, "response_mode_form_post")


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_every_answer_has_the_headers_for_pages(decision, browser, webapp):
    to_sign_in = browser.open(build_request())
    page = browser.sign_in().open(build_request())
    refusal = browser.open({})

    for answer in (to_sign_in, page, refusal, browser.decide(page, decision)):
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118


def test_consent_page_names_client_and_scopes_as_text(browser, webapp):
    page = browser.sign_in().open(build_request(scope="read write"))

    assert "The &lt;b&gt;App&lt;/b&gt;" in page.text
    assert "<span>read</span></li>" in page.text
    assert "<span>write</span></li>" in page.text


# --- native clients ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:1/callback",
        "http://127.0.0.1:65535/callback",
        "com.example.app:/callback",
    ],
)
def test_native_client_may_listen_on_any_port(redirect_uri, browser, native):
    page = browser.sign_in().open(build_request(client_id="native", redirect_uri=redirect_uri))

    assert browser.decide(page).headers["Location"].startswith(redirect_uri + "?code=")


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:1/other",
        "http://localhost:1/callback",
        "http://[::1]:1/callback",
        "http://127.0.0.1:1/callback?x=1",
        "https://127.0.0.1:1/callback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:x/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "com.example.app:/other",
    ],
)
def test_only_the_port_of_a_loopback_address_may_differ(redirect_uri, browser, native, refusals):
    answer = browser.sign_in().open(build_request(client_id="native", redirect_uri=redirect_uri))

    assert_page(
        answer, refusals, "redirect_uri_not_registered", says=f"redirect_uri {redirect_uri!r} is not registered"
    )


def test_port_of_a_web_client_may_not_differ(register, client_key, browser, people, refusals):
    register(
        client_id="web",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=["https://app.example:1/"],
        scope="read",
    )

    assert_page(
        browser.open(build_request(client_id="web", redirect_uri="https://app.example:2/")),
        refusals,
        "redirect_uri_not_registered",
    )


def test_location_keeps_the_registered_uri_as_it_is(register, client_key, browser, people):
    uri = "https://app.example/%7euser/../x?a=%2f&&b"
    register(
        client_id="web",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=[uri],
        scope="read",
    )
    page = browser.sign_in().open(build_request(client_id="web", redirect_uri=uri))

    location = browser.decide(page).headers["Location"]

    assert location.startswith(uri + "&code=")
    assert urlsplit(location).fragment == ""
