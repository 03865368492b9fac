"""What the application says about a person, and what of it anybody reads: no HTTP."""

import functools
from datetime import date

import pytest

from flask_private_key_jwt.authorization_server.tokens.user_claims import (
    PROTOCOL_CLAIMS,
    STANDARD_CLAIMS,
    build_user_claims,
    check_user_claims,
    list_claims,
)
from flask_private_key_jwt.errors import ConfigurationError

SCOPES = frozenset(["openid", "profile", "email", "address", "phone"])
EVERYTHING = {name: f"the {name}" for name in STANDARD_CLAIMS} | {"tenant": 5}


def ask(given, *scope):
    return build_user_claims(lambda subject, scope: given, "alice", frozenset(["openid", *scope]))


# --- a function -----------------------------------------------------------------------------------------------
def test_function_learns_who_and_what_for():
    asked = []

    build_user_claims(lambda *arguments: asked.append(arguments), "alice", SCOPES)

    assert asked == [("alice", SCOPES)]


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ([], set()),
        (["email"], {"email", "email_verified"}),
        (["phone"], {"phone_number", "phone_number_verified"}),
        (["address"], {"address"}),
        (
            ["profile"],
            set(STANDARD_CLAIMS) - {"email", "email_verified", "phone_number", "phone_number_verified", "address"},
        ),
        (["profile", "email", "address", "phone"], set(STANDARD_CLAIMS)),
    ],
)
def test_standard_claims_are_released_with_their_scope_only(scope, names):
    assert ask(EVERYTHING, *scope).keys() == {"sub", "tenant", *names}


@pytest.mark.parametrize("value", [None, "", 0, False, [], {}])
def test_claims_of_the_applications_own_are_released_as_they_are(value):
    assert ask({"tenant": value}) == {"sub": "alice", "tenant": value}


@pytest.mark.parametrize(("value", "kept"), [(None, False), ("", False), (False, True), (0, True)])
def test_standard_claim_that_is_not_known_is_left_out(value, kept):
    assert ("email_verified" in ask({"email_verified": value}, "email")) == kept


def test_person_who_is_no_more_has_no_claims():
    assert ask(None) is None


def test_without_a_word_of_the_application_there_is_sub_only():
    assert build_user_claims(None, "alice", SCOPES) == {"sub": "alice"}


def test_same_sub_is_no_contradiction():
    assert ask({"sub": "alice"}) == {"sub": "alice"}


# --- defects of the application -------------------------------------------------------------------------------
@pytest.mark.parametrize("sub", ["bob", "Alice", "", None, 5, ["alice"]])
def test_other_sub_is_a_defect(sub):
    with pytest.raises(ConfigurationError, match="another sub than the one it was asked about"):
        ask({"sub": sub})


@pytest.mark.parametrize("name", sorted(PROTOCOL_CLAIMS))
def test_claim_about_a_token_is_a_defect(name):
    with pytest.raises(ConfigurationError, match=f"may not give {name}: the server sets these"):
        ask({name: "mine", "email": "a@b.example"})


@pytest.mark.parametrize("given", [["a"], "a", 5, True, [("a", 1)], {1: "a"}, {"a"}])
def test_what_is_no_mapping_is_a_defect(given):
    with pytest.raises(ConfigurationError, match=f"user_claims gives a {type(given).__name__}, not a mapping"):
        ask(given)


CIRCLE = {}
CIRCLE["self"] = CIRCLE


@pytest.mark.parametrize(
    "value", [date(2000, 1, 1), b"x", {"a"}, object(), float("nan"), float("inf"), CIRCLE, {("a", "b"): 1}, 1j]
)
def test_what_is_no_json_is_a_defect_that_names_the_claim(value):
    with pytest.raises(ConfigurationError, match=f"gives 'tenant' as {type(value).__name__}, which is no JSON"):
        ask({"tenant": value})


def test_what_is_not_released_need_not_be_json():
    assert ask({"birthdate": date(2000, 1, 1)}) == {"sub": "alice"}


# --- a class --------------------------------------------------------------------------------------------------
class Person:
    """Someone the application knows, with one public method for each scope."""

    nickname = "not a scope"

    def __init__(self, subject):
        self.subject = subject

    @property
    def exists(self):
        return self.subject != "nobody"

    def profile(self):
        return {"name": self.subject.title(), "email": "not with this scope"}

    def email(self):
        return {"email": f"{self.subject}@example.org", "email_verified": True}

    def address(self):
        return None

    def tenants(self):
        return {"tenants": [5]}

    def _secrets(self):
        raise AssertionError("never asked")

    @staticmethod
    def everyone():
        raise AssertionError("never asked")


def ask_class(*scope, subject="alice", declared=Person):
    return build_user_claims(declared, subject, frozenset(["openid", *scope]))


def test_methods_of_the_granted_scopes_are_asked():
    assert ask_class() == {"sub": "alice"}
    assert ask_class("profile") == {"sub": "alice", "name": "Alice"}
    assert ask_class("email", "tenants") == {
        "sub": "alice",
        "email": "alice@example.org",
        "email_verified": True,
        "tenants": [5],
    }


@pytest.mark.parametrize(
    "scope",
    ["address", "phone", "_secrets", "__init__", "__class__", "__reduce__", "nickname", "exists", "everyone", "a b"],
)
def test_scope_without_a_method_adds_nothing(scope):
    assert ask_class(scope) == {"sub": "alice"}


def test_class_says_that_somebody_is_no_more():
    assert ask_class("profile", subject="nobody") is None


def test_being_there_may_be_a_method():
    class Gone(Person):
        def exists(self):
            return False

    check_user_claims(Gone)
    assert ask_class("profile", declared=Gone) is None


def test_method_that_says_whether_somebody_exists_answers_for_no_scope():
    class There(Person):
        def exists(self):
            return True

    assert ask_class("exists", declared=There) == {"sub": "alice"}


def test_methods_may_be_inherited():
    class Heir(Person):
        def email(self):
            return {"email": "heir@example.org"}

    assert ask_class("email", declared=Heir) == {"sub": "alice", "email": "heir@example.org"}
    assert ask_class("tenants", declared=Heir) == {"sub": "alice", "tenants": [5]}


def test_method_that_gives_no_mapping_is_a_defect_that_names_it():
    class Wrong(Person):
        def email(self):
            return "alice@example.org"

    with pytest.raises(ConfigurationError, match=r"Wrong.email gives a str, not a mapping of claims."):
        ask_class("email", declared=Wrong)


# --- what may be registered -----------------------------------------------------------------------------------
class Callable_:
    def __call__(self, subject, scope):
        return {}


@pytest.mark.parametrize(
    "declared", [Person, lambda subject, scope: {}, functools.partial(lambda a, subject, scope: {}, 1), Callable_()]
)
def test_function_and_class_are_accepted(declared):
    check_user_claims(declared)


async def later(subject, scope):
    return {}


@pytest.mark.parametrize("declared", [None, {}, "x", later, lambda subject: {}, lambda subject, scope, more: {}, len])
def test_what_cannot_be_asked_is_refused(declared):
    with pytest.raises(ConfigurationError, match="takes a function"):
        check_user_claims(declared)


def test_refusal_names_the_function_to_change():
    with pytest.raises(ConfigurationError, match=r"function \(subject, scope\) .* change later\.$"):
        check_user_claims(later)


class Nobodys:
    """Made without a subject."""


class Anothers:
    def __init__(self, subject, scope):
        raise AssertionError("never made")


@pytest.mark.parametrize("declared", [Nobodys, Anothers])
def test_class_that_is_not_made_with_a_subject_is_refused(declared):
    with pytest.raises(ConfigurationError, match=f"{declared.__name__} is made with the subject"):
        check_user_claims(declared)


def make_class(method, name="profile"):
    return type("Made", (), {"__init__": lambda self, subject: None, name: method})


async def async_method(self):
    return {}


@pytest.mark.parametrize(
    "method",
    [lambda self, more: {}, lambda self, *, more: {}, lambda: {"a": 1}, async_method],
    ids=lambda method: method.__name__,
)
def test_public_method_that_cannot_be_asked_is_refused(method):
    with pytest.raises(ConfigurationError, match=r"Made.profile is public, so it gives the claims of scope 'profile'"):
        check_user_claims(make_class(method))


@pytest.mark.parametrize("method", [lambda self, more: True, async_method])
def test_method_that_could_not_say_whether_somebody_exists_is_refused(method):
    """What an async one returns is true: people who are no more would be spoken of."""
    with pytest.raises(ConfigurationError, match=r"Made.exists can be neither async nor need arguments"):
        check_user_claims(make_class(method, "exists"))


@pytest.mark.parametrize(
    "method", [lambda self: False, staticmethod(lambda: False), property(lambda self: False), False]
)
def test_whether_somebody_exists_is_said_in_any_way_that_answers_at_once(method):
    declared = make_class(method, "exists")

    check_user_claims(declared)
    assert ask_class(declared=declared) is None


@pytest.mark.parametrize("method", [lambda self: {}, lambda self, more=1: {}, lambda *args, **more: {}])
def test_public_method_that_can_be_asked_is_accepted(method):
    check_user_claims(make_class(method))


# --- what is advertised ---------------------------------------------------------------------------------------
ID_TOKEN = ["iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash"]


@pytest.mark.parametrize(
    ("declared", "scopes", "claims"),
    [
        (None, SCOPES, []),
        (lambda subject, scope: {}, ["openid"], []),
        (lambda subject, scope: {}, ["openid", "email"], ["email", "email_verified"]),
        (lambda subject, scope: {}, SCOPES, list(STANDARD_CLAIMS)),
        (make_class(lambda self: {}), ["openid", "email"], []),
        (Person, ["email", "phone"], ["email", "email_verified"]),
    ],
)
def test_claims_that_somebody_may_read_are_listed(declared, scopes, claims):
    assert list_claims(declared, scopes) == [*ID_TOKEN, *claims]
