"""A client as the OpenID Foundation's suite plays it: what it sends, and what it checks of every answer."""

import base64
import json
import math
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask_private_key_jwt import clock
from flask_private_key_jwt.dpop.proof import access_token_hash
from flask_private_key_jwt.jose import jose

ISSUER = "https://as.example"
PAR = "/oauth2/par"
AUTHORIZE = "/oauth2/authorize"
TOKEN = "/oauth2/token"
ACCOUNTS = "/accounts"
USERINFO = "/oauth2/userinfo"
APIS = (ACCOUNTS, USERINFO)
JWKS = "/oauth2/jwks"
CALLBACK = "https://suite.example/callback"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "accounts balances"
OPENID_SCOPE = f"openid {SCOPE}"
FAPI2_ALGS = {"PS256", "ES256", "EdDSA", "Ed25519"}
NO_PROOF = object()
NQCHAR = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
ERROR_TEXT = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+")
VSCHAR = re.compile(r"[\x20-\x7E]+")


def b64(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def without_none(members):
    return {name: value for name, value in members.items() if value is not None}


def entropy(text):
    """Shannon entropy in bits, as the suite measures it."""
    return -sum(count * math.log2(count / len(text)) for count in Counter(text).values())


class Browser:
    """A person with a browser: signs in where they are asked to, and presses one button."""

    def __init__(self, app, person):
        self.http = app.test_client()
        self.person = person

    def open(self, query):
        """Open an authorization URL and go as far as the consent page, or the answer."""
        page = self.http.get(f"{AUTHORIZE}?{query}")
        if page.status_code in (302, 303) and page.headers["Location"].startswith("/sign-in?"):
            back = self.http.post(page.headers["Location"], data={"name": self.person})
            page = self.http.get(back.headers["Location"])
        return page

    def finish(self, query, decision="allow"):
        """Open an authorization URL and answer what is asked: the redirect to the client, or a page."""
        page = self.open(query)
        return self.decide(page, decision) if "decision_token" in page.text else page

    def decide(self, page, decision="allow"):
        action = re.search(r'action="([^"]*)"', page.text)[1].replace("&amp;", "&")
        token = re.search(r'name="decision_token" value="([^"]*)"', page.text)[1]
        return self.http.post(action, data={"decision_token": token, "decision": decision})


@dataclass
class RelyingParty:
    """One client of the suite. ``None`` leaves a parameter, a claim or a header parameter out."""

    app: object
    client_id: str
    key: jose.PrivateKey
    proof_key: jose.PrivateKey
    redirect_uri: str
    browser: Browser
    state: str | None = field(default_factory=lambda: secrets.token_urlsafe(9))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    nonces: dict = field(default_factory=dict)
    """The newest nonce of each server, by the path that asked: PAR and token are one server, the API another."""

    # --- what is signed ---------------------------------------------------------------------------------------
    def assertion(self, *, key=None, **changes):
        """``alg`` and ``kid`` only, no ``typ``; one minute to live."""
        now = clock.now()
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": ISSUER, "jti": secrets.token_hex(10)}
        claims |= {"iat": now, "nbf": now, "exp": now + 60, **changes}
        return jose.sign({"kid": self.key.public.thumbprint}, without_none(claims), key or self.key)

    def proof(self, method, path, *, key=None, access_token=None, header=None, **changes):
        key = key or self.proof_key
        claims = {"jti": secrets.token_hex(10), "htm": method, "htu": ISSUER + path, "iat": clock.now()}
        claims |= {"nonce": self.nonces.get(path in APIS)}
        claims |= {"ath": access_token_hash(access_token)} if access_token else {}
        full = {"typ": "dpop+jwt", "jwk": key.public.jwk, **(header or {})}
        return jose.sign(without_none(full), without_none({**claims, **changes}), key)

    # --- what is sent -----------------------------------------------------------------------------------------
    def request(self, **changes):
        """The parameters of an authorization request."""
        challenge = b64(sha256(self.verifier.encode()).digest())
        parameters = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": self.state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        return without_none(parameters)

    def post(self, path, form, *, proof=NO_PROOF, proof_key=None, assertion=None):
        """Post as this client. When a nonce is asked for, the same form is sent again: the same assertion too."""
        signed = self.assertion() if assertion is None else assertion
        if assertion is not False:
            form = {**form, "client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

        def send():
            headers = {} if proof is NO_PROOF else {"DPoP": self.proof("POST", path, key=proof_key, **(proof or {}))}
            answer = self.app.test_client().post(path, data=without_none(form), headers=headers)
            return self._note_nonce(answer, at_api=False)

        answer = send()
        return send() if asks_for_nonce(answer) else answer

    def push(self, *, proof=NO_PROOF, proof_key=None, assertion=None, **changes):
        """Push an authorization request."""
        # The suite's assertion says who it is; no client_id goes along.
        form = self.request(**{"client_id": None, **changes})
        return self.post(PAR, form, proof=proof, proof_key=proof_key, assertion=assertion)

    def authorize(self, pushed, *, decision="allow", browser=None, duplicates=None):
        """Open a pushed request, with duplicates of the ordinary parameters in the URL, and go to the end."""
        return (browser or self.browser).finish(self.query(pushed, duplicates=duplicates), decision)

    def query(self, pushed, *, duplicates=None):
        duplicates = self.request(client_id=None) if duplicates is None else duplicates
        request_uri = check_pushed(pushed)
        return urlencode({"client_id": self.client_id, "request_uri": request_uri, **duplicates})

    def get_code(self, *, proof=NO_PROOF, proof_key=None, **changes):
        """A code, by way of a request that is changed."""
        pushed = self.push(proof=proof, proof_key=proof_key, **changes)
        answer = self.read(self.authorize(pushed), state=changes.get("state", self.state))
        return answer["code"]

    def redeem(self, code, *, proof=None, proof_key=None, assertion=None, **changes):
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri}
        form |= {"code_verifier": self.verifier, **changes}
        return self.post(TOKEN, form, proof=proof, proof_key=proof_key, assertion=assertion)

    def refresh(self, token, *, proof=None, proof_key=None, assertion=None, **changes):
        form = {"grant_type": "refresh_token", "refresh_token": token, **changes}
        return self.post(TOKEN, form, proof=proof, proof_key=proof_key, assertion=assertion)

    def get_token(self, **changes):
        """A token answer, by way of a request that is changed."""
        return check_token(self.redeem(self.get_code(**changes)))

    def call(
        self, token, *, method="GET", path=ACCOUNTS, scheme="DPoP", proof=None, proof_key=None, query="", headers=None
    ):
        """Call the API, or UserInfo."""

        def send():
            sent = {"Authorization": f"{scheme} {token}", "x-fapi-interaction-id": INTERACTION, **(headers or {})}
            if proof is not NO_PROOF:
                sent["DPoP"] = self.proof(method, path, access_token=token, key=proof_key, **(proof or {}))
            return self.call_raw(sent, method=method, path=path, query=query)

        answer = send()
        return send() if asks_for_nonce(answer) else answer

    def call_raw(self, headers, *, method="GET", path=ACCOUNTS, query=""):
        """Call the API with these headers, once."""
        answer = self.app.test_client().open(path, method=method, query_string=query, headers=headers)
        return self._note_nonce(answer, at_api=True)

    # --- what comes back --------------------------------------------------------------------------------------
    def read(self, answer, *, state=None):
        """The code in an authorization response, everything about the response checked."""
        members = self._read_location(answer, state)
        assert set(members) == {"code", "iss"} | ({"state"} if state is not None else set())
        assert entropy(members["code"]) >= 128
        return members

    def read_error(self, answer, *, state=None):
        """The error in an authorization response, everything about the response checked."""
        members = self._read_location(answer, state)
        assert set(members) == {"error", "error_description", "iss"} | ({"state"} if state is not None else set())
        assert ERROR_TEXT.fullmatch(members["error_description"])
        return members["error"]

    def _read_location(self, answer, state):
        assert answer.status_code == 303, answer.text  # FAPI 2.0 Security Profile §5.3.2.2
        location = urlsplit(answer.headers["Location"])
        ours = urlsplit(self.redirect_uri)
        assert (location.scheme, location.netloc, location.path, location.fragment) == (*ours[:3], "")
        members = parse_qsl(location.query, keep_blank_values=True)
        own = parse_qsl(ours.query)
        assert members[: len(own)] == own  # a query of the redirect URI survives
        found = dict(members[len(own) :])
        assert len(found) == len(members) - len(own)
        assert found["iss"] == ISSUER
        assert found.get("state") == state
        return found

    def _note_nonce(self, answer, *, at_api):
        given = answer.headers.getlist("DPoP-Nonce")
        if given:
            assert len(given) == 1
            assert NQCHAR.fullmatch(given[0])
            self.nonces[at_api] = given[0]
        return answer


INTERACTION = "c770aef3-6784-41f7-8e0e-ff5f97bddb3a"


def asks_for_nonce(answer):
    if answer.status_code == 400 and answer.is_json and answer.json["error"] == "use_dpop_nonce":
        assert "DPoP-Nonce" in answer.headers
        return True
    challenge = answer.headers.get("WWW-Authenticate", "")
    if answer.status_code == 401 and challenge.startswith("DPoP ") and 'error="use_dpop_nonce"' in challenge:
        assert "DPoP-Nonce" in answer.headers
        return True
    return False


def check_pushed(answer):
    """The ``request_uri`` of a successful PAR answer."""
    assert answer.status_code == 201, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert 5 <= answer.json["expires_in"] < 600
    assert entropy(answer.json["request_uri"].rpartition(":")[2]) >= 96
    return answer.json["request_uri"]


def check_token(answer):
    """The body of a successful token answer; in plain OAuth without an ID token."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    body = answer.json
    assert body["token_type"].lower() == "dpop"
    assert entropy(body["access_token"]) >= 128
    assert isinstance(body["expires_in"], int)
    assert ("id_token" in body) == ("openid" in body["scope"].split())
    if "refresh_token" in body:
        assert entropy(body["refresh_token"]) >= 128
        assert VSCHAR.fullmatch(body["refresh_token"])
    return body


def check_accounts(answer):
    """A successful answer of the API."""
    assert answer.status_code == 200, answer.text
    assert answer.headers.get("x-fapi-interaction-id", INTERACTION) == INTERACTION
    return answer.json


def check_id_token(client, token, *, nonce=None):
    """The claims of the ID token in a token answer, everything about it checked."""
    jwt = jose.parse(token["id_token"], max_bytes=8192)
    jwks = client.app.test_client().get(JWKS).json["keys"]
    (key,) = [key for key in jwks if key["kid"] == jwt.kid]
    assert jwt.alg in FAPI2_ALGS
    assert jose.verify(jwt, jose.import_public_jwk(key))
    claims = jwt.claims
    assert (claims["iss"], claims["aud"]) == (ISSUER, client.client_id)
    assert claims["sub"] == jose.decode_unverified(token["access_token"])[1]["sub"]
    assert abs(claims["iat"] - clock.now()) <= 300
    assert claims["exp"] > clock.now()
    assert claims.get("nonce") == nonce
    return claims


def bound_to(token):
    """The thumbprint of the key an access token is bound to."""
    return jose.decode_unverified(token["access_token"])[1]["cnf"]["jkt"]
