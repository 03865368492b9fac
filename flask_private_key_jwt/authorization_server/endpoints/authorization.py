"""The authorization endpoint (RFC 6749 §3.1), for browsers: an ordinary view of the app, with the app's own hooks.

Until the place for the client's answer is known, a refusal is a page; after that it is an answer to the client.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import flask
from flask.typing import ResponseReturnValue

from ... import clock
from ...errors import (
    AccessDenied,
    InteractionRefused,
    InvalidRequestURI,
    OAuthError,
    ServerError,
    TemporarilyUnavailable,
    UnusableAccount,
)
from ...signals.refusal import REFERENCE_HEADER
from ..authorization.authorizer import STAND_INS, OpenedRequest
from ..authorization.interaction import (
    Account,
    AccountPage,
    ConsentPage,
    Person,
    SignIn,
    Step,
    is_account_chosen,
    is_sign_in_enough,
    name_of,
    next_step,
)
from ..authorization.parameters import KNOWN, SMART_AUDIENCE, AuthorizationRequest, read_query
from ..authorization.response import CONTINUE as CONTINUE_WORD
from ..authorization.response import SUBMIT_SCRIPT_HASH, ResponseTarget, build_form_page, build_location, build_onward
from ..request import REPEATABLE
from ..state import State, current_state
from .browser_session import BrowserSession
from .page_words import build_wording, find_asked_language, page_words, prefer_languages
from .pages import (
    ALONE,
    allow_picture,
    answer_with_page,
    build_refusal_page,
    describe,
    read_page_request,
    send_to,
)
from .strict_session import find_way_in, read_own_query

IN_THE_URL = ("client_id", *STAND_INS, *REPEATABLE, *KNOWN, SMART_AUDIENCE)
"""The parameters of a posted request that are copied into the URL; all others would be ignored there."""
NAME = "authorization"
CONTINUE, SWITCH, CHOOSE = "continue", "switch_account", "account:"
"""Decisions about the account: the one that is signed in, any other, or the one with the ``sub`` that follows."""
ACCOUNTS_SHOWN = "\x00accounts"
"""What the page of accounts shows, for its decision token: it has one NUL, what a consent page shows has two."""
FORM_POST_POLICY = f"default-src 'none'; script-src '{SUBMIT_SCRIPT_HASH}'; {ALONE}"

FOR_THE_PERSON_ONLY = (TemporarilyUnavailable, ServerError, InvalidRequestURI, InteractionRefused, UnusableAccount)
"""Refusals that are not sent to the client, because its request is still open or does not exist."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser to the endpoint."""

    state: State
    session: BrowserSession
    opened: OpenedRequest
    name: str = field(repr=False)
    """The name of the authorization request in the session."""
    url: str = field(repr=False)
    """The authorization request as a path with query. Sign-in returns to it, and the decision is posted to it."""
    began_at: int
    """A time before anything was read, in seconds since the epoch: what is revoked later ends what this visit gives."""


def authorization() -> ResponseReturnValue:
    """``GET`` and ``POST /oauth2/authorize``."""
    return answer_with_page(_respond, endpoint=NAME)


def _respond() -> ResponseReturnValue:
    state = current_state()
    asked = read_page_request(state.settings.REQUEST_MAX_BYTES)
    if asked.is_posted:
        # OpenID Connect Core §3.1.2.1. From here on it is in the URL: sign-in has to find the way back.
        query = urlencode([pair for pair in asked.form if pair[0] in IN_THE_URL])
        return flask.redirect(f"{asked.here}?{query}", 303)
    return find_way_in() or _visit(state, asked.here, asked.decision)


def _visit(state: State, here: str, decision: Mapping[str, str]) -> ResponseReturnValue:
    """Answer a request that is in the URL.

    :param here: The path of the endpoint, as the browser sees it.
    :param decision: What the person decided, if they did.
    """
    began_at, session = clock.now(), BrowserSession(state.settings, state.secrets)
    pairs = read_query(read_own_query())
    prefer_languages(next((value for name, value in pairs if name == "ui_locales"), None))
    opened = state.server.authorizer.open(
        pairs,
        is_open=session.is_undecided if decision else session.is_open,
        deciding=bool(decision),
    )
    prefer_languages(opened.parameters.get("ui_locales"))
    query = read_own_query().decode("ascii")
    if opened.stand_in:
        # Other parameters were ignored, and are not copied.
        query = urlencode({"client_id": opened.client.client_id, **opened.stand_in})
    visit = Visit(state, session, opened, opened.request_uri or opened.request or query, f"{here}?{query}", began_at)
    try:
        request = state.server.authorizer.check(opened)
        if (person := state.people.find_person(session)) is not None:
            state.server.authorizer.check_account(person)
        return _decide(visit, request, person, decision) if decision else _proceed(visit, request, person)
    except FOR_THE_PERSON_ONLY:
        raise
    except OAuthError as refusal:
        return _refuse(visit, refusal)


def _proceed(visit: Visit, request: AuthorizationRequest, person: Person | None) -> ResponseReturnValue:
    """Send the person to the next step."""
    authorizer, session = visit.state.server.authorizer, visit.session
    step = next_step(
        request,
        person,
        signed_in_since=session.signed_in_since(visit.name),
        consent=authorizer.find_consent(request.client, request.target, person) if person else None,
        now=clock.now(),
        has_chosen=person is not None and session.has_chosen(visit.name, person.subject),
    )
    if step is Step.ISSUE and person:
        return _issue(visit, request, person)
    session.open(visit.name, language=find_asked_language() or "")
    if step is Step.CONSENT and person:
        return _ask_for_consent(visit, request, person)
    if step is Step.CHOOSE_ACCOUNT and person:
        return _ask_for_account(visit, request, person)
    return _send_to_sign_in(visit, request, again=step is Step.SIGN_IN_AGAIN)


def _ask_for_consent(visit: Visit, request: AuthorizationRequest, person: Person) -> ResponseReturnValue:
    page = ConsentPage(
        client=request.client,
        user=person.user,
        scopes=request.scope,
        resources=request.resources,
        redirect_uri=request.target.redirect_uri,
        action=visit.url,
        decision_token=visit.session.issue_decision_token(visit.name, person.subject, shown=_name_shown(request)),
        is_vouched_for=_is_vouched_for(visit, request),
        wording=build_wording(visit.state),
        can_switch_account=request.hinted_subject is None,
    )
    return allow_picture(visit.state.people.ask_for_consent(page), page.logo_uri)


def _is_vouched_for(visit: Visit, request: AuthorizationRequest) -> bool:
    settings, client = visit.state.settings, request.client
    return client.is_vouched_for(settings) or client.client_id in settings.TRUSTED_CLIENT_IDS


def _ask_for_account(visit: Visit, request: AuthorizationRequest, person: Person) -> ResponseReturnValue:
    others = visit.state.people.find_others(person)
    accounts = [_build_account(CONTINUE, person.user, is_signed_in=True)]
    accounts += [_build_account(CHOOSE + subject, user, is_signed_in=False) for subject, user in others.items()]
    page = AccountPage(
        client=request.client,
        accounts=tuple(accounts),
        action=visit.url,
        decision_token=visit.session.issue_decision_token(visit.name, person.subject, shown=ACCOUNTS_SHOWN),
        is_vouched_for=_is_vouched_for(visit, request),
    )
    return flask.render_template("private_key_jwt/accounts.html", page=page)


def _build_account(value: str, user: Any, *, is_signed_in: bool) -> Account:
    name, email = name_of(user), getattr(user, "email", None)
    return Account(value, name, email if isinstance(email, str) and email != name else None, is_signed_in)


def _name_shown(request: AuthorizationRequest) -> str:
    """What the person is asked to allow.

    If the request names no scope, the registration decides, and the client may change it while the person reads; its
    name too.
    """
    return "\x00".join([" ".join(request.scope), " ".join(request.resources), request.client.client_name or ""])


def _send_to_sign_in(
    visit: Visit, request: AuthorizationRequest, *, again: bool, account: Any = None
) -> ResponseReturnValue:
    sign_in = SignIn(visit.url, request.client, request.login_hint, again, request.ui_locales, account)
    return visit.state.people.send_to_sign_in(sign_in)


def _decide(
    visit: Visit, request: AuthorizationRequest, person: Person | None, decision: Mapping[str, str]
) -> ResponseReturnValue:
    """Do what the person decided, after checking that it is from this person and session, for this request."""
    token, session, shown = decision["decision_token"], visit.session, _name_shown(request)
    if person and session.is_decision_token(token, visit.name, person.subject, shown=ACCOUNTS_SHOWN):
        return _choose_account(visit, request, person, decision.get("decision", ""))
    if person is None or not session.is_decision_token(token, visit.name, person.subject, shown=shown):
        raise InteractionRefused("the decision is not from this session, person and request", cause="decision_foreign")
    server = visit.state.server
    if decision.get("decision") == SWITCH and request.hinted_subject is None:
        return _send_to_sign_in(visit, request, again=True)
    if decision.get("decision") != "allow":
        for granted in server.authorizer.decided_codes.withdraw(token):
            server.revocations.take_back(granted)  # "Allow" was pressed first
        raise AccessDenied("the person said no", cause="person_refused")
    signed_in_since = session.signed_in_since(visit.name, deciding=True)
    # The consent page may have been open for longer than max_age.
    if not is_sign_in_enough(request, person, signed_in_since=signed_in_since, now=clock.now()):
        return _send_to_sign_in(visit, request, again=True)
    has_chosen = session.has_chosen(visit.name, person.subject, deciding=True)
    if not is_account_chosen(request, signed_in_since=signed_in_since, has_chosen=has_chosen):
        return flask.redirect(visit.url, 303)
    server.authorizer.remember_consent(request, person)
    return _issue(visit, request, person, decision_token=token)


def _choose_account(visit: Visit, request: AuthorizationRequest, person: Person, decision: str) -> ResponseReturnValue:
    """Go on with the account that is signed in, or have another one sign in."""
    if decision == CONTINUE:
        visit.session.choose_account(visit.name, person.subject)
        return flask.redirect(visit.url, 303)
    if decision.startswith(CHOOSE):
        # Of those that the application names now: it decides who may be chosen, not the form.
        user = visit.state.people.find_others(person).get(decision.removeprefix(CHOOSE))
        if user is None:
            return flask.redirect(visit.url, 303)
        return _send_to_sign_in(visit, request, again=True, account=user)
    return _send_to_sign_in(visit, request, again=True)


def _issue(
    visit: Visit, request: AuthorizationRequest, person: Person, *, decision_token: str | None = None
) -> flask.Response:
    code = visit.state.server.authorizer.issue_code(
        request,
        person,
        request_uri=visit.opened.request_uri,
        granted_at=visit.began_at,
        decision_token=decision_token,
    )
    visit.session.close(visit.name)
    return _send(request.target, request.target.build_members(visit.state.settings.ISSUER, code=code))


def _refuse(visit: Visit, refusal: OAuthError) -> flask.Response:
    """End the request and send the error to the client: by a redirect, or by a page with a link to the client."""
    target = visit.opened.target
    members = target.build_members(
        visit.state.settings.ISSUER, error=refusal.code, error_description=refusal.description
    )
    is_sent_on = _is_sent_on(visit, refusal)
    # "Deny" may be pressed twice, or after "Allow".
    visit.state.server.authorizer.refuse(visit.opened, again=isinstance(refusal, AccessDenied))
    visit.session.close(visit.name)
    if not is_sent_on:
        return build_refusal_page(refusal, NAME, onward=build_onward(target, members))
    reference = describe(refusal, NAME)
    response = _send(target, members)
    response.headers[REFERENCE_HEADER] = reference
    return response


def _is_sent_on(visit: Visit, refusal: OAuthError) -> bool:
    """Whether a refusal redirects the browser to the client (RFC 9700 §4.11.2).

    Anybody can register a client only to get a redirect, and can send a request that is refused. A link with this
    server's name would then lead directly to any page.
    """
    client = visit.opened.client
    if client.is_vouched_for(visit.state.settings) or isinstance(refusal, AccessDenied):
        return True  # a person who denied has seen our page
    if visit.opened.request_uri is not None and not client.is_public:
        return True  # the client pushed it: the link works once and for seconds, so nobody can send it around
    person = visit.state.people.find_person(visit.session)
    authorizer = visit.state.server.authorizer
    return person is not None and authorizer.find_consent(client, visit.opened.target, person) is not None


def _send(target: ResponseTarget, members: dict[str, str]) -> flask.Response:
    """Send the browser to the client, with the response."""
    if target.response_mode == "form_post":
        page = build_form_page(
            target.redirect_uri,
            members,
            language=page_words.language,
            direction=page_words.direction,
            word=page_words.translate(CONTINUE_WORD),
        )
        response = flask.Response(page)
        response.headers["Content-Security-Policy"] = FORM_POST_POLICY
        return response
    return send_to(build_location(target.redirect_uri, members, mode=target.response_mode))
