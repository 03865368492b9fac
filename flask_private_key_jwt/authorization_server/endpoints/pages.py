"""What the endpoints for people share: posted forms within limits, refusals as pages, the headers of every answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import flask
from flask.typing import ResponseReturnValue

from ...database.deadline import request_budget
from ...errors import (
    ConfigurationError,
    FetchBusy,
    InvalidRequest,
    MethodNotAllowed,
    NotOffered,
    OAuthError,
    PayloadTooLarge,
    TemporarilyUnavailable,
)
from ...signals.refusal import REFERENCE_HEADER, describe_refusal
from ..authorization.parameters import collect
from ..authorization.response import Onward
from ..registered_uris import find_picture_origin
from ..request import FORM_TYPE, MAX_PARAMETERS, read_body
from ..state import State, current_state
from .faults import find_fault, translate
from .http import is_refusal
from .page_words import page_words

ALONE = "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
"""The end of every Content-Security-Policy."""
HEADERS_OF_REFUSALS = ("Allow", "Retry-After")
"""Of the headers of a refusal, a page has these."""
PAGE_POLICY = f"default-src 'self'; {ALONE}"
"""What our pages and the application's templates load comes from this server; nothing inline runs or styles."""
# No form-action: browsers also apply it to redirects after a form, and ours lead to the client.


def allow_picture(page: ResponseReturnValue, uri: str | None) -> flask.Response:
    """*page*, with a policy that lets the picture at *uri* load, unless the application has set a policy."""
    response = flask.make_response(page)
    if uri is not None and (origin := find_picture_origin(uri)) is not None:
        response.headers.setdefault("Content-Security-Policy", f"{PAGE_POLICY}; img-src 'self' {origin}")
    return response


def answer_with_page(
    respond: Callable[[], ResponseReturnValue], *, endpoint: str, check: Callable[[State], None] | None = None
) -> flask.Response:
    """Call *respond* if the endpoint is served; a refusal is a page.

    :param endpoint: Its name, for the log and the signal.
    :param check: Raises if it is not served; by default the table of endpoints decides.
    """
    observer = current_state().meter.observer
    if observer is None:
        return _answer(respond, endpoint, check or _check_served)
    started = perf_counter()
    answer = _answer(respond, endpoint, check or _check_served)
    observer.note_request(endpoint, perf_counter() - started, refused=is_refusal(answer))
    return answer


def _answer(
    respond: Callable[[], ResponseReturnValue], endpoint: str, check: Callable[[State], None]
) -> flask.Response:
    try:
        state = current_state()
        check(state)
        with request_budget(state.settings.STORE_TIMEOUT_SECONDS):
            return _protect(flask.make_response(respond()))
    except OAuthError as error:
        refusal = error
    except ConfigurationError as error:
        refusal = TemporarilyUnavailable(f"set up wrongly: {error}", cause="setup_wrong")
    return _protect(build_refusal_page(refusal, endpoint))


def _check_served(state: State) -> None:
    """Refuse a page that is not offered, and other methods; also HEAD, which must not change anything, but would.

    :raises NotOffered: The application lacks what the endpoint needs.
    :raises MethodNotAllowed: It is not one of the endpoint's methods.
    """
    endpoint, method = state.endpoints[flask.request.path], flask.request.method
    if missing := state.find_missing(endpoint.needs):
        raise NotOffered(missing, cause="endpoint_not_served")
    if method not in endpoint.methods:
        raise MethodNotAllowed(f"method {method[:20]!r}", allow=endpoint.methods)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a browser asks of a page that has a request of a client's and a person's decision about it."""

    here: str
    """The path of the endpoint, as the browser sees it."""
    form: Sequence[tuple[str, str]] = field(repr=False)
    """What was posted; nothing, unless something was."""
    decision: Mapping[str, str] = field(repr=False)
    """What the person decided; empty, unless they did."""
    is_posted: bool
    """Whether a client's request was posted, and no decision about one: it has to go on as a URL."""


def read_page_request(max_bytes: int) -> PageRequest:
    """Read the current request, within the limits of :func:`.request.read_form`.

    :raises InvalidRequest: What was posted is not a form, cannot be read, or has too many parameters.
    :raises PayloadTooLarge: It is longer than *max_bytes*.
    """
    http = flask.request
    form = _read_posted(max_bytes) if http.method == "POST" else []
    decision = collect(form, only=("decision_token", "decision")).values
    is_posted = http.method == "POST" and "decision_token" not in decision
    return PageRequest(http.script_root + http.path, form, decision, is_posted)


def _read_posted(max_bytes: int) -> list[tuple[str, str]]:
    http = flask.request
    if http.mimetype != FORM_TYPE:
        raise InvalidRequest(f"content type {http.mimetype[:80]!r} is not {FORM_TYPE}", cause="content_type")
    if (http.content_length or 0) > max_bytes:
        raise PayloadTooLarge(f"the body is longer than {max_bytes} bytes", cause="body_too_large")
    read_body(http, max_bytes)
    # Flask's form, not the body: one of the application's hooks may have read the body already.
    pairs = list(http.form.items(multi=True))
    if len(pairs) > MAX_PARAMETERS:
        raise InvalidRequest(f"the form has more than {MAX_PARAMETERS} parameters", cause="form_too_many")
    return pairs


def send_to(location: str) -> flask.Response:
    """Send the browser to a client. Never with 307, which would post a form again there (RFC 9700 §4.12)."""
    response = flask.Response(status=303)
    # Unchanged: Werkzeug's redirect() would rewrite the registered URI.
    response.autocorrect_location_header = False
    response.headers["Location"] = location
    return response


def describe(refusal: OAuthError, endpoint: str) -> str:
    """Log a refusal and send the signal; return its reference id."""
    app = flask.current_app._get_current_object()  # type: ignore[attr-defined]
    return describe_refusal(refusal, endpoint=endpoint, sender=app)


def build_refusal_page(refusal: OAuthError, endpoint: str, *, onward: Onward | None = None) -> flask.Response:
    """A page that says what kind of fault there is; the reason goes to the log and the signal.

    :param endpoint: The endpoint's name.
    :param onward: A link or form to the client, which the person may follow.
    """
    reference = describe(refusal, endpoint)
    page = flask.render_template(
        "private_key_jwt/refusal.html",
        fault=translate(find_fault(refusal), page_words.translate),
        description=refusal.description,
        reference=reference,
        error=refusal.code,
        onward=onward,
    )
    response = flask.Response(page, status=refusal.status)
    response.headers[REFERENCE_HEADER] = reference
    response.headers.extend((name, value) for name, value in refusal.get_headers() if name in HEADERS_OF_REFUSALS)
    if isinstance(refusal, FetchBusy) and flask.request.method == "GET":
        # The browser keeps the place that its request has among those that wait for their client's document.
        response.headers["Refresh"] = str(refusal.retry_after_seconds)
    return response


def _protect(response: flask.Response) -> flask.Response:
    """Forbid frames, referrers and caches (RFC 9700 §4.2.4, §4.16); set a policy unless the application has set one."""
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
