"""MachineLimits: by address before authentication, by client after it, and never a limit that somebody else uses up."""

import logging

import pytest
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_private_key_jwt import MachineLimits
from flask_private_key_jwt.authorization_server.endpoints import BELOW_ISSUER, MACHINE_ENDPOINTS, WELL_KNOWN
from flask_private_key_jwt.authorization_server.machine_limits import PUBLIC
from flask_private_key_jwt.errors import ConfigurationError
from tests.authorization_server.conftest import build_request
from tests.conftest import CLIENT_ID
from tests.refusals import causes


@pytest.fixture
def limit(app, oauth, clock, monkeypatch):
    """Limit the endpoints of the app; the limiter's clock is the test's."""
    monkeypatch.setattr("time.time", lambda: clock.now)

    def limit(**limits):
        limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
        made = MachineLimits(oauth, limiter, **limits)
        made.init_app(app)
        return limiter

    return limit


def test_address_may_ask_until_its_limit_and_again_when_the_window_is_over(limit, ask_token, refusals, clock):
    limit(by_address="2 per minute")

    assert [ask_token().status_code for _ in range(2)] == [200, 200]
    refused = ask_token()

    assert refused.status_code == 429
    assert refused.json["error"] == "temporarily_unavailable"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert causes(refusals) == ["limit_address"]
    clock.move(int(refused.headers["Retry-After"]))
    assert ask_token().status_code == 200


def test_address_has_a_limit_at_each_endpoint(limit, ask_token, post_as):
    limit(by_address="1 per minute")

    assert ask_token().status_code == 200
    assert post_as(CLIENT_ID, "/oauth2/introspect", token="unknown").status_code == 200


def test_other_address_is_not_limited(limit, app, ask_token):
    limit(by_address="1 per minute")
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)

    answers = [ask_token(headers={"X-Forwarded-For": f"192.0.2.{number}"}) for number in (1, 2, 1)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_ipv6_network_counts_as_one_address(limit, app, ask_token):
    limit(by_address="1 per minute")
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)

    answers = [
        ask_token(headers={"X-Forwarded-For": f"2001:db8:0:{net}::{host}"}) for net, host in ((1, 1), (1, 2), (2, 1))
    ]

    assert [answer.status_code for answer in answers] == [200, 429, 200]


def test_caller_without_an_address_is_not_counted(limit, app, ask_token):
    limit(by_address="1 per minute")
    inner = app.wsgi_app

    def on_a_unix_socket(environ, start_response):
        environ["REMOTE_ADDR"] = ""
        return inner(environ, start_response)

    app.wsgi_app = on_a_unix_socket

    assert [ask_token().status_code for _ in range(3)] == [200, 200, 200]


def test_documents_for_everybody_are_not_counted(limit, app):
    limit(by_address="1 per minute")

    answers = [app.test_client().get("/.well-known/oauth-authorization-server") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "smart", "OAUTH2_REPLAY_STORE": "sql"}])
def test_document_that_smart_clients_read_first_is_not_counted_either(limit, app):
    limit(by_address="1 per minute")

    answers = [app.test_client().get("/.well-known/smart-configuration") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


def test_documents_for_everybody_are_those_that_every_page_may_read():
    tables = (*MACHINE_ENDPOINTS, *WELL_KNOWN, *BELOW_ISSUER)

    assert {endpoint.name for endpoint in tables if endpoint.cross_origin == "everybody"} == PUBLIC - {"stylesheet"}


@pytest.mark.parametrize("settings", [{"OAUTH2_CORS_ORIGINS": ["https://spa.example"]}])
def test_preflight_uses_up_nothing(limit, app, ask_token):
    limit(by_address="1 per minute")
    preflight = {"Origin": "https://spa.example", "Access-Control-Request-Method": "POST"}
    http = app.test_client()

    answers = [http.options("/oauth2/token", headers=preflight) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [204, 204, 204]
    assert [ask_token(headers={"Origin": "https://spa.example"}).status_code for _ in range(2)] == [200, 429]
    assert http.options("/oauth2/token", headers=preflight).status_code == 204


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://spa.example"}, {"Access-Control-Request-Method": "POST"}])
def test_what_only_resembles_a_preflight_is_counted(headers, limit, app, refusals):
    limit(by_address="1 per minute")

    answers = [app.test_client().options("/oauth2/token", headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 429]
    assert causes(refusals) == ["limit_address"]


def test_client_may_ask_until_its_limit(limit, ask_token, refusals):
    limit(by_client="2 per minute")

    assert [ask_token().status_code for _ in range(3)] == [200, 200, 429]
    assert causes(refusals) == ["limit_client"]


def test_requests_that_do_not_authenticate_use_up_no_client_s_limit(limit, ask_token, build_assertion, keys, refusals):
    limit(by_client="2 per minute")
    forged = keys("ES256", "somebody else")

    for _ in range(5):
        ask_token(assertion=build_assertion(key=forged))

    assert [ask_token().status_code for _ in range(2)] == [200, 200]
    assert causes(refusals) == ["assertion_no_key"] * 5


def test_repeated_request_of_a_client_uses_up_nothing_of_its_limit(limit, ask_token, build_assertion, refusals):
    limit(by_client="2 per minute")
    once = build_assertion()

    assert ask_token(assertion=once).status_code == 200
    assert [ask_token(assertion=once).status_code for _ in range(5)] == [400] * 5

    assert ask_token().status_code == 200
    assert set(causes(refusals)) == {"assertion_replayed"}


def test_client_is_heard_of_with_its_request_once_it_has_proved_who_it_is(oauth, ask_token, build_assertion):
    heard = []
    oauth.after_client_authentication(lambda client, request: heard.append((client.client_id, request.endpoint)))

    ask_token(assertion=build_assertion(aud="https://elsewhere.example"))
    ask_token()

    assert heard == [(CLIENT_ID, "token")]


def test_public_client_which_proves_nothing_is_not_heard_of(app, people, register):
    heard = []
    people.after_client_authentication(lambda client, request: heard.append(client.client_id))
    register(
        client_id="phone",
        token_endpoint_auth_method="none",
        grant_types=["authorization_code"],
        redirect_uris=["https://phone.example/callback"],
        scope="read",
    )

    pushed = app.test_client().post(
        "/oauth2/par", data=dict(build_request(client_id="phone", redirect_uri="https://phone.example/callback"))
    )

    assert (pushed.status_code, heard) == (201, [])


def test_both_limits_count(limit, ask_token, refusals):
    limit(by_address="3 per minute", by_client="2 per minute")

    assert [ask_token().status_code for _ in range(4)] == [200, 200, 429, 429]
    assert causes(refusals) == ["limit_client", "limit_address"]


def test_storage_that_does_not_answer_means_503(limit, app, ask_token, refusals, monkeypatch):
    limiter = limit(by_client="2 per minute")
    monkeypatch.setattr(limiter.limiter, "hit", _fail)

    refused = ask_token()

    assert refused.status_code == 503
    assert causes(refusals) == ["limit_storage_away"]


def test_storage_that_does_not_answer_lets_requests_pass_where_the_application_says_so(
    limit, app, ask_token, monkeypatch, caplog
):
    limiter = limit(by_client="2 per minute")
    app.config["RATELIMIT_SWALLOW_ERRORS"] = True
    monkeypatch.setattr(limiter.limiter, "hit", _fail)

    assert ask_token().status_code == 200
    assert "nothing was counted by client: ConnectionError" in caplog.text


def _fail(*_):
    raise ConnectionError("away")


def test_start_says_that_nobody_knows_whose_address_it_is(limit, caplog):
    with caplog.at_level(logging.WARNING):
        limit(by_address="1 per minute")

    assert "nothing says whose address it is" in caplog.text


@pytest.mark.parametrize("trusted", [True, False])
def test_start_is_silent_where_the_application_says_it(limit, caplog, trusted):
    limit(by_address="1 per minute", by_client="9 per minute", trust_address=trusted)

    assert "MachineLimits" not in caplog.text


def test_start_is_silent_behind_a_proxy_fix(limit, app, caplog):
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)

    limit(by_address="1 per minute")

    assert "MachineLimits" not in caplog.text


def test_address_that_is_not_to_be_trusted_is_not_counted(limit, ask_token):
    limit(by_address="1 per minute", by_client="9 per minute", trust_address=False)

    assert [ask_token().status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    ("limits", "says"),
    [({}, "limits nothing"), ({"by_address": "often"}, "by_address is not a limit: 'often'")],
)
def test_limits_that_make_no_sense_are_refused(limit, limits, says):
    with pytest.raises(ConfigurationError, match=says):
        limit(**limits)
