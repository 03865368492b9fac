"""What the command knows of causes is what docs/causes.md says."""

import pytest

from flask_private_key_jwt.authorization_server.explain.causes import Task, find_meaning
from tests.test_causes import PAGE, codes_in_the_package, rows_of
from tools.causes import FILE, build


def test_packaged_table_is_that_of_the_page():
    assert FILE.read_text(encoding="utf-8") == build(), "run make causes"


def test_packaged_table_has_every_row_of_the_page():
    assert build().count("[\n") == len(rows_of(PAGE.read_text(encoding="utf-8"))) + 1


@pytest.mark.parametrize("code", sorted(code for code in codes_in_the_package() if "…" not in code))
def test_every_whole_code_of_the_package_has_a_meaning_and_somebody_who_acts(code):
    found = find_meaning(code)

    assert found is not None
    assert found.tasks


@pytest.mark.parametrize(
    ("code", "meaning", "who"),
    [
        ("assertion_expired", "its time is over; the reason says for how long", "client"),
        ("token_expired", "the token is expired", "client"),
        ("token_signature", "the signature does not verify", "issuer"),
        ("token_not_yet_valid", "`nbf` or `iat` lies ahead; the reason says how far", "issuer"),
        ("request_object_scope_not_text", "a claim or header parameter is not a string", "client"),
        ("request_object_not_json", "the header or the payload is not JSON, or holds `NaN` or the like", "client"),
        ("proof_jwk_kty", "another key type than EC, OKP or RSA", "client"),
        ("proof_htm", "a claim is not what this server expects: `iss`, `htm` or `client_id`, for example", "client"),
        ("proof_jwk_x_missing", "a member of the key is missing, or not a string", "client"),
        ("jwks_uri_host", "a host that may not be named", "operator"),
        ("body_not_json", "the header or the payload is not JSON, or holds `NaN` or the like", "client"),
        ("client_secret_too_short", "the secret is shorter than the hash of its algorithm", "operator"),
        ("code_unknown", "there is no such code", "client"),
    ],
)
def test_code_of_several_parts_has_the_row_of_its_end(code, meaning, who):
    found = find_meaning(code)

    assert found is not None
    assert (found.meaning, found.tasks[0].who) == (meaning, who)


def test_each_task_says_who_has_to_do_it():
    found = find_meaning("token_expired")

    assert found is not None
    assert found.tasks == (Task("client", "get a new one"), Task("operator", "compare the clocks"))


def test_cause_of_the_applications_own_has_no_meaning_here():
    assert find_meaning("our_own_rule") is None
