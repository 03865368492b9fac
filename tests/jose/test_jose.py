"""jose/jose.py: what is a JWT, what is a key, and that nothing else comes through."""

import base64
import contextlib
import json

import jwt as pyjwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.jose import JoseProblem
from flask_private_key_jwt.settings.values import ASYMMETRIC_ALGS

LONGEST = 8192


def b64(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def signers(keys):
    """Two private keys for each algorithm; the RSA ones share theirs, which are slow to make."""
    made = {}

    def signer(alg, name="mine"):
        if (alg, name) not in made:
            key = keys("RS256" if alg.startswith(("PS", "RS")) else alg, name)
            made[alg, name] = jose.PrivateKey(key.native, alg, key.public)
        return made[alg, name]

    return signer


def compact(header=None, claims=None, signature=b"signature"):
    return ".".join([b64({"alg": "ES256"} if header is None else header), b64(claims or {}), b64(signature)])


def refusal_of(function, *args, **options):
    with pytest.raises(JoseProblem) as caught:
        function(*args, **options)
    return str(caught.value)


def parse_refusal(token):
    return refusal_of(jose.parse, token, max_bytes=LONGEST)


# --- parsing ----------------------------------------------------------------------------------------------
def test_compact_jws_is_taken_apart():
    token = compact({"alg": "ES256", "kid": "k", "typ": "application/DPoP+JWT"}, {"iss": "a"}, b"sig")

    parsed = jose.parse(token, max_bytes=LONGEST)

    assert (parsed.alg, parsed.kid, parsed.typ) == ("ES256", "k", "dpop+jwt")
    assert parsed.claims == {"iss": "a"}
    assert parsed.signature == b"sig"
    assert parsed.signing_input.decode() == token.rpartition(".")[0]


def test_token_of_the_longest_accepted_length_is_parsed_and_a_longer_one_refused():
    token = compact()

    assert jose.parse(token, max_bytes=len(token))
    assert refusal_of(jose.parse, token, max_bytes=len(token) - 1) == f"longer than {len(token) - 1} bytes"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        compact() + "=",
        compact().replace(".", "=.", 1),
        compact().replace(".", "/.", 1),
        compact().replace(".", "\udc80.", 1),
        compact() + " ",
        compact() + "\n",
        " " + compact(),
        compact().replace(".", ".."),
        compact().rpartition(".")[0] + ".",
        compact().replace("e", "é", 1),
        compact() + "\x00",
        compact() + "+/",
        '{"payload":"e30","signatures":[]}',
    ],
)
def test_text_of_another_shape_is_refused(token):
    assert parse_refusal(token) == "not a compact JWS of three base64url parts"


@pytest.mark.parametrize("part", ["header", "payload", "signature"])
def test_part_of_an_impossible_base64_length_is_refused(part):
    parts = dict(zip(["header", "payload", "signature"], compact().split("."), strict=True))
    parts[part] = "A" * 5

    assert parse_refusal(".".join(parts.values())) == f"the {part} is not base64url"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[]", "is not a JSON object"),
        (b'"alg"', "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b"5", "is not a JSON object"),
        (b"{", "is not JSON"),
        (b"{}{}", "is not JSON"),
        (b"{}\x0b", "is not JSON"),
        (b"\xc2\xa0{}", "is not JSON"),
        (b" ", "is not JSON"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b'{"alg":"\xff"}', "is not JSON"),
        (b'{"alg":"ES256","exp":' + b"9" * 5000 + b"}", "is not JSON"),
        (b'{"alg":"ES256","x":NaN}', "is not acceptable: NaN is not JSON"),
        (b'{"alg":"ES256","x":-Infinity}', "is not acceptable: -Infinity is not JSON"),
        (b'{"alg":"ES256","alg":"none"}', "is not acceptable: a JSON member stands twice"),
        (b'{"alg":"ES256","\\u0061lg":"none"}', "is not acceptable: a JSON member stands twice"),
        (b'{"alg":"ES256","x":{"a":1,"a":1}}', "is not acceptable: a JSON member stands twice"),
        (b'{"x":' + b"[" * 17 + b"]" * 17 + b"}", "is nested deeper than 16"),
        (b'{"x":' + b"[" * 3000, "is nested deeper than 16"),
        (b'{"x":"\\"",' + b'"y":' + b'{"z":' * 17 + b"1" + b"}" * 18, "is nested deeper than 16"),
    ],
)
def test_part_that_is_no_plain_json_object_is_refused(data, reason):
    assert parse_refusal(f"{b64(data)}.{b64({})}.AAAA") == f"the header {reason}"
    assert parse_refusal(f"{b64({'alg': 'ES256'})}.{b64(data)}.AAAA") == f"the payload {reason}"


def test_blanks_around_a_part_are_ignored():
    token = jose.parse(compact(b' {"alg":"ES256"}\r\n', b"\t{ } "), max_bytes=LONGEST)

    assert (token.header, token.claims) == ({"alg": "ES256"}, {})


@pytest.mark.parametrize("value", ["[" * 40, '"' + "{" * 40, [[]] * 40, "\\\\" + "[" * 40])
def test_brackets_that_do_not_nest_are_no_depth(value):
    assert jose.parse(compact(claims={"x": value}), max_bytes=LONGEST).claims == {"x": value}


@pytest.mark.parametrize("header", [{}, {"alg": None}, {"alg": 5}, {"alg": ["ES256"]}, {"typ": "JWT"}])
def test_header_without_a_textual_alg_is_refused(header):
    assert parse_refusal(compact(header)) == "header has no alg, or it is not text"


@pytest.mark.parametrize("name", ["kid", "typ", "cty", "x5t", "x5t#S256"])
@pytest.mark.parametrize("value", [None, 5, ["k"], {"k": 1}, True])
def test_header_parameter_that_is_not_text_is_refused(name, value):
    assert parse_refusal(compact({"alg": "ES256", name: value})) == f"header parameter {name} is not text"


@pytest.mark.parametrize("crit", [["b64"], ["exp"], [], 5, None, "b64", [["x"]], [{}]])
def test_critical_header_is_refused_whatever_it_names(crit):
    assert parse_refusal(compact({"alg": "ES256", "crit": crit})).startswith("header has crit or b64")


def test_unencoded_payload_is_refused():
    assert parse_refusal(compact({"alg": "ES256", "b64": False})).startswith("header has crit or b64")


def test_unknown_header_parameter_is_ignored():
    header = {"alg": "ES256", "jku": "https://evil.example", "x5u": 5, "'é\n": 1}

    assert jose.parse(compact(header), max_bytes=LONGEST).header == header


@given(st.text() | st.lists(st.binary(max_size=40), min_size=3, max_size=3).map(lambda p: ".".join(map(b64, p))))
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_any_text_is_parsed_or_refused(text):
    with contextlib.suppress(JoseProblem):
        jose.parse(text, max_bytes=LONGEST)


# --- signing and verifying --------------------------------------------------------------------------------
@pytest.mark.parametrize("alg", ASYMMETRIC_ALGS)
def test_what_is_signed_verifies_with_its_key_only(alg, signers):
    mine, other = signers(alg), signers(alg, "other")
    token = jose.parse(jose.sign({"typ": "JWT"}, {"iss": "a"}, mine), max_bytes=LONGEST)

    assert token.header == {"alg": alg, "typ": "JWT"}
    assert jose.verify(token, mine.public)
    assert not jose.verify(token, other.public)


@pytest.mark.parametrize("alg", ASYMMETRIC_ALGS)
def test_changed_claims_do_not_verify(alg, signers):
    head, _, signature = jose.sign({}, {"iss": "a"}, signers(alg)).split(".")

    assert not jose.verify(
        jose.parse(f"{head}.{b64({'iss': 'b'})}.{signature}", max_bytes=LONGEST), signers(alg).public
    )


@pytest.mark.parametrize("alg", ASYMMETRIC_ALGS)
@pytest.mark.parametrize(
    "signature", [b"\x00", b"\x00" * 64, b"\xff" * 64, b"\x00" * 256, b"\xff" * 132, b"\x00" * 1000]
)
def test_nonsense_signature_does_not_verify(alg, signature, signers):
    token = jose.parse(compact({"alg": alg}, {}, signature), max_bytes=LONGEST)

    assert not jose.verify(token, signers(alg).public)


@pytest.mark.parametrize("alg", [alg for alg in ASYMMETRIC_ALGS if alg != "Ed25519"])
def test_another_library_verifies_what_is_signed(alg, signers):
    key = signers(alg)
    public = pyjwt.PyJWK(dict(key.public.jwk), algorithm=alg)

    assert pyjwt.decode(jose.sign({}, {"iss": "a"}, key), public, algorithms=[alg]) == {"iss": "a"}


def test_text_outside_ascii_is_signed_as_it_is(client_key):
    claims = {"name": "Zoë 😀 \ud800"}

    assert jose.decode_unverified(jose.sign({}, claims, client_key))[1] == claims


def test_header_that_is_known_is_not_parsed_again(client_key):
    text = jose.sign({"kid": "k"}, {}, client_key)
    known = jose.parse(text, max_bytes=LONGEST).header

    assert jose.read(text, typ=[None], algs=["ES256"], max_bytes=LONGEST, known_header=known).header is known


def test_header_that_is_known_is_held_against_what_is_accepted(client_key):
    text = jose.sign({"kid": "k"}, {}, client_key)
    known = jose.parse(text, max_bytes=LONGEST).header
    accepted = {"typ": [None], "algs": ["ES256"], "max_bytes": LONGEST, "known_header": known}

    assert refusal_of(jose.read, text, **(accepted | {"algs": ["PS256"]})) == "alg 'ES256' is not accepted"
    assert refusal_of(jose.read, text, **(accepted | {"typ": ["jwt"]})) == "typ None is not jwt"


# --- public keys ------------------------------------------------------------------------------------------
FITTING = {
    "ES256": {"ES256"},
    "ES384": {"ES384"},
    "ES512": {"ES512"},
    "EdDSA": {"EdDSA", "Ed25519"},
    "RS256": {"PS256", "PS384", "PS512", "RS256", "RS384", "RS512"},
}


@pytest.mark.parametrize(("alg", "fitting"), FITTING.items())
def test_public_key_fits_the_algorithms_of_its_type_and_curve(alg, fitting, signers):
    public = jose.import_public_jwk(signers(alg).public.jwk)

    assert {other for other in ASYMMETRIC_ALGS if public.fits(other)} == fitting


@pytest.mark.parametrize(
    ("alg", "fitting"), [("PS384", {"PS384"}), ("EdDSA", {"EdDSA", "Ed25519"}), ("ES256", {"ES256"})]
)
def test_alg_of_a_key_narrows_what_it_fits(alg, fitting, signers):
    public = jose.import_public_jwk(signers(alg).public_jwk())

    assert public.algs == fitting


def test_alg_of_another_key_type_fits_nothing(client_key):
    assert refusal_of(jose.import_public_jwk, {**client_key.public.jwk, "alg": "RS256"}) == (
        "no signature algorithm of ours fits the key"
    )


def test_thumbprint_is_that_of_rfc_7638():
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhM"
        "stn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5"
        "hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )

    public = jose.import_public_jwk({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})

    assert public.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert public.kid == "2011-04-29"


@pytest.mark.parametrize("jwk", [None, 5, "key", [], [{}], b"{}"])
def test_key_that_is_no_object_is_refused(jwk):
    assert refusal_of(jose.import_public_jwk, jwk) == "the key is not a JSON object"


@pytest.mark.parametrize("kty", [None, "", "oct", "ec", "EC ", 5, ["EC"], {"EC": 1}])
def test_key_of_another_type_is_refused(kty, client_key):
    assert (
        refusal_of(jose.import_public_jwk, {**client_key.public.jwk, "kty": kty})
        == f"kty {kty!r} is not EC, OKP or RSA"
    )


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256"])
def test_private_key_is_no_public_key(alg, signers):
    assert "holds private members" in refusal_of(jose.import_public_jwk, signers(alg).as_jwk())


@pytest.mark.parametrize("member", sorted(jose.PRIVATE_MEMBERS))
def test_one_private_member_spoils_a_key(member, client_key):
    reason = refusal_of(jose.import_public_jwk, {**client_key.public.jwk, member: "AQAB"})

    assert reason == f"the key holds private members [{member!r}]"


@pytest.mark.parametrize(
    ("alg", "member"),
    [
        ("ES256", "crv"),
        ("ES256", "x"),
        ("ES256", "y"),
        ("EdDSA", "crv"),
        ("EdDSA", "x"),
        ("RS256", "n"),
        ("RS256", "e"),
    ],
)
@pytest.mark.parametrize("value", [None, 5, ["x"], {}])
def test_required_member_that_is_missing_or_not_text_is_refused(alg, member, value, signers):
    jwk = dict(signers(alg).public.jwk)

    assert (
        refusal_of(jose.import_public_jwk, {**jwk, member: value})
        == f"member {member} of the key is missing or not text"
    )
    del jwk[member]
    assert refusal_of(jose.import_public_jwk, jwk) == f"member {member} of the key is missing or not text"


@pytest.mark.parametrize("member", ["kid", "alg", "use"])
@pytest.mark.parametrize("value", [None, 5, ["sig"], {}])
def test_optional_member_that_is_not_text_is_refused(member, value, client_key):
    reason = refusal_of(jose.import_public_jwk, {**client_key.public.jwk, member: value})

    assert reason == f"member {member} of the key is missing or not text"


@pytest.mark.parametrize(
    ("alg", "changes"),
    [
        ("ES256", {"x": "AAAA"}),
        ("ES256", {"x": ""}),
        ("ES256", {"x": "***"}),
        ("ES256", {"x": "\ud800"}),
        ("ES256", {"crv": "P-384"}),
        ("ES256", {"crv": "P-257"}),
        ("ES256", {"crv": "secp256k1"}),
        ("EdDSA", {"x": "AAAA"}),
        ("EdDSA", {"crv": "Ed448"}),
        ("EdDSA", {"crv": "P-256"}),
        ("RS256", {"e": "AQ"}),
        ("RS256", {"e": "AA"}),
        ("RS256", {"e": ""}),
        ("RS256", {"n": "A" * 342}),
        ("RS256", {"n": "é" * 342}),
    ],
)
def test_malformed_key_is_refused(alg, changes, signers):
    assert "key cannot be imported: " in refusal_of(jose.import_public_jwk, {**signers(alg).public.jwk, **changes})


def test_point_off_the_curve_is_refused(client_key):
    jwk = client_key.public.jwk

    assert "cannot be imported" in refusal_of(jose.import_public_jwk, {**jwk, "y": jwk["x"]})


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda text: text, id="as written"),
        pytest.param(lambda text: b64(bytes(1) + base64.urlsafe_b64decode(text + "==")), id="behind a zero byte"),
    ],
)
def test_ec_key_is_read_as_joserfc_reads_it(alg, rewrite, signers):
    jwk = dict(signers(alg).public.jwk)
    jwk |= {name: rewrite(jwk[name]) for name in ("x", "y")}

    ours, theirs = jose.import_public_jwk(jwk), ECKey.import_key(jwk)

    assert ours.native.raw_value.public_numbers() == theirs.raw_value.public_numbers()


@pytest.mark.parametrize("rewrite", [lambda x: x + "=", lambda x: "+" + x[1:], lambda x: "/" + x[1:]])
def test_ec_key_that_is_not_base64url_is_refused(rewrite, client_key):
    jwk = dict(client_key.public.jwk)

    assert "cannot be imported" in refusal_of(jose.import_public_jwk, jwk | {"x": rewrite(jwk["x"])})


def test_key_agreement_curve_is_refused(signers):
    jwk = {**signers("EdDSA").public.jwk, "crv": "X25519"}

    assert refusal_of(jose.import_public_jwk, jwk) == "no signature algorithm of ours fits the key"


@pytest.mark.parametrize("characters", [171, 341, 1367, 20000])
def test_rsa_key_of_an_unusual_size_is_refused_before_any_arithmetic(characters):
    jwk = {"kty": "RSA", "n": "v" * characters, "e": "AQAB"}

    assert refusal_of(jose.import_public_jwk, jwk) == "the RSA key is not 2048 to 8192 bits long"


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_short_modulus_behind_zeros_is_refused():
    jwk = {"kty": "RSA", "n": "A" * 171 + "v" * 170 + "w", "e": "AQAB"}

    assert refusal_of(jose.import_public_jwk, jwk) == "the RSA key is not 2048 to 8192 bits long"


def test_huge_rsa_exponent_is_refused(signers):
    jwk = {**signers("RS256").public.jwk, "e": "AQABAQAB"}

    assert refusal_of(jose.import_public_jwk, jwk) == "the RSA exponent is larger than 32 bits"


@pytest.mark.parametrize(
    "purpose", [{"use": "sig"}, {"key_ops": ["verify"]}, {"use": "sig", "key_ops": ["verify", "x"]}]
)
def test_key_for_signatures_is_accepted(purpose, client_key):
    assert jose.import_public_jwk({**client_key.public.jwk, **purpose})


@pytest.mark.parametrize(
    "purpose",
    [{"use": "enc"}, {"use": ""}, {"key_ops": []}, {"key_ops": ["encrypt"]}, {"key_ops": "verify"}, {"key_ops": None}],
)
def test_key_for_another_purpose_is_refused(purpose, client_key):
    reason = refusal_of(jose.import_public_jwk, {**client_key.public.jwk, **purpose})

    assert "not sig" in reason or "do not hold verify" in reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
key_members = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "kid"])
member_values = json_values | st.sampled_from(["EC", "OKP", "RSA", "P-256", "Ed25519", "AQAB", "v" * 342, "A" * 43])


@given(st.dictionaries(key_members, member_values, min_size=1))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_any_object_is_imported_or_refused(jwk):
    with contextlib.suppress(JoseProblem):
        jose.import_public_jwk(jwk)


# --- private keys -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("alg", ASYMMETRIC_ALGS)
def test_private_key_survives_as_jwk(alg, signers):
    key = signers(alg)

    again = jose.import_private_key(json.dumps(key.as_jwk()))

    assert (again.alg, again.public.thumbprint) == (alg, key.public.thumbprint)
    assert again.public.kid == key.public.thumbprint


@pytest.mark.parametrize(("alg", "usual"), [("ES384", "ES384"), ("Ed25519", "EdDSA"), ("RS512", "PS256")])
@pytest.mark.parametrize("password", [None, "open sesame"])
def test_private_key_survives_as_pem_with_the_usual_algorithm_of_its_type(alg, usual, password, signers):
    key = signers(alg)

    again = jose.import_private_key(key.as_pem(password), password=password)

    assert (again.alg, again.public.thumbprint) == (usual, key.public.thumbprint)


def test_algorithm_may_be_chosen_as_far_as_it_fits(signers):
    pem = signers("RS256").as_pem()

    assert jose.import_private_key(pem, alg="RS512").alg == "RS512"
    assert refusal_of(jose.import_private_key, pem, alg="ES256").startswith(
        "alg 'ES256' does not fit the key; it can do PS256"
    )


@pytest.mark.parametrize("alg", ["none", "HS256", 5, ["PS256"]])
def test_private_jwk_with_an_alg_that_does_not_fit_is_refused(alg, client_key):
    assert "does not fit the key" in refusal_of(jose.import_private_key, {**client_key.as_jwk(), "alg": alg})


@pytest.mark.parametrize(
    ("password", "reason"),
    [(None, "the PEM is encrypted: give its password"), ("wrong", "not a private key in PEM, or the wrong password")],
)
def test_encrypted_pem_needs_its_password(password, reason, client_key):
    assert refusal_of(jose.import_private_key, client_key.as_pem("open sesame"), password=password) == reason


def test_password_for_a_pem_without_one_is_refused(client_key):
    reason = refusal_of(jose.import_private_key, client_key.as_pem(), password="open sesame")

    assert reason == "the PEM is not encrypted, but a password was given"


def test_public_key_is_no_private_key(client_key):
    assert refusal_of(jose.import_private_key, dict(client_key.public.jwk)).startswith("the JWK is not a private key")
    public_pem = client_key.native.as_pem(private=False)
    assert refusal_of(jose.import_private_key, public_pem).startswith("it is a public key")


@pytest.mark.parametrize(
    "text", ["", "key", "-----BEGIN PRIVATE KEY-----", b"\xff\xfe", '{"kty":"EC"', "{}", '{"d":"AA"}']
)
def test_text_that_is_no_private_key_is_refused(text):
    assert refusal_of(jose.import_private_key, text)


def test_symmetric_key_is_refused():
    assert refusal_of(jose.import_private_key, {"kty": "oct", "k": "AAAA"}).startswith("the JWK is not a private key")
    assert refusal_of(jose.import_private_key, {"kty": "oct", "d": "AAAA"}) == "kty 'oct' is not EC, OKP or RSA"


@pytest.mark.parametrize("alg", ["none", "HS256", "ES256K", ""])
def test_key_for_another_algorithm_is_not_made(alg):
    assert refusal_of(jose.generate_private_key, alg).startswith(f"alg {alg!r} is not one of ES256, ")


def test_public_pem_is_imported(signers):
    key = signers("ES256")

    assert jose.import_public_pem(key.native.as_pem(private=False)).thumbprint == key.public.thumbprint
    assert refusal_of(jose.import_public_pem, key.as_pem()) == "not a public key in PEM"


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_repr_shows_no_private_material(alg, signers):
    key = signers(alg)

    assert repr(key) == f"<PrivateKey {alg} {key.public.thumbprint}>"


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256"])
def test_public_jwk_has_a_purpose_a_name_and_nothing_private(alg, signers):
    key = signers(alg)
    jwk = key.public_jwk()

    assert (jwk["use"], jwk["alg"], jwk["kid"]) == ("sig", alg, key.public.thumbprint)
    assert not jose.PRIVATE_MEMBERS & jwk.keys()
