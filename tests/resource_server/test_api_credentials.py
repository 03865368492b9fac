"""What a request may carry, and how (RFC 6750 §2, RFC 9449 §7.1)."""

import pytest

from tests.refusals import causes
from tests.resource_server.api_answers import INVALID_REQUEST, INVALID_TOKEN, MISSING_TOKEN, challenges

EVERY_FRAMEWORK = True


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_bearer_scheme_is_case_insensitive(call, build_token, scheme):
    assert call.send("/any", Authorization=f"{scheme} {build_token()}").status_code == 200


def test_several_spaces_before_the_token_are_accepted(call, build_token):
    assert call.send("/any", Authorization=f"Bearer   {build_token()}").status_code == 200


@pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*", "image/png", "application/json;q=0"])
@pytest.mark.parametrize(("scope", "status"), [("read", 200), ("other", 403)])
def test_any_accept_header_gets_json(call, build_token, accept, scope, status):
    answer = call.bearer(build_token(scope=scope), path="/read", Accept=accept)

    assert answer.status_code == status
    assert answer.content_type == "application/json"


def test_a_request_without_credentials_is_refused(call, refusals):
    answer = call.send("/any")

    assert answer.status_code == 401
    assert answer.json == MISSING_TOKEN
    assert causes(refusals) == ["token_missing"]


@pytest.mark.parametrize(
    "header", ["", "Basic Y2xpZW50OnNlY3JldA==", 'Digest username="a", realm="b"', "é", "Bearerx y"]
)
def test_another_scheme_counts_as_no_credentials(call, refusals, header):
    answer = call.send("/any", Authorization=header)

    assert answer.status_code == 401
    assert answer.json == MISSING_TOKEN
    scheme = header.partition(" ")[0].replace("é", "\\xe9")
    assert refusals == [f"the authorization scheme '{scheme}' is not known"]
    assert causes(refusals) == ["authorization_scheme_unknown"]
    assert all("error" not in challenge for challenge in challenges(answer))


@pytest.mark.parametrize("header", ["Bearer", "DPoP", "Bearer ", "Bearer a b", "DPoP a b c"])
def test_a_header_without_exactly_one_token_is_refused(call, refusals, header):
    answer = call.send("/any", Authorization=header)

    assert answer.status_code == 400
    assert answer.json == INVALID_REQUEST
    assert causes(refusals) == ["authorization_header_malformed"]


@pytest.mark.parametrize(
    "header",
    ["Bearer {t}, Bearer {t}", "Bearer {t},DPoP {t}", "DPoP {t},Bearer {t}", "Basic abc,Bearer {t}", "Bearer {t},x"],
)
def test_two_authorization_headers_are_refused(call, refusals, build_token, header):
    answer = call.send("/any", Authorization=header.replace("{t}", build_token()))

    assert answer.status_code == 400
    assert answer.json == INVALID_REQUEST
    assert causes(refusals) == ["authorization_header_repeated"]


def test_a_token_in_the_query_is_not_read(call, refusals, build_token):
    answer = call.send("/any", query=f"access_token={build_token()}")

    assert answer.status_code == 401
    assert answer.json == MISSING_TOKEN
    assert causes(refusals) == ["token_missing"]


@pytest.mark.parametrize(
    "query", ["access_token=x", "a=b&access_token=x", "access_token", "access_token=", "access_token&a"]
)
def test_a_token_in_header_and_query_is_refused(call, refusals, query):
    answer = call.bearer(query=query)

    assert answer.status_code == 400
    assert answer.json == INVALID_REQUEST
    assert causes(refusals) == ["token_in_query"]


@pytest.mark.parametrize("query", ["my_access_token=x", "a=access_token", "access_tokens=1"])
def test_other_parameters_in_the_query_are_the_views_own(call, query):
    assert call.bearer(query=query).status_code == 200


def test_a_token_in_the_body_is_not_read(app, build_token, refusals):
    answer = app.test_client().post("/any", data={"access_token": build_token()})

    assert answer.status_code == 401
    assert causes(refusals) == ["token_missing"]


def test_a_form_field_named_access_token_is_the_views_own(app, build_token):
    headers = {"Authorization": f"Bearer {build_token()}"}

    assert app.test_client().post("/any", data={"access_token": "x"}, headers=headers).status_code == 200


@pytest.mark.parametrize("token", ["garbage", "a.b", "..", "é", "a.b.c.d.e", "%", "token68=="])
def test_a_malformed_token_is_refused(call, refusals, token):
    answer = call.bearer(token)

    assert answer.status_code == 401
    assert answer.json == INVALID_TOKEN
    assert causes(refusals) == ["token_malformed"]


def test_a_proof_with_a_bearer_token_is_not_looked_at(call):
    assert call.bearer(DPoP="whatever").status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
def test_refusals_are_json_that_is_not_stored(call, scheme):
    answer = call.send("/any", Authorization=f"{scheme} x")

    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.headers["Error-Reference"]) == 16


def test_the_same_refusal_always_reads_the_same(call, build_token, keys):
    unknown_key = call.bearer(build_token(key=keys("ES256", "stranger")))
    wrong_audience = call.bearer(build_token(aud="https://other.example"))
    expired = call.bearer(build_token(exp=1))

    references = [answer.headers.pop("Error-Reference") for answer in (unknown_key, wrong_audience, expired)]
    assert len(set(references)) == 3
    assert unknown_key.data == wrong_audience.data == expired.data
    assert unknown_key.headers == wrong_audience.headers == expired.headers


def test_nothing_secret_is_logged(call, caplog, build_token, build_proof, proof_key):
    token = build_token(bound_to=proof_key)
    proof = build_proof(token, htm="PUT")
    call.dpop(token, proof=proof)
    call.bearer(token)

    assert "resource refused" in caplog.text
    for secret in (token, proof, token.split(".")[2], proof.split(".")[2]):
        assert secret not in caplog.text
