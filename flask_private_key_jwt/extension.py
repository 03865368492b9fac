"""PrivateKeyJWT: the face of the package for an application."""

from typing import Any, TypeVar

import flask
from flask_sqlalchemy import SQLAlchemy

from .authorization_server.assembly import assemble
from .authorization_server.cli import oauth2_group
from .authorization_server.endpoints import MachineEndpoints
from .authorization_server.endpoints.browser_session import listen_to_flask_login
from .authorization_server.grants.authlib_grants import check_grant_class
from .authorization_server.grants.policy import TokenPolicy
from .authorization_server.people import ConsentView, People, SignInPage, SignOut, UserLoader
from .authorization_server.registration.registry import ClientRegistry
from .authorization_server.server_parts import BeforeMachineRequest, Declarations
from .authorization_server.state import EXTENSION_KEY, current_state
from .authorization_server.stores.granted import Holder
from .authorization_server.stores.sql.registration_tokens import RegistrationTokens
from .authorization_server.stores.tables.models import TABLE_PREFIX, build_tables
from .authorization_server.tokens.introspection import IntrospectionPolicy
from .authorization_server.tokens.user_claims import UserClaims, check_user_claims
from .errors import ConfigurationError

DeclaredClaims = TypeVar("DeclaredClaims", bound=UserClaims)


class PrivateKeyJWT:
    """Makes Flask apps authorization servers whose clients hold no shared secret.

    :param db: The application's Flask-SQLAlchemy object; the tables join its metadata.
    :param app: An app to initialise at once; factories call :meth:`init_app` instead.
    :param table_prefix: What the tables' names begin with, for an application that has tables of our names already.
    :raises ConfigurationError: *db* has a table of one of these names, or the prefix is none.
    """

    def __init__(self, db: SQLAlchemy, app: flask.Flask | None = None, *, table_prefix: str = TABLE_PREFIX) -> None:
        self._db = db
        self._tables = build_tables(db, prefix=table_prefix)
        self._declarations = Declarations()
        self._people = People()
        self.Client = self._tables.Client
        """The client model (a Flask-SQLAlchemy model)."""
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Read the settings of *app* and add the endpoints and the ``flask oauth2`` commands.

        :raises ConfigurationError: A setting is wrong or missing, or *app* was initialised before.
        """
        if EXTENSION_KEY in app.extensions:
            raise ConfigurationError("init_app was called on this app before.")
        state = assemble(app, self._db, self._tables, declarations=self._declarations, people=self._people)
        app.extensions[EXTENSION_KEY] = state
        MachineEndpoints(state.endpoints).install(app)
        # Its templates come after the app's own of the same name.
        app.register_blueprint(flask.Blueprint(EXTENSION_KEY, __name__, template_folder="templates"))
        listen_to_flask_login(app)
        app.cli.add_command(oauth2_group)

    @property
    def clients(self) -> ClientRegistry:
        """The clients of the current app: ``add``, ``update``, ``disable`` …"""
        return current_state().clients

    @property
    def registration_tokens(self) -> RegistrationTokens:
        """The registration tokens of the current app: ``create``, ``all``, ``revoke`` …"""
        return current_state().registration_tokens

    def register_grant(self, grant_class: Any, extensions: Any = None) -> None:
        """Register a grant of the application's own, as with Authlib's server; it goes before ours of the same name.

        :param grant_class: An Authlib grant with ``TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]``.
        :param extensions: As Authlib's grants take them.
        :raises ConfigurationError: It does not accept ``private_key_jwt``; the message says what to add.
        """
        check_grant_class(grant_class)
        self._declarations.grants.append((grant_class, extensions))

    def user(self, load_user: UserLoader) -> UserLoader:
        """Register the function that says who is signed in at the current browser: a user, or ``None``.

        A user has ``get_id()``, as Flask-Login's do, or ``get_user_id()``, as Authlib's: the ``sub`` of their tokens.
        Without this function the user is Flask-Login's ``current_user``. An application with neither has no
        authorization endpoint.
        """
        self._people.load_user = load_user
        return load_user

    def sign_in(self, page: SignInPage) -> SignInPage:
        """Register the function that sends the browser to where people sign in; it gets a :class:`SignIn`.

        Without it that is Flask-Login's ``login_manager.login_view``. The page sends the browser to
        :attr:`SignIn.return_url` afterwards, and calls :func:`note_sign_in` unless it signs in with Flask-Login.
        """
        self._people.sign_in = page
        return page

    def sign_out(self, end_session: SignOut) -> SignOut:
        """Register the function that signs out whoever is signed in at the current browser; it gets nothing.

        Without it that is Flask-Login's ``logout_user``, if :meth:`user` is Flask-Login's too. An application that says
        neither has no logout endpoint.
        """
        self._people.sign_out = end_session
        return end_session

    def consent(self, view: ConsentView) -> ConsentView:
        """Register a function that shows the consent page in place of ours; it gets a :class:`ConsentPage`.

        To change only its looks, give the app a template ``private_key_jwt/consent.html``.
        """
        self._people.consent = view
        return view

    def user_claims(self, declared: DeclaredClaims) -> DeclaredClaims:
        """Register what UserInfo says about people: a function, or a class (OpenID Connect Core §5.3).

        A function gets the ``sub``, a string whatever the key of your users is, and the granted scopes, and returns
        claims, or ``None`` when there is no such person any more. A class is made with the ``sub``; its public methods,
        named after scopes, return the claims of these, and its attribute ``exists`` is false when there is no such
        person. Without either UserInfo says ``sub`` only.

        :raises ConfigurationError: It could not answer; the message says what to change.
        """
        check_user_claims(declared)
        self._people.claims = declared
        return declared

    def revoke(self, *, subject: str | None = None, client_id: str | None = None) -> int:
        """Revoke what a person has granted, or a client holds, or that person to that client; forget the consents.

        Refresh tokens and unredeemed codes end at once, access tokens wherever revocation is looked up: at
        introspection, and at an API in the same app. What is issued afterwards counts again.

        :param subject: The person: the ``sub`` of their tokens.
        :param client_id: The client.
        :return: How many grants with codes or refresh tokens there were.
        :raises ValueError: Neither is named.
        :raises TypeError: One is no string: a person's ``sub`` is what their ``get_id()`` returned, as a string.
        :raises StoreUnavailable: The database did not answer.
        """
        return current_state().server.revocations.revoke_all(Holder(subject=subject, client_id=client_id))

    def revoke_token(self, jti: str, *, expires_at: int | None = None) -> None:
        """Revoke one access token by its ``jti``, as :data:`~flask_private_key_jwt.signals.token_issued` names it.

        :param expires_at: Its ``exp``, in seconds since the epoch: how long to remember it. ``None``: the longest life.
        :raises StoreUnavailable: The database did not answer.
        """
        current_state().server.revocations.revoke_token(jti, expires_at=expires_at)

    def before_machine_request(self, function: BeforeMachineRequest) -> BeforeMachineRequest:
        """Register a function that is called before every machine endpoint, as Flask's ``before_request`` is not.

        It is called with the endpoint's name: ``token``, ``pushed_authorization``, ``introspection``, ``revocation``,
        ``userinfo``, ``registration``, ``client_configuration``, ``jwks``, ``metadata`` or ``openid_metadata``, before
        anything of the request is read. It lets the request in with ``None``; a response takes the endpoint's place,
        and :class:`~flask_private_key_jwt.TooManyRequests` or another ``OAuthError`` refuses. The pages for people
        (``authorization``, ``logout``) are ordinary views, which ``before_request`` sees.
        """
        self._declarations.before_requests.append(function)
        return function

    def introspection_policy(self, policy: IntrospectionPolicy) -> IntrospectionPolicy:
        """Register the function that decides who may introspect which access token (RFC 7662 §2.2).

        It is called with the calling :class:`RegisteredClient` and the token's claims, and returns true to show them.
        It takes the place of the usual rule, that a client sees its own tokens and a resource server those that are
        made for it; of several functions, all have to agree. Refresh tokens are shown to their own client only.
        """
        self._declarations.introspection.append(policy)
        return policy

    def token_policy(self, policy: TokenPolicy) -> TokenPolicy:
        """Register a function that may add claims to a token, or refuse it by raising an OAuthError.

        It is called with the :class:`RegisteredClient`, the :class:`FormRequest` and the :class:`Grant`, and returns
        claims or ``None``. Claims the server sets itself are protected.
        """
        self._declarations.policies.append(policy)
        return policy
