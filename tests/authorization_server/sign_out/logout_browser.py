"""A browser at the logout endpoint, and ID tokens to go there with."""

from urllib.parse import urlencode

from flask_private_key_jwt.authorization_server.state import current_state
from flask_private_key_jwt.authorization_server.stores.granted import Granted
from flask_private_key_jwt.authorization_server.tokens.id_token import IdTokenIssuer
from tests.authorization_server.conftest import APP_ID, BYE, Browser, build_request
from tests.conftest import ISSUER
from tests.refusals import causes

LOGOUT = "/oauth2/logout"
STATE = 's t&=+%"é'
BYE_WITH_STATE = BYE + "&" + urlencode({"state": STATE})


class LogoutBrowser(Browser):
    """A browser that clients send to the logout endpoint, and that can be asked who is signed in."""

    def leave(self, **parameters):
        return self.http.get(f"{LOGOUT}?{urlencode(parameters, doseq=True)}")

    def is_signed_in(self):
        return "alice" in self.http.get("/test/who").text

    def is_known_to_us(self):
        """Whether the extension's own note is in the session."""
        with self.http.session_transaction() as session:
            return "_private_key_jwt" in session

    def ask_for_code(self, **changes):
        return self.open(build_request(**changes))


def build_id_token(app, *, subject="alice", client_id=APP_ID, issuer=ISSUER):
    """An ID token that the server of *app* signs."""
    with app.app_context():
        issuer_of_tokens = IdTokenIssuer(issuer, current_state().server_keys, lifetime=300)
        granted = Granted("grant", client_id, subject, ("openid",), ("https://api.example",), auth_time=None)
        return issuer_of_tokens.issue(granted, "an access token", nonce=None)


def assert_signed_out_page(answer):
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "You are signed out" in answer.text
    assert "Location" not in answer.headers


def assert_asked(answer):
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "decision_token" in answer.text
    assert "Location" not in answer.headers


def assert_refused(answer, refusals, cause, status=400, *, says=""):
    """A page that says it did not work, and a reason that nobody sees; never a redirect."""
    assert (answer.status_code, answer.mimetype) == (status, "text/html"), answer.text
    assert "Location" not in answer.headers
    assert causes(refusals) == [cause], refusals
    assert refusals[0].startswith(says)
    assert cause not in answer.text
    assert refusals[0] not in answer.text
