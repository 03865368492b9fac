"""An answer goes to the WSGI server in one piece, unless somebody in the application wants it otherwise."""

import flask
import pytest

from flask_private_key_jwt.authorization_server.sending import WholeResponse, build_response
from flask_private_key_jwt.signals.refusal import NO_STORE, Answer

BODY = b'{"a": 1}'


def send(response, method="POST"):
    """What a WSGI server gets: the body, the status and the headers."""
    started = []
    body = response({"REQUEST_METHOD": method, "SERVER_NAME": "x", "wsgi.url_scheme": "https", "SERVER_PORT": "443"},
                    lambda status, headers: started.extend([status, headers]))  # fmt: skip
    return body, started[0], dict(started[1])


@pytest.fixture
def response():
    return build_response(Answer(200, {"a": 1}))


def test_answer_is_a_list_with_all_of_its_headers(response):
    body, status, headers = send(response)

    assert (body, status) == ([BODY], "200 OK")
    assert headers == dict([*NO_STORE, ("Content-Length", "8")])


def test_answer_without_a_body_has_no_type():
    response = build_response(Answer(204, None, NO_STORE[1:]))

    assert b"".join(send(response)[0]) == b""
    assert "Content-Type" not in response.headers


def test_body_that_is_changed_is_sent_as_it_is_then(response):
    response.set_data("something else")

    body, _, headers = send(response)
    assert (body, headers["Content-Length"]) == ([b"something else"], "14")
    assert response.get_data() == b"something else"


# --- whatever Werkzeug knows better -----------------------------------------------------------------------------
def test_who_waits_for_the_end_is_told(response):
    closed = []
    response.call_on_close(lambda: closed.append(True))

    body, _, _ = send(response)
    assert b"".join(body) == BODY
    body.close()
    assert closed == [True]


def test_answer_to_head_has_no_body(response):
    body, _, headers = send(response, "HEAD")

    assert (list(body), headers["Content-Length"]) == ([], "8")


@pytest.mark.parametrize("status", [204, 304])
def test_status_that_has_no_body_has_none(status, response):
    response.status_code = status

    assert list(send(response)[0]) == []


def test_streamed_body_is_streamed(response):
    response.response = (part for part in [b"a", b"b"])

    assert list(send(response)[0]) == [b"a", b"b"]


def test_text_in_the_body_is_encoded(response):
    response.response = ["é", b"!"]

    assert b"".join(send(response)[0]) == "é!".encode()


def test_length_that_was_taken_away_is_found_again(response):
    del response.headers["Content-Length"]

    assert send(response)[2]["Content-Length"] == "8"


def test_location_is_escaped_as_ever(response):
    response.headers["Location"] = "/é"

    assert send(response)[2]["Location"] == "/%C3%A9"


# --- the functions of the application --------------------------------------------------------------------------
def test_after_request_function_sees_and_changes_the_answer(app, ask_token):
    seen = []

    @app.after_request
    def change(response):
        seen.append((response.status_code, response.get_json()["token_type"], response.is_sequence))
        response.set_data(b"changed")
        return response

    assert ask_token().data == b"changed"
    assert seen == [(200, "Bearer", True)]


def test_after_request_function_that_waits_for_the_end_is_told(app, ask_token):
    closed = []
    app.after_request(lambda response: response.call_on_close(lambda: closed.append(True)) and response)

    ask_token().close()
    assert closed == [True]


def test_teardown_function_runs(app, ask_token):
    seen = []
    app.teardown_request(lambda error: seen.append((flask.request.path, error)))

    ask_token()
    assert seen == [("/oauth2/token", None)]


def test_application_with_a_response_class_of_its_own_gets_that(app, ask_token):
    class Own(flask.Response):
        pass

    app.response_class = Own
    seen = []
    app.after_request(lambda response: seen.append(type(response)) or response)

    assert ask_token().status_code == 200
    assert seen == [Own]


def test_answer_is_whole_to_begin_with(app, ask_token):
    seen = []
    app.after_request(lambda response: seen.append(type(response)) or response)

    ask_token()
    assert seen == [WholeResponse]


def test_token_policy_finds_the_form_in_the_request(oauth, ask_token):
    seen = []

    @oauth.token_policy
    def look(client, request, grant):
        seen.append((flask.request.form["grant_type"], flask.request.form["tenant"], flask.request.path))

    ask_token(tenant="5")
    assert seen == [("client_credentials", "5", "/oauth2/token")]


def test_limiter_that_reads_the_body_first_takes_nothing_away(oauth, ask_token):
    seen = []
    oauth.before_machine_request(lambda name: seen.append(len(flask.request.get_data())))

    assert ask_token().status_code == 200
    assert seen[0] > 100


def test_limiter_that_reads_the_body_before_the_form_takes_nothing_away(oauth, ask_token):
    seen = []

    @oauth.before_machine_request
    def look(name):
        flask.request.get_data()
        seen.append(flask.request.form["grant_type"])

    assert ask_token().status_code == 200
    assert seen == ["client_credentials"]
