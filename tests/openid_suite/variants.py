"""In which variants a module is run, and the ways it may be refused."""

import pytest

from tests.openid_suite.relying_party import ERROR_TEXT, OPENID_SCOPE, SCOPE
from tests.refusals import causes

BOTH_ALGS = pytest.mark.parametrize("alg", ["PS256", "ES256"])
NONCES_OR_NOT = pytest.mark.parametrize("nonces", [False, True], ids=["no_nonces", "nonces"])
OPENID_OR_NOT = pytest.mark.parametrize("scope", [SCOPE, OPENID_SCOPE], ids=["plain_oauth", "openid_connect"])


def assert_refused(answer, refusals, cause, *errors, says=""):
    """A refusal in JSON with one of *errors*, for *cause* (RFC 6749 §5.2)."""
    assert answer.status_code == 400, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["error"] in errors
    assert ERROR_TEXT.fullmatch(answer.json["error_description"])
    assert causes(refusals) == [cause], refusals
    assert refusals[0].startswith(says)


def assert_page(answer, refusals, cause, *, says=""):
    """A page for the person: the client's place is not known, or not to be told."""
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "Location" not in answer.headers
    assert causes(refusals) == [cause], refusals
    assert refusals[0].startswith(says)
