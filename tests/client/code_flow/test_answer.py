"""client/code_flow/answer.py: whose answer it is, before anything is done with its code."""

import pytest
from werkzeug.datastructures import MultiDict

from flask_private_key_jwt.client.code_flow.answer import check_answer, read_answer
from flask_private_key_jwt.client.errors import SignInError
from tests.client.code_flow.conftest import ANSWER, PENDING
from tests.conftest import ISSUER


def check(answer, pending=PENDING, *, iss_required=True):
    return check_answer(read_answer(answer), pending, iss_required=iss_required)


@pytest.fixture
def refuses():
    def refuses(answer, cause, **options):
        with pytest.raises(SignInError) as caught:
            check(answer, **options)
        assert caught.value.cause == cause
        return str(caught.value)

    return refuses


QUERY = f"code=c-1&state={PENDING.state}&iss={ISSUER}"


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,
        list(ANSWER.items()),
        MultiDict(ANSWER),
        QUERY,
        f"?{QUERY}",
        f"https://app.example/callback?{QUERY}",
        f"/callback?{QUERY}#fragment",
        {name: [value] for name, value in ANSWER.items()},
        {**ANSWER, "session_state": "x"},
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_answer_with_everything_right_gives_its_code(answer):
    assert check(answer) == "c-1"


@pytest.mark.parametrize("name", ["code", "state", "iss", "foreign"])
@pytest.mark.parametrize("wrap", [list, MultiDict])
def test_parameter_that_is_there_twice_is_refused(name, wrap, refuses):
    refuses(wrap([*ANSWER.items(), (name, "x"), (name, "x")]), "sign_in_parameter_repeated")


@pytest.mark.parametrize(
    "answer", ["?code=%FF", [("code", 1)], {"code": None}, "?" + "&".join(f"p{number}=1" for number in range(51))]
)
def test_what_cannot_be_read_is_refused(answer, refuses):
    refuses(answer, "sign_in_malformed")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("", "sign_in_state_missing"),
        ("https://app.example/callback", "sign_in_state_missing"),
        ({**ANSWER, "state": ""}, "sign_in_state_missing"),
        ({**ANSWER, "state": PENDING.state + "x"}, "sign_in_state"),
        ({**ANSWER, "state": PENDING.state[:-1]}, "sign_in_state"),
        ({**ANSWER, "state": "\udcff"}, "sign_in_state"),
        ({"code": "c-1", "state": PENDING.state}, "sign_in_iss_missing"),
        ({**ANSWER, "iss": ""}, "sign_in_iss_missing"),
        ({**ANSWER, "iss": "https://evil.example"}, "sign_in_iss"),
        ({**ANSWER, "iss": ISSUER + "/"}, "sign_in_iss"),
        ({"state": PENDING.state, "iss": ISSUER}, "sign_in_code_missing"),
        ({**ANSWER, "code": ""}, "sign_in_code_missing"),
    ],
)
def test_answer_with_one_thing_wrong_is_refused(answer, cause, refuses):
    refuses(answer, cause)


def test_answer_without_iss_is_accepted_only_where_it_need_not_be_there(refuses):
    bare = {"code": "c-1", "state": PENDING.state}

    assert check(bare, iss_required=False) == "c-1"
    assert "allow_missing_iss=True" in refuses(bare, "sign_in_iss_missing")


def test_wrong_iss_is_refused_also_where_there_need_be_none(refuses):
    refuses({**ANSWER, "iss": "https://evil.example"}, "sign_in_iss", iss_required=False)


def test_answer_is_late_at_the_end_of_its_hour(clock, refuses):
    clock.move(3599)
    assert check(ANSWER) == "c-1"

    clock.move(1)
    refuses(ANSWER, "sign_in_late")


def test_error_of_the_server_is_told_in_words(refuses):
    answer = {"error": "access_denied", "error_description": "No.", "state": PENDING.state, "iss": ISSUER}

    with pytest.raises(SignInError) as caught:
        check(answer)

    assert (caught.value.cause, caught.value.error, caught.value.description) == (
        "sign_in_refused",
        "access_denied",
        "No.",
    )
    assert str(caught.value) == 'The server answered access_denied ("No."). The person, or the server, said no.'


@pytest.mark.parametrize("change", [{"state": "another"}, {"iss": "https://evil.example"}, {"iss": None}])
def test_error_from_somebody_else_is_no_answer(change, refuses):
    answer = {"error": "access_denied", "state": PENDING.state, "iss": ISSUER, **change}

    said = refuses(
        {name: value for name, value in answer.items() if value},
        next(f"sign_in_{name}" + ("_missing" if value is None else "") for name, value in change.items()),
    )
    assert "access_denied" not in said


def test_what_a_server_writes_is_shown_on_one_line_without_jwts(refuses):
    error = "x\r\n\x1b[31m<script> eyJhbGciOiJub25lIn0.e30."
    said = refuses({"error": error, "state": PENDING.state, "iss": ISSUER}, "sign_in_refused")

    assert "answered x???[31m<script> [JWT]." in said
