"""The whole way, once: request, sign-in, consent, code, token, refresh; with and without PAR and DPoP."""

from flask_private_key_jwt.jose import jose
from tests.authorization_server.conftest import APP_ID, PAR_URL, Browser, answer_in, build_request
from tests.conftest import ISSUER
from tests.refusals import causes


def claims_of(answer):
    assert answer.status_code == 200, answer.json
    return jose.decode_unverified(answer.json["access_token"])[1]


def test_person_signs_in_consents_and_the_client_gets_a_token(browser, webapp, redeem, clock):
    to_sign_in = browser.open(build_request())
    assert to_sign_in.headers["Location"].startswith("/test/login?next=%2Foauth2%2Fauthorize")
    browser.sign_in()
    page = browser.open(build_request())
    assert page.status_code == 200
    answer = answer_in(browser.decide(page))

    assert answer == {"tenant": "1", "code": answer["code"], "state": build_request()["state"], "iss": ISSUER}
    token = redeem(answer["code"])
    claims = claims_of(token)
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("alice", APP_ID, "read")
    assert claims["auth_time"] == clock.now
    assert token.json["token_type"] == "Bearer"
    assert token.headers["Cache-Control"] == "no-store"


def test_pushed_request_with_dpop_and_refresh(browser, push, redeem, refresh, build_dpop, proof_key, keys, clock):
    pushed = push(proof=build_dpop(htu=PAR_URL))
    assert (pushed.status_code, pushed.json["expires_in"]) == (201, 90)
    assert pushed.headers["Cache-Control"] == "no-cache, no-store"
    query = {"client_id": APP_ID, "request_uri": pushed.json["request_uri"]}
    browser.open(query)
    browser.sign_in()
    answer = answer_in(browser.decide(browser.open(query)))

    token = redeem(answer["code"], proof=build_dpop())
    assert claims_of(token)["cnf"] == {"jkt": proof_key.public.thumbprint}
    other = keys("ES256", "another")
    again = refresh(token.json["refresh_token"], proof=build_dpop(key=other))
    assert claims_of(again)["cnf"] == {"jkt": other.public.thumbprint}
    assert claims_of(again)["grant_id"] == claims_of(token)["grant_id"]
    assert "refresh_token" not in again.json


def test_public_client_gets_tokens_bound_to_its_key(app, people, native, post, build_dpop, keys):
    browser = Browser(app).sign_in()
    redirect_uri = "http://127.0.0.1:49152/callback"
    page = browser.open(build_request(client_id="native", redirect_uri=redirect_uri))
    location = browser.decide(page).headers["Location"]
    code = location.partition("code=")[2].partition("&")[0]
    form = {
        "grant_type": "authorization_code",
        "client_id": "native",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": "v" * 43,
    }
    token = post("/oauth2/token", assertion=False, proof=build_dpop(), **form)

    assert (token.status_code, token.json["token_type"]) == (200, "DPoP")
    form = {"grant_type": "refresh_token", "client_id": "native", "refresh_token": token.json["refresh_token"]}
    stolen = post("/oauth2/token", assertion=False, proof=build_dpop(key=keys("ES256", "another")), **form)
    assert stolen.json["error"] == "invalid_grant"
    again = post("/oauth2/token", assertion=False, proof=build_dpop(), **form)
    assert again.status_code == 200
    assert again.json["refresh_token"] != token.json["refresh_token"]


def test_without_people_there_is_no_authorization_endpoint(app, client, refusals):
    answer = app.test_client().get("/oauth2/authorize")

    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert app.test_client().post("/oauth2/par").status_code == 404
    metadata = app.test_client().get("/.well-known/oauth-authorization-server").json
    assert metadata["grant_types_supported"] == ["client_credentials"]
    assert not {name for name in metadata if "authorization_endpoint" in name or "pushed" in name}
    assert refusals == ["the application says nothing of its people"] * 2
    assert causes(refusals) == ["endpoint_not_served"] * 2


def test_metadata_says_what_there_is(app, people):
    metadata = app.test_client().get("/.well-known/oauth-authorization-server").json

    assert metadata["authorization_endpoint"] == f"{ISSUER}/oauth2/authorize"
    assert metadata["pushed_authorization_request_endpoint"] == PAR_URL
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["response_modes_supported"] == ["query", "form_post"]
    assert metadata["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "require_pushed_authorization_requests" not in metadata  # and so is false
    assert metadata["request_uri_parameter_supported"] is False
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "none"]
    assert metadata["introspection_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert metadata["revocation_endpoint_auth_methods_supported"] == ["private_key_jwt", "none"]
