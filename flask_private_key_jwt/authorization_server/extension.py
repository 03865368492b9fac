"""PrivateKeyJWT: the object that makes an app an authorization server."""

from typing import Any, TypeVar

import click
import flask
from flask.cli import AppGroup
from flask_sqlalchemy import SQLAlchemy

from ..errors import ConfigurationError
from ..tokens.scope_matching import ScopeMatcher
from .assembly import assemble
from .authorization.person_grants import PersonGrants
from .endpoints import MachineEndpoints
from .endpoints.browser_session import listen_to_flask_login
from .endpoints.connected_applications import build_connected_applications
from .endpoints.cross_origin import allow_cross_origin
from .endpoints.page_words import page_words
from .grants.authlib_grants import check_grant_class
from .grants.policy import TokenPolicy
from .once_only import AfterAuthentication
from .people import (
    ConsentView,
    FindAccounts,
    FindDID,
    People,
    SignInPage,
    SignOut,
    UserLoader,
)
from .registration.registry import ClientRegistry
from .server_parts import BeforeMachineRequest, Declarations
from .state import EXTENSION_KEY, current_state
from .stores.granted import Holder
from .stores.sql.registration_tokens import RegistrationTokens
from .stores.tables.all_tables import TABLE_PREFIX, build_tables
from .tokens.introspection import IntrospectionPolicy
from .tokens.user_claims import UserClaims, check_user_claims
from .wording.descriptions import DescribeScope

PACKAGE = __name__.partition(".")[0]
"""Where the templates are."""

DeclaredClaims = TypeVar("DeclaredClaims", bound=UserClaims)


class _CommandsOnDemand(AppGroup):
    """``flask oauth2 …``. Its commands are loaded when one is looked up: a server needs none, and they take memory."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        from .cli import oauth2_group

        self.commands = {**oauth2_group.commands, **self.commands}  # the application may have added some


class PrivateKeyJWT:
    """Makes Flask apps authorization servers whose clients hold no shared secret.

    :param db: The application's Flask-SQLAlchemy object; the tables join its metadata.
    :param app: An app to initialise at once; factories call :meth:`init_app` instead.
    :param table_prefix: The beginning of all table names; change it if the application already has tables with our
        names.
    :raises ConfigurationError: *db* has a table of one of these names already, or the prefix is not valid.
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
        allow_cross_origin(app, state.settings, state.endpoints)
        # Templates of a blueprint come after those of the app, so the app can replace them.
        app.register_blueprint(flask.Blueprint(EXTENSION_KEY, PACKAGE, template_folder="templates"))
        app.context_processor(lambda: {EXTENSION_KEY: page_words})
        listen_to_flask_login(app)
        app.cli.add_command(
            _CommandsOnDemand("oauth2", help="Run the OAuth 2 authorization server: its clients, keys and stores.")
        )

    @property
    def clients(self) -> ClientRegistry:
        """The clients of the current app: ``add``, ``update``, ``disable`` …"""
        return current_state().clients

    @property
    def registration_tokens(self) -> RegistrationTokens:
        """The registration tokens of the current app: ``create``, ``all``, ``revoke`` …"""
        return current_state().registration_tokens

    @property
    def grants(self) -> PersonGrants:
        """What people allow clients, in the current app: ``all``, ``find``, ``revoke``."""
        return current_state().person_grants

    def register_grant(self, grant_class: Any, extensions: Any = None) -> None:
        """Register the application's own grant, as on Authlib's server; it is tried before ours of the same name.

        :param grant_class: An Authlib grant with ``TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]``.
        :param extensions: Extensions of the grant, as in Authlib.
        :raises ConfigurationError: The grant does not accept ``private_key_jwt``; the message says what to add.
        """
        check_grant_class(grant_class)
        self._declarations.grants.append((grant_class, extensions))

    def user(self, load_user: UserLoader) -> UserLoader:
        """Register the function that returns who is signed in at the current browser: a user, or ``None``.

        A user has ``get_id()`` (as in Flask-Login) or ``get_user_id()`` (as in Authlib), which returns the ``sub`` of
        the user's tokens. Without this function the user is Flask-Login's ``current_user``. An application with neither
        has no authorization endpoint.
        """
        self._people.load_user = load_user
        return load_user

    def did(self, find_did: FindDID) -> FindDID:
        """Register the function that returns the DID of a user's account, for ``OAUTH2_PROFILE = "atproto"``.

        It is called with what the :meth:`user` function returned. Its result is the ``sub`` of the user's tokens, in
        place of ``get_id()``. Without this function ``get_id()`` has to return the DID.
        """
        self._people.find_did = find_did
        return find_did

    def sign_in(self, page: SignInPage) -> SignInPage:
        """Register the function that sends the browser to the sign-in page; it is called with a :class:`SignIn`.

        Without this function the page is Flask-Login's ``login_manager.login_view``. After the person has signed in,
        the page sends the browser to :attr:`SignIn.return_url`. It also calls :func:`note_sign_in`, unless it signs
        people in with Flask-Login.
        """
        self._people.sign_in = page
        return page

    def accounts(self, find_accounts: FindAccounts) -> FindAccounts:
        """Register the function that returns the users among whom the person at the current browser may choose.

        It is called without arguments, for a request with ``prompt=select_account``. Whoever chooses another user than
        the one that is signed in is sent to the sign-in page, with that user as :attr:`SignIn.account`. Without this
        function, the person goes on with the user that is signed in, or signs in as any other.
        """
        self._people.find_accounts = find_accounts
        return find_accounts

    def describe_scope(self, describe: DescribeScope) -> DescribeScope:
        """Register the function that says in words what a scope allows, or what a resource is.

        ``describe(name, language)`` is called with a scope, or with the URI of a resource, and with the language tag of
        the page, such as ``de``. It returns words, or ``None``: then ``OAUTH2_SCOPE_DESCRIPTIONS`` and the package's
        own words for OpenID Connect count.
        """
        self._people.describe_scope = describe
        return describe

    def connected_applications(self, *, url_prefix: str = "/connected-applications") -> flask.Blueprint:
        """A blueprint with the page on which people see what they allow, and take it back.

        ``app.register_blueprint(oauth.connected_applications())``; it is for whoever is signed in, and sends others to
        the sign-in page. ``url_for("private_key_jwt_connected.applications")`` is its URL.

        :param url_prefix: The path of the page.
        """
        return build_connected_applications(url_prefix)

    def sign_out(self, end_session: SignOut) -> SignOut:
        """Register the function that signs out the person at the current browser; it is called without arguments.

        Without this function Flask-Login's ``logout_user`` is called, but only if the application has not registered a
        :meth:`user` function. An application with neither has no logout endpoint.
        """
        self._people.sign_out = end_session
        return end_session

    def consent(self, view: ConsentView) -> ConsentView:
        """Register a function that shows its own consent page; it is called with a :class:`ConsentPage`.

        To change only how our page looks, give the app a template ``private_key_jwt/consent.html``.
        """
        self._people.consent = view
        return view

    def user_claims(self, declared: DeclaredClaims) -> DeclaredClaims:
        """Register what UserInfo says about people: a function, or a class (OpenID Connect Core §5.3).

        A function is called with the ``sub``, which is always a string, and the granted scopes. It returns claims, or
        ``None`` if the person no longer exists. A class is called with the ``sub``. Each of its public methods has the
        name of a scope and returns the claims of that scope; its attribute ``exists`` is false if the person no longer
        exists. Without a function or a class, UserInfo returns ``sub`` only.

        :raises ConfigurationError: *declared* cannot be called like this; the message says what to change.
        """
        check_user_claims(declared)
        self._people.claims = declared
        return declared

    def scope_matcher(self, matches: ScopeMatcher) -> ScopeMatcher:
        """Register a function that says whether one scope allows another; without it, scopes are compared as strings.

        ``matches(requested, registered)`` is called with a scope that a client asks for and one that it is registered
        for, if they differ; when it refreshes, with one that was granted. It returns ``True`` if the second allows the
        first, and otherwise ``False``: a client then gets exactly the scope it asked for. If it raises, or returns
        anything else, the request is refused with 503.
        """
        self._declarations.scope_matchers.append(matches)
        return matches

    def revoke(self, *, subject: str | None = None, client_id: str | None = None) -> int:
        """Revoke the tokens of a person, of a client, or of a person at a client, and forget the consents.

        Refresh tokens and unredeemed codes end at once. Access tokens end wherever revocation is looked up: at
        introspection, and at an API in the same app. Tokens that are issued later are valid.

        :param subject: The person: the ``sub`` of their tokens.
        :param client_id: The client.
        :return: How many grants with codes or refresh tokens were revoked.
        :raises ValueError: Neither *subject* nor *client_id* is given.
        :raises TypeError: One of them is not a string. A person's ``sub`` is ``str(user.get_id())``.
        :raises StoreUnavailable: The database did not answer.
        """
        return current_state().server.revocations.revoke_all(Holder(subject=subject, client_id=client_id))

    def revoke_token(self, jti: str, *, expires_at: int | None = None) -> None:
        """Revoke one access token by its ``jti``, as :data:`~flask_private_key_jwt.signals.token_issued` names it.

        :param expires_at: Its ``exp``, in seconds since the epoch: the revocation is remembered that long. ``None``: as
            long as any token may live.
        :raises StoreUnavailable: The database did not answer.
        """
        current_state().server.revocations.revoke_token(jti, expires_at=expires_at)

    def before_machine_request(self, function: BeforeMachineRequest) -> BeforeMachineRequest:
        """Register a function that is called before every machine endpoint, where no ``before_request`` function runs.

        It is called with the endpoint's name: ``token``, ``pushed_authorization``, ``introspection``, ``revocation``,
        ``userinfo``, ``registration``, ``client_configuration``, ``jwks``, ``metadata``, ``openid_metadata`` or
        ``stylesheet``, before anything of the request is read. If it returns ``None``, the endpoint answers; if it
        returns a response, that is the answer. To refuse, it raises :class:`~flask_private_key_jwt.TooManyRequests` or
        another ``OAuthError``. The pages for people (``authorization``, ``logout``) are ordinary views, where
        ``before_request`` functions run.
        """
        self._declarations.before_requests.append(function)
        return function

    def after_client_authentication(self, function: AfterAuthentication) -> AfterAuthentication:
        """Register a function that is called when a client has proved who it is, at every endpoint for clients.

        It is called with the :class:`RegisteredClient` and the :class:`FormRequest`, after the assertion was verified
        and used up: nobody who repeats a client's request gets that far. It is not called for public clients, which
        prove nothing. To refuse, it raises :class:`~flask_private_key_jwt.TooManyRequests` or another ``OAuthError``.
        """
        self._declarations.after_authentication.append(function)
        return function

    def introspection_policy(self, policy: IntrospectionPolicy) -> IntrospectionPolicy:
        """Register the function that decides who may introspect which access token (RFC 7662 §2.2).

        It is called with the calling :class:`RegisteredClient` and the token's claims, and returns true to show them.
        It replaces the usual rule: a client sees its own tokens, and a resource server the tokens made for it. If
        several functions are registered, all have to return true. Refresh tokens are shown to their own client only.
        """
        self._declarations.introspection.append(policy)
        return policy

    def token_policy(self, policy: TokenPolicy) -> TokenPolicy:
        """Register a function that may add claims to a token, or refuse it by raising an OAuthError.

        It is called with the :class:`RegisteredClient`, the :class:`FormRequest` and the :class:`Grant`, and returns
        claims or ``None``. It must not set a claim that the server sets: that is a :class:`ConfigurationError`.
        """
        self._declarations.policies.append(policy)
        return policy
