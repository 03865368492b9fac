"""Step 1: a form is read strictly, from the body only."""

from types import SimpleNamespace
from urllib.parse import unquote_to_bytes

import pytest

from flask_private_key_jwt.authorization_server.request import (
    FORM_TYPE,
    MAX_PARAMETERS,
    FormRequest,
    form_decode,
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
        authorization="",
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


# --- a body of a known length -----------------------------------------------------------------------------
class Stream:
    """What a WSGI server gives: it says nothing after the end, and little at a time."""

    def __init__(self, body, at_once=10_000):
        self.rest = body
        self.at_once = at_once

    def read(self, size):
        size = min(size, self.at_once)
        part, self.rest = self.rest[:size], self.rest[size:]
        return part


def known(body, length=None, at_once=10_000, **environ):
    length = str(len(body)) if length is None else length
    return Http(b"left=to+Werkzeug", CONTENT_LENGTH=length, **{"wsgi.input": Stream(body, at_once), **environ})


@pytest.mark.parametrize("at_once", [1, 2, 10_000])
def test_body_of_a_known_length_is_read_from_the_server_and_no_further(at_once):
    http = known(b"a=bGET / HTTP/1.1", length="3", at_once=at_once)

    assert read(http).form == {"a": "b"}
    assert http.environ["wsgi.input"].read() == b"a=b"  # for whoever asks later


def test_body_that_ends_early_is_refused():
    with pytest.raises(InvalidRequest) as refused:
        read(known(b"a=b", length="4"))

    assert refused.value.reason == "the body cannot be read: it ends early"


def test_server_that_breaks_off_is_no_defect():
    def read_nothing(size):
        raise _error()

    stream = SimpleNamespace(read=read_nothing)
    with pytest.raises(InvalidRequest) as refused:
        read(known(b"a=b", **{"wsgi.input": stream}))

    assert refused.value.reason == "the body cannot be read: Broken"


def test_length_past_the_limit_is_refused_before_anything_is_read():
    http = known(b"a=b", length="4097")

    with pytest.raises(PayloadTooLarge) as refused:
        read(http)
    assert refused.value.reason == "the body is longer than 4096 bytes"
    assert http.environ["wsgi.input"].rest == b"a=b"


@pytest.mark.parametrize("length", ["", "-1", "+3", " 3", "3, 3", "3_0", "\u00b3", "9" * 11])
def test_odd_length_is_left_to_werkzeug(length):
    assert read(known(b"a=b", length=length)).form == {"left": "to Werkzeug"}


def test_length_beside_a_transfer_encoding_is_left_to_werkzeug():
    assert read(known(b"a=b", HTTP_TRANSFER_ENCODING="chunked")).form == {"left": "to Werkzeug"}


def test_body_that_somebody_has_begun_to_read_is_left_to_werkzeug():
    http = known(b"")
    http.stream = None

    assert read(http).form == {"left": "to Werkzeug"}


@pytest.mark.parametrize(
    "text", ["urn%3Aa%2Fb", "%253A", "%%3A41", "%2%3A1", "%3a%2f", "a+b%3A", "%C3%A9%3A", "é", "%"]
)
def test_usual_escapes_are_decoded_like_all_others(text):
    assert form_decode(text) == unquote_to_bytes(text.replace("+", " ")).decode()


@pytest.mark.parametrize("text", ["%FF", "%3A%FF"])
def test_escapes_that_are_not_utf_8_are_refused(text):
    with pytest.raises(UnicodeDecodeError):
        form_decode(text)


def _error(**members):
    error = type("Broken", (Exception,), {})("private")
    vars(error).update(SimpleNamespace(**members).__dict__)
    return error
