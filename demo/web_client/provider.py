"""The token server as this application knows it: an Authlib client whose secret is replaced by a signature."""

from dataclasses import dataclass
from typing import Any

import flask
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from joserfc.errors import JoseError

from flask_private_key_jwt.client import AuthlibClientAuth

from ..clients import WEB
from .memory import Memory, People, SignedIn
from .noting import NotingApp, NotingSession

TIMEOUT_SECONDS = 10
REFRESH_SECONDS = 10
"""How long before its end an access token is refreshed."""
_EXTENSION = "demo_web_client"


@dataclass(frozen=True, slots=True)
class Provider:
    """What one app has to do with its token server."""

    issuer: str
    client: Any
    """Authlib's ``FlaskOAuth2App``."""
    auth: AuthlibClientAuth
    people: People

    def endpoint(self, name: str) -> str:
        """The URL of an endpoint that a sign-in needs.

        :raises OAuthError: As :meth:`find_endpoint`, or there is none.
        :raises RequestException: The server does not answer.
        """
        url = self.find_endpoint(name)
        if url is None:
            raise OAuthError("missing_endpoint")
        return url

    def find_endpoint(self, name: str) -> str | None:
        """The URL of an endpoint, from the server's metadata, which are fetched at first use.

        :raises OAuthError: They are about another server.
        :raises RequestException: The server does not answer.
        """
        try:
            metadata = self.client.load_server_metadata()
        except TypeError as error:  # JSON, but no object
            raise OAuthError("unusable_answer") from error
        if metadata.get("issuer") != self.issuer:  # OpenID Connect Discovery §4.3; Authlib does not look
            metadata.pop("_loaded_at", None)  # let Authlib fetch them again next time
            raise OAuthError("mismatching_issuer")
        url = metadata.get(name)
        return url if isinstance(url, str) else None

    def authorize_access_token(self) -> dict[str, Any]:
        """Take the authorization response of the current request, and redeem its code.

        :return: The token response, with the checked claims of the ID token under ``userinfo``.
        :raises OAuthError: The answer is not ours, the person or the server refused, or there is no ID token.
        :raises JoseError: The ID token does not say what it must.
        :raises RequestException: The server does not answer.
        """
        self.endpoint("token_endpoint")
        self._check_answer(flask.request.args)
        try:
            token: dict[str, Any] = self.client.authorize_access_token(
                claims_options={
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": WEB.client_id},
                    "sub": {"essential": True},
                }
            )
        except (requests.RequestException, OAuthError, JoseError):
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:  # the answer, or the keys, are of no form
            raise OAuthError("unusable_answer") from error
        if "id_token" not in token:  # Authlib takes an answer without one
            raise OAuthError("missing_id_token")
        return token

    def _check_answer(self, arguments: Any) -> None:
        """Check what Authlib does not: each parameter once, ``iss`` (RFC 9207 §2.4), and ``state`` of an error too."""
        if any(len(arguments.getlist(name)) > 1 for name in arguments):
            raise OAuthError("mismatching_state")
        if not self.client.framework.get_state_data(flask.session, arguments.get("state")):
            raise OAuthError("mismatching_state")
        if arguments.get("iss") != self.issuer:  # else one server could be handed the code of another
            raise OAuthError("mismatching_issuer")

    def get(self, url: str, person: SignedIn) -> requests.Response:
        """Send a GET with a person's access token; Authlib refreshes it first when that is due.

        :raises OAuthError: The refresh was refused.
        :raises RequestException: The server does not answer.
        """
        with person.lock:
            flask.g.acting_for = person
            answer: requests.Response = self.client.get(url, token=person.token)
            return answer

    def load_userinfo(self, person: SignedIn) -> dict[str, Any]:
        """What UserInfo says of the person whom the ID token is about (OpenID Connect Core §5.3).

        :raises OAuthError: It is about somebody else.
        :raises RequestException: The server does not answer, or refused.
        """
        answer = self.get(self.endpoint("userinfo_endpoint"), person)
        answer.raise_for_status()
        info = answer.json()
        if not isinstance(info, dict) or info.get("sub") != person.claims["sub"]:  # §5.3.2
            raise OAuthError("mismatching_sub")
        return info

    def revoke(self, token: dict[str, Any]) -> None:
        """Tell the server that this application is done with a token (RFC 7009), if the server wants to know.

        :raises RequestException: The server does not answer.
        """
        endpoint = self.find_endpoint("revocation_endpoint")
        if endpoint is None:
            return
        kind = "refresh_token" if "refresh_token" in token else "access_token"
        with NotingSession(WEB.client_id, revocation_endpoint_auth_method=self.auth) as session:
            session.revoke_token(endpoint, token[kind], token_type_hint=kind, timeout=TIMEOUT_SECONDS)


def add_provider(app: flask.Flask) -> None:
    """Make the token server known to *app*.

    :raises ConfigurationError: There is no key yet, see ``python -m demo.prepare``.
    """
    issuer = app.config["OAUTH2_ISSUER"]
    auth = AuthlibClientAuth(issuer, WEB.client_id, key=WEB.key_file, alg=WEB.alg)
    client = OAuth(app, cache=Memory()).register(
        "token_server",
        client_cls=NotingApp,
        client_id=WEB.client_id,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        update_token=_keep_token,
        client_kwargs={
            "scope": WEB.scope,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": auth,  # in the place of a client_secret
            "default_timeout": TIMEOUT_SECONDS,
            "leeway": REFRESH_SECONDS,
        },
    )
    app.extensions[_EXTENSION] = Provider(issuer, client, auth, People())


def provider() -> Provider:
    """The current app's."""
    found: Provider = flask.current_app.extensions[_EXTENSION]
    return found


def find_person() -> SignedIn | None:
    """Who is signed in at this browser."""
    return provider().people.find(flask.session.get("handle"))


def _keep_token(token: dict[str, Any], **_: Any) -> None:
    """Called by Authlib after a refresh."""
    flask.g.acting_for.token.update(token)
