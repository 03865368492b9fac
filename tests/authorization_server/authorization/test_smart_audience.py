"""``aud`` of an authorization request under the profile ``smart``: which FHIR server it is for."""

import pytest

from flask_private_key_jwt.jose import jose
from tests.authorization_server.conftest import PATH, answer_in, build_request
from tests.conftest import API
from tests.refusals import causes

SECOND = "https://ehr.example/fhir"
SMART = {"OAUTH2_PROFILE": "smart", "OAUTH2_REPLAY_STORE": "sql", "OAUTH2_RESOURCES": [API, SECOND]}
smart = pytest.mark.parametrize("settings", [SMART])


def audience_of(answer):
    return jose.decode_unverified(answer.json["access_token"])[1]["aud"]


@smart
@pytest.mark.parametrize(
    ("change", "audience"),
    [
        ({}, API),
        ({"aud": SECOND}, SECOND),
        ({"aud": ""}, API),
        ({"aud": SECOND, "resource": SECOND}, SECOND),
        ({"resource": SECOND}, SECOND),
    ],
)
def test_token_is_for_the_server_that_the_request_names(change, audience, get_code, redeem):
    assert audience_of(redeem(get_code(**change))) == audience


@smart
@pytest.mark.parametrize(
    "aud",
    ["https://evil.example/fhir", f"{SECOND}/", SECOND.upper(), f"{SECOND} {API}", "https://ehr.example", "x\x00"],
)
def test_counterfeit_server_is_refused(aud, browser, webapp, push, refusals):
    answer = answer_in(browser.sign_in().open(build_request(aud=aud)))
    pushed = push(aud=aud)

    assert (answer["error"], pushed.json["error"]) == ("invalid_target", "invalid_target")
    assert causes(refusals) == ["resource_unknown", "resource_unknown"]


@smart
@pytest.mark.parametrize(("aud", "error"), [("https://evil.example/fhir", "invalid_target"), (SECOND, None)])
def test_posted_request_names_its_server_too(aud, error, browser, webapp, redeem):
    posted = browser.sign_in().http.post(PATH, data=build_request(aud=aud))
    page = browser.http.get(posted.headers["Location"])
    answer = answer_in(page if error else browser.decide(page))

    assert answer.get("error") == error
    assert error or audience_of(redeem(answer["code"])) == SECOND


@smart
def test_one_good_name_does_not_hide_a_bad_one(browser, webapp, refusals):
    answer = answer_in(browser.sign_in().open(build_request(aud="https://evil.example", resource=SECOND)))

    assert answer["error"] == "invalid_target"
    assert causes(refusals) == ["resource_unknown"]


@smart
def test_pushed_request_keeps_it(push, browser, redeem):
    page = browser.sign_in().open({"client_id": "webapp", "request_uri": push(aud=SECOND).json["request_uri"]})

    assert audience_of(redeem(answer_in(browser.decide(page))["code"])) == SECOND


@smart
def test_aud_of_a_request_object_is_this_server(open_object, browser, redeem):
    browser.sign_in()
    page = open_object()

    assert audience_of(redeem(answer_in(browser.decide(page))["code"])) == API


@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": [API, SECOND]}])
def test_without_the_profile_it_means_nothing(get_code, redeem):
    assert audience_of(redeem(get_code(aud="https://elsewhere.example"))) == API
