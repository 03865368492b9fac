"""The claims of a JWT that others made: one rule for each claim, and how a problem becomes a refusal."""

import pytest

from flask_private_key_jwt.errors import InvalidRequestObject, InvalidToken
from flask_private_key_jwt.jose import jose

API = "https://api.example"


def problem_of(check, *arguments):
    with pytest.raises(jose.JoseProblem) as caught:
        check(*arguments)
    return str(caught.value), caught.value.cause


# --- aud ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "audiences"), [(API, (API,)), ([API], (API,)), (["a", API], ("a", API)), ([], ()), ("", ("",))]
)
def test_audience_is_one_or_several(given, audiences):
    assert jose.require_audience({"aud": given}) == audiences


@pytest.mark.parametrize("given", [None, 5, True, {API: 1}, [API, 5], [[API]], [None]])
def test_audience_of_another_form_is_refused(given):
    wrong = ("aud is neither a string nor a list of strings", "aud_malformed")

    assert problem_of(jose.require_audience, {"aud": given}) == wrong
    assert problem_of(jose.check_audience, {"aud": given}, API) == wrong


def test_audience_that_is_missing_is_refused():
    assert problem_of(jose.require_audience, {}) == ("missing claim 'aud'", "aud_missing")


@pytest.mark.parametrize("given", [API, [API], ["a", API]])
def test_audience_that_names_us_is_accepted(given):
    jose.check_audience({"aud": given}, API)


@pytest.mark.parametrize("given", ["", [], API + "/", API.upper(), "https://api.exampl", ["a", "b"]])
def test_audience_that_names_others_is_refused(given):
    assert problem_of(jose.check_audience, {"aud": given}, API) == (f"aud {given!r} does not name {API!r}", "aud")


# --- a claim with one good value ------------------------------------------------------------------------
def test_claim_that_is_as_expected_is_accepted():
    jose.check_claim({"iss": API}, "iss", API)


@pytest.mark.parametrize("given", [None, "", 5, [API], API + "/", API.upper()])
def test_claim_that_is_another_is_refused(given):
    assert problem_of(jose.check_claim, {"iss": given}, "iss", API) == (f"iss {given!r} is not {API!r}", "iss")


def test_claim_that_is_missing_is_refused():
    assert problem_of(jose.check_claim, {}, "iss", API) == ("missing claim 'iss'", "iss_missing")


def test_foreign_text_is_quoted_and_bounded():
    reason, _ = problem_of(jose.check_claim, {"iss": "\n" + "x" * 500}, "iss", API)

    assert reason.startswith("iss '\\nxxx")
    assert len(reason) < 250


# --- refusals -------------------------------------------------------------------------------------------
def test_problem_becomes_a_refusal_that_names_the_kind_of_jwt():
    problem = jose.JoseProblem("expired, 5 s ago", cause="expired")

    refusal = problem.as_refusal(InvalidToken, "token", client_id="c")
    assert (refusal.reason, refusal.cause, refusal.client_id) == ("token: expired, 5 s ago", "token_expired", "c")
    refusal = problem.as_refusal(InvalidRequestObject, "request object")
    assert (refusal.reason, refusal.cause) == ("request object: expired, 5 s ago", "request_object_expired")
