"""A site with people, a client that acts for them, and one sign-in from its beginning to its end."""

import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urljoin

import requests

from flask_private_key_jwt.client import AuthorizationCodeClient, MappingTokenStore, PersonTokens
from tests.third_party.conftest import Site
from tests.third_party.person import REDIRECT_URI, decide

SCOPE = "openid email read"
FORM = re.compile(r'action="([^"]*)".*?name="decision_token" value="([^"]*)"', re.DOTALL)


@dataclass
class Login:
    """A client of a site, and where it keeps the tokens of one person."""

    site: Site
    client: AuthorizationCodeClient
    store: MappingTokenStore = field(default_factory=lambda: MappingTokenStore({}))

    def start(self, redirect_uri=REDIRECT_URI, **options):
        """Begin a sign-in for which the person is asked, whatever they said before."""
        options["more"] = {"prompt": "consent", **options.get("more", {})}
        return self.client.start(redirect_uri, **{"scope": SCOPE, "resource": self.site.api, **options})

    def answer(self, request, decision="allow"):
        """What the browser brings back."""
        return decide(self.site, request.url, decision)

    def sign_in(self, **options) -> PersonTokens:
        request = self.start(**options)
        tokens = self.client.finish(self.answer(request), request.pending)
        self.store.save(tokens)
        return tokens


def register(site, key=None, **metadata):
    """Register a client that acts for people; without a key a public one."""
    chosen = {"grant_types": ["authorization_code", "refresh_token"], "redirect_uris": [REDIRECT_URI], "scope": SCOPE}
    if key is None:
        chosen |= {"token_endpoint_auth_method": "none", "redirect_uris": ["http://127.0.0.1/callback"]}
        chosen |= {"application_type": "native"}
    else:
        chosen |= {"jwks": {"keys": [key.public_jwk()]}}
    with site.app.app_context():
        return str(site.oauth.clients.add({**chosen, **metadata}).client_id)


def walk(url, *, until, decision="allow"):
    """The URL with *until* in it where a browser gets to that opens *url*, signs in, and presses a button if needed."""
    with requests.Session() as browser:
        browser.trust_env = False
        answer = browser.get(url, allow_redirects=False, timeout=5)
        for _ in range(10):
            if answer.status_code == 200:
                action, token = (unescape(found) for found in FORM.search(answer.text).groups())
                form = {"decision_token": token, "decision": decision}
                answer = browser.post(urljoin(answer.url, action), data=form, allow_redirects=False, timeout=5)
            url = urljoin(answer.url, answer.headers["Location"])
            if until in url:
                return url
            answer = browser.get(url, allow_redirects=False, timeout=5)
    raise AssertionError(f"the way did not lead to {until}")
