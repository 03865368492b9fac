"""Step 1: a form is read strictly, from the body only."""

from types import SimpleNamespace

import pytest

from flask_private_key_jwt.authorization_server.request import (
    FORM_TYPE,
    MAX_PARAMETERS,
    FormRequest,
    parse_form,
    read_form,
)
from flask_private_key_jwt.errors import InvalidRequest, PayloadTooLarge

URL = "https://as.example/oauth2/token"


def refuse(body, content_type=FORM_TYPE):
    with pytest.raises(InvalidRequest) as refused:
        parse_form(body, content_type)
    return refused.value.reason


# --- content type -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "content_type",
    [FORM_TYPE, f"{FORM_TYPE}; charset=utf-8", f"{FORM_TYPE};charset=UTF-8", "Application/X-WWW-Form-Urlencoded"],
)
def test_form_content_type_is_accepted(content_type):
    assert parse_form(b"a=b", content_type) == ({"a": "b"}, ())


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        f"{FORM_TYPE}, application/json",
        f"{FORM_TYPE}x",
        f"x{FORM_TYPE}",
        f"application/json; {FORM_TYPE}",
    ],
)
def test_other_content_type_is_refused(content_type):
    assert refuse(b"a=b", content_type) == f"content type {content_type!r} is not {FORM_TYPE}"


def test_content_type_is_quoted_in_part_only():
    assert len(refuse(b"a=b", "x" * 10_000)) < 200


# --- the form ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"&&", {}),
        (b"a=b&c=d", {"a": "b", "c": "d"}),
        (b"a", {"a": ""}),
        (b"a=", {"a": ""}),
        (b"=b", {"": "b"}),
        (b"a=b;c=d", {"a": "b;c=d"}),  # RFC 6749 App. B knows the ampersand only
        (b"a=b=c", {"a": "b=c"}),
        (b"a=b+c%20d%2B", {"a": "b c d+"}),
        (b"%61=b", {"a": "b"}),
        (b"a=%C3%A9", {"a": "é"}),
        (b"a=%00", {"a": "\x00"}),
        (b"a=%", {"a": "%"}),
    ],
)
def test_form_is_decoded(body, form):
    assert parse_form(body, FORM_TYPE) == (form, ())


@pytest.mark.parametrize("body", [b"a=1&a=2", b"a=1&a=1", b"a=1&%61=2", b"a&a", b"a=&a=1"])
def test_parameter_sent_twice_is_refused(body):
    assert refuse(body) == "parameter 'a' is sent more than once"


def test_resource_may_repeat():
    assert parse_form(b"resource=x&a=b&resource=y&resource=", FORM_TYPE) == ({"a": "b"}, ("x", "y"))


@pytest.mark.parametrize("body", [b"a=%FF", b"%FF=a", b"a=%C3", b"a=%ED%A0%80"])
def test_form_that_is_not_utf_8_is_refused(body):
    assert refuse(body) == "the form cannot be parsed: UnicodeDecodeError"


@pytest.mark.parametrize("body", [b"a=\xff", "a=é".encode(), b"\x80"])
def test_form_that_is_not_ascii_is_refused(body):
    assert refuse(body) == "the form cannot be parsed: UnicodeDecodeError"


def test_as_many_parameters_as_allowed_are_accepted():
    body = "&".join(f"p{number}=" for number in range(MAX_PARAMETERS)).encode()

    assert len(parse_form(body, FORM_TYPE)[0]) == MAX_PARAMETERS


@pytest.mark.parametrize("part", ["p{}=", "resource={}", ""])
def test_more_parameters_are_refused(part):
    body = "&".join(part.format(number) for number in range(MAX_PARAMETERS + 1)).encode()

    assert refuse(body) == "the form cannot be parsed: ValueError"


# --- reading ----------------------------------------------------------------------------------------------
class Http:
    """What Werkzeug gives: a body that is cut off at the limit, as a chunked one is."""

    max_content_length = None
    method = "POST"

    def __init__(self, body=b"a=b", error=None, **environ):
        self.body = body
        self.error = error
        self.environ = {"CONTENT_TYPE": FORM_TYPE, **environ}

    def get_data(self):
        if self.error:
            raise self.error
        return self.body[: self.max_content_length]


def read(http):
    return read_form(http, endpoint="token", url=URL, max_bytes=4096)


def test_request_is_read_into_a_frozen_value():
    request = read(Http(b"a=b&c=&resource=r", HTTP_DPOP="proof", HTTP_AUTHORIZATION=""))

    assert request == FormRequest(
        endpoint="token",
        url=URL,
        form={"a": "b", "c": ""},
        resources=("r",),
        proof="proof",
        has_authorization=True,
        method="POST",
    )
    with pytest.raises(AttributeError):
        request.url = "other"


def test_empty_parameter_counts_as_absent():
    request = read(Http(b"a=b&c="))

    assert (request.get("a"), request.get("c"), request.get("d")) == ("b", None, None)


def test_query_string_is_not_read():
    assert read(Http(b"", QUERY_STRING="a=b")).form == {}


@pytest.mark.parametrize("length", [4095, 4096])
def test_body_up_to_the_limit_is_read(length):
    assert len(read(Http(b"a=" + b"x" * (length - 2))).form["a"]) == length - 2


@pytest.mark.parametrize("length", [4097, 4098, 1_000_000])
def test_body_past_the_limit_is_refused_although_it_arrives_cut_off(length):
    with pytest.raises(PayloadTooLarge) as refused:
        read(Http(b"a=" + b"x" * (length - 2)))

    assert refused.value.reason == "the body is longer than 4096 bytes"


def test_body_that_werkzeug_finds_too_large_is_refused():
    with pytest.raises(PayloadTooLarge):
        read(Http(error=_error(code=413)))


@pytest.mark.parametrize("code", [400, None, "413"])
def test_body_that_cannot_be_read_is_refused(code):
    with pytest.raises(InvalidRequest) as refused:
        read(Http(error=_error(code=code)))

    assert refused.value.reason == "the body cannot be read: Broken"


def _error(**members):
    error = type("Broken", (Exception,), {})("private")
    vars(error).update(SimpleNamespace(**members).__dict__)
    return error
