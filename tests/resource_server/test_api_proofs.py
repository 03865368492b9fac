"""DPoP at the API (RFC 9449 §4.3, §7): every sub-test of the OpenID suite's dpop-negative-tests, and its twins."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.memory import MemoryReplayStore
from tests.refusals import causes
from tests.resource_server.api_answers import INVALID_PROOF, INVALID_TOKEN, challenges

EVERY_FRAMEWORK = True

HTU = "https://api.example/any"


@pytest.fixture
def token(build_token, proof_key):
    return build_token(bound_to=proof_key)


# --- accepted ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "htu",
    [
        HTU + "?query",
        HTU + "#fragment",
        HTU + "?query#fragment",
        "HTTPS://API.EXAMPLE/any",
        "https://api.example:443/any",
        "https://api.example/%61ny",
    ],
)
def test_spellings_of_the_same_url_are_accepted(call, token, build_proof, htu):
    assert call.dpop(token, proof=build_proof(token, htu=htu)).status_code == 200


def test_a_request_with_a_query_needs_none_in_htu(call, token):
    assert call.dpop(token, query="page=2").status_code == 200


@pytest.mark.parametrize("name", ["DPOP", "dpop", "DPoP"])
def test_the_header_name_is_case_insensitive(call, token, build_proof, name):
    headers = {"Authorization": f"DPoP {token}", name: build_proof(token)}

    assert call.send("/any", **headers).status_code == 200


@pytest.mark.parametrize("scheme", ["DPoP", "dPOp", "DPOP", "dpop"])
def test_the_scheme_is_case_insensitive(call, token, build_proof, scheme):
    assert call.send("/any", Authorization=f"{scheme} {token}", DPoP=build_proof(token)).status_code == 200


def test_unknown_members_are_ignored(call, token, build_proof):
    proof = build_proof(token, header={"x-extra": {"a": 1}}, extra=["b"])

    assert call.dpop(token, proof=proof).status_code == 200


@pytest.mark.parametrize("seconds", [-59, -10, 0, 10])
def test_an_iat_near_now_is_accepted(call, token, build_proof, clock, seconds):
    assert call.dpop(token, proof=build_proof(token, iat=clock.now + seconds)).status_code == 200


def test_nbf_and_exp_of_a_proof_are_no_errors(call, token, build_proof, clock):
    assert call.dpop(token, proof=build_proof(token, nbf=clock.now, exp=clock.now + 300)).status_code == 200


@pytest.mark.parametrize(("alg", "bits"), [("ES256", 0), ("EdDSA", 0), ("PS256", 2048), ("RS256", 2048)])
def test_a_proof_of_any_accepted_algorithm_passes(call, keys, build_token, build_proof, alg, bits):
    key = keys(alg, "other", rsa_bits=bits or 2048)
    token = build_token(bound_to=key)

    assert call.dpop(token, proof=build_proof(token, key=key)).status_code == 200


# --- refused ----------------------------------------------------------------------------------------------
def check_refused(answer, refusals, cause, body=INVALID_PROOF, *, says=""):
    assert answer.status_code == 401
    assert answer.json == body
    assert causes(refusals) == [cause], refusals
    assert says in ("", refusals[0])
    [challenge] = challenges(answer)
    assert challenge.startswith(
        f'DPoP error="{body["error"]}", error_description="{body["error_description"]}", algs="'
    )


@pytest.mark.parametrize(
    ("claim", "cause"),
    [
        ("jti", "proof_jti_missing"),
        ("htm", "proof_htm_missing"),
        ("htu", "proof_htu_missing"),
        ("iat", "proof_iat_missing"),
        ("ath", "proof_ath_missing"),
    ],
)
def test_a_proof_without_a_claim_is_refused(call, refusals, token, build_proof, claim, cause):
    check_refused(call.dpop(token, proof=build_proof(token, **{claim: None})), refusals, cause)


@pytest.mark.parametrize(
    ("header", "cause", "reason"),
    [
        ({"typ": None}, "proof_typ", "proof: typ None is not dpop+jwt"),
        ({"typ": "dpop+jwt+wrongyousee"}, "proof_typ", "proof: typ 'dpop+jwt+wrongyousee' is not dpop+jwt"),
        ({"typ": "at+jwt"}, "proof_typ", "proof: typ 'at+jwt' is not dpop+jwt"),
        ({"alg": None}, "proof_alg_missing", "proof: header has no alg, or it is not text"),
        ({"alg": "none"}, "proof_alg", "proof: alg 'none' is not accepted"),
        ({"alg": "HS256"}, "proof_alg", "proof: alg 'HS256' is not accepted"),
        ({"alg": "RS256"}, "proof_jwk_alg", "proof: jwk: alg 'RS256' does not fit the key"),
        ({"jwk": None}, "proof_jwk_not_object", "proof: jwk: the key is not a JSON object"),
    ],
)
def test_a_proof_with_a_wrong_header_is_refused(call, refusals, token, build_proof, header, cause, reason):
    check_refused(call.dpop(token, proof=replace_header(build_proof(token), header)), refusals, cause, says=reason)


@pytest.mark.parametrize(
    ("changes", "cause", "reason"),
    [
        ({"htm": "PUT"}, "proof_htm", "proof: htm 'PUT' is not 'GET'"),
        ({"htm": "get"}, "proof_htm", "proof: htm 'get' is not 'GET'"),
        ({"htu": "https://api.example/other"}, "proof_htu", f"proof: htu 'https://api.example/other' is not {HTU!r}"),
        ({"htu": "https://api.example/ANY"}, "proof_htu", f"proof: htu 'https://api.example/ANY' is not {HTU!r}"),
        ({"htu": "http://api.example/any"}, "proof_htu", f"proof: htu 'http://api.example/any' is not {HTU!r}"),
        ({"htu": "http://localhost/any"}, "proof_htu", f"proof: htu 'http://localhost/any' is not {HTU!r}"),
        ({"htu": ["https://api.example/any"]}, "proof_htu_not_text", "proof: htu is not a string"),
        ({"iat": "now"}, "proof_iat_not_number", "proof: iat is not a number"),
        ({"jti": ""}, "proof_jti_malformed", "proof: jti is not a string of 1 to 256 characters"),
        ({"jti": "x" * 257}, "proof_jti_malformed", "proof: jti is not a string of 1 to 256 characters"),
        ({"ath": "wrong"}, "proof_ath", "proof: ath names another access token"),
    ],
)
def test_a_proof_made_for_something_else_is_refused(call, refusals, token, build_proof, changes, cause, reason):
    check_refused(call.dpop(token, proof=build_proof(token, **changes)), refusals, cause, says=reason)


@pytest.mark.parametrize(
    ("seconds", "cause", "says"),
    [
        (-3600, "proof_expired", "proof: iat is 3600 s ago, and a proof is good for 60 s"),
        (-60, "proof_expired", "proof: iat is 60 s ago, and a proof is good for 60 s"),
        (11, "proof_not_yet_valid", "proof: iat is in the future, 11 s ahead"),
        (3600, "proof_not_yet_valid", "proof: iat is in the future, 3600 s ahead"),
    ],
)
def test_an_iat_far_from_now_is_refused(call, refusals, token, build_proof, clock, seconds, cause, says):
    answer = call.dpop(token, proof=build_proof(token, iat=clock.now + seconds))

    check_refused(answer, refusals, cause, says=says)


def test_two_dpop_headers_are_refused(call, refusals, token, build_proof):
    proofs = f"{build_proof(token)}, {build_proof(token)}"

    check_refused(call.dpop(token, proof=proofs), refusals, "proof_repeated")


def test_a_proof_that_is_no_jwt_is_refused(call, refusals, token):
    answer = call.dpop(token, proof="not a JWT")

    check_refused(answer, refusals, "proof_malformed")


def test_a_proof_with_a_bad_signature_is_refused(call, refusals, token, build_proof):
    proof, other = build_proof(token), build_proof(token)
    forged = proof.rpartition(".")[0] + "." + other.rpartition(".")[2]

    check_refused(call.dpop(token, proof=forged), refusals, "proof_signature")


def test_a_private_key_in_the_proof_is_refused(call, refusals, token, build_proof, proof_key):
    proof = build_proof(token, header={"jwk": proof_key.as_jwk()})

    check_refused(
        call.dpop(token, proof=proof),
        refusals,
        "proof_jwk_private",
        says="proof: jwk: the key holds private members ['d']",
    )


def test_an_algorithm_the_api_does_not_accept_is_refused(issuer, keys, build_token, build_proof, make_caller):
    key = keys("RS256", "other")
    api = make_caller(OAUTH2_DPOP_SIGNING_ALGS=["ES256", "PS256"])
    token = build_token(bound_to=key)

    answer = api.dpop(token, proof=build_proof(token, key=key))

    check_refused(answer, api.refusals, "proof_alg", says="proof: alg 'RS256' is not accepted")
    assert 'algs="ES256 PS256"' in challenges(answer)[0]


def test_a_proof_by_another_key_is_refused(call, refusals, token, build_proof, keys):
    answer = call.dpop(token, proof=build_proof(token, key=keys("ES256", "thief")))

    check_refused(answer, refusals, "proof_key_mismatch", INVALID_TOKEN)


def test_the_dpop_scheme_without_a_proof_is_refused(call, refusals, token):
    check_refused(call.send("/any", Authorization=f"DPoP {token}"), refusals, "proof_missing")


def test_a_bound_token_as_bearer_is_refused(call, refusals, token):
    check_refused(call.bearer(token), refusals, "token_bound_as_bearer", INVALID_TOKEN)


def test_a_bound_token_as_bearer_is_refused_with_a_proof_too(call, refusals, token, build_proof):
    answer = call.bearer(token, DPoP=build_proof(token))

    check_refused(answer, refusals, "token_bound_as_bearer", INVALID_TOKEN)


def test_an_unbound_token_under_dpop_is_refused(call, refusals, build_token):
    check_refused(call.dpop(build_token()), refusals, "token_unbound_as_dpop", INVALID_TOKEN)


@pytest.mark.parametrize("cnf", [None, "text", [], {}, {"x5t#S256": "abc"}, {"jkt": 5}, {"jkt": ""}, {"jkt": None}])
@pytest.mark.parametrize("scheme", ["bearer", "dpop"])
def test_a_confirmation_that_cannot_be_checked_is_refused(call, refusals, build_token, cnf, scheme):
    answer = getattr(call, scheme)(build_token(null=["cnf"] if cnf is None else [], cnf=cnf))

    assert answer.status_code == 401
    assert answer.json == INVALID_TOKEN
    assert causes(refusals) == ["token_cnf"]


def test_another_host_header_changes_nothing(call, token):
    answer = call.dpop(token, Host="evil.example", **{"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"})

    assert answer.status_code == 200


def test_a_proof_for_the_host_header_is_refused(call, refusals, token, build_proof):
    answer = call.dpop(token, proof=build_proof(token, htu="https://evil.example/any"), Host="evil.example")

    check_refused(answer, refusals, "proof_htu", says=f"proof: htu 'https://evil.example/any' is not {HTU!r}")


# --- once only --------------------------------------------------------------------------------------------
def test_a_proof_serves_once(call, refusals, token, build_proof):
    proof = build_proof(token)
    assert call.dpop(token, proof=proof).status_code == 200

    check_refused(call.dpop(token, proof=proof), refusals, "proof_replayed")


def test_the_same_jti_in_a_new_proof_is_refused(call, refusals, token, build_proof, clock):
    assert call.dpop(token, proof=build_proof(token, jti="same")).status_code == 200

    answer = call.dpop(token, proof=build_proof(token, jti="same", iat=clock.now - 1))

    check_refused(answer, refusals, "proof_replayed")


def test_the_same_jti_by_another_key_is_accepted(call, build_token, build_proof, keys, token):
    other = keys("ES256", "other")
    others = build_token(bound_to=other)
    assert call.dpop(token, proof=build_proof(token, jti="same")).status_code == 200

    assert call.dpop(others, proof=build_proof(others, key=other, jti="same")).status_code == 200


def test_of_twenty_threads_with_one_proof_exactly_one_gets_in(call, token, build_proof):
    proof = build_proof(token)
    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(lambda _: call.dpop(token, proof=proof).status_code, range(20)))

    assert statuses == [200] + [401] * 19


def test_two_workers_with_one_database_let_a_proof_in_once(make_caller, token, build_proof, tmp_path):
    store = f"sqlite:///{tmp_path}/proofs.sqlite"
    proof = build_proof(token)
    statuses = [make_caller(OAUTH2_REPLAY_STORE=store).dpop(token, proof=proof).status_code for _ in range(2)]

    assert statuses == [200, 401]


@pytest.mark.parametrize(
    "spoil",
    [
        {"Authorization": "DPoP garbage"},
        {"Authorization": "Bearer {token}"},
        {"Authorization": "Basic abc"},
        {"query": "access_token=x"},
        {"method": "POST"},
    ],
)
def test_a_refusal_leaves_the_proof_unspent(call, token, build_proof, spoil):
    proof = build_proof(token)
    request = {"Authorization": f"DPoP {token}", "DPoP": proof, "path": "/any"}
    spoilt = {name: value.replace("{token}", token) for name, value in {**request, **spoil}.items()}
    assert call.send(**spoilt).status_code in (400, 401, 403)

    assert call.send(**request).status_code == 200


def test_too_little_scope_leaves_the_proof_unspent(call, build_token, build_proof, proof_key, monkeypatch):
    spent = []
    monkeypatch.setattr(MemoryReplayStore, "remember", lambda self, marks: spent.extend(marks))
    enough, too_little = build_token(bound_to=proof_key), build_token(bound_to=proof_key, scope="write")

    assert call.dpop(too_little, path="/read").status_code == 403
    assert spent == []
    assert call.dpop(enough, path="/read").status_code == 200
    assert len(spent) == 1


def test_a_replay_store_that_is_away_is_503_and_lets_nobody_in(call, refusals, token, build_proof, monkeypatch):
    def away(self, marks):
        raise StoreUnavailable("redis is away")

    proof = build_proof(token)
    with monkeypatch.context() as patched:
        patched.setattr(MemoryReplayStore, "remember", away)
        answer = call.dpop(token, proof=proof)

    assert answer.status_code == 503
    assert answer.json["error"] == "temporarily_unavailable"
    assert answer.headers["Retry-After"] == "5"
    assert challenges(answer) == []
    assert refusals == ["redis is away"]
    assert causes(refusals) == ["store_unavailable"]
    assert call.dpop(token, proof=proof).status_code == 200


def replace_header(proof, changes):
    """Give a proof other header parameters; the signature stays, which no check above gets to see."""
    head, rest = proof.split(".", 1)
    header = {**json.loads(base64.urlsafe_b64decode(head + "==")), **changes}
    kept = json.dumps({name: value for name, value in header.items() if value is not None})
    return base64.urlsafe_b64encode(kept.encode()).rstrip(b"=").decode() + "." + rest


# --- several APIs on one replay store ---------------------------------------------------------------------
@pytest.fixture
def share(make_caller, tmp_path):
    """Makes APIs that remember proofs in one database: ``share(OAUTH2_RESOURCE=…)``."""
    store = f"sqlite:///{tmp_path}/shared-replay.sqlite"
    return lambda **config: make_caller(OAUTH2_REPLAY_STORE=store, **config)


@pytest.mark.parametrize("other", ["https://api.example/other", "urn:other"])
def test_a_proof_for_one_api_never_counts_as_used_at_another(share, build_token, build_proof, proof_key, other):
    one, another = share(), share(OAUTH2_RESOURCE=other, OAUTH2_EXTERNAL_URL="https://api.example")
    token = build_token(bound_to=proof_key, aud=["https://api.example", other])

    answers = [api.dpop(token, proof=build_proof(token, jti="1")) for api in (one, another, one, another)]

    assert [answer.status_code for answer in answers] == [200, 200, 401, 401]
    assert causes(one.refusals) == causes(another.refusals) == ["proof_replayed"]


def test_instances_of_one_api_share_its_used_proofs(share, token, build_proof):
    one, other = share(), share()
    proof = build_proof(token)

    assert one.dpop(token, proof=proof).status_code == 200
    assert other.dpop(token, proof=proof).status_code == 401
    assert causes(other.refusals) == ["proof_replayed"]
