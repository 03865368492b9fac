"""What an operator hears of a client's keys, for every moment of a certificate's and a key's life."""

import pytest

from flask_private_key_jwt.authorization_server.keys.client_key_state import ClientKeyState, find_states, find_warnings
from flask_private_key_jwt.authorization_server.keys.client_keys import parse_jwks
from flask_private_key_jwt.authorization_server.stores.contracts import KeyUse
from flask_private_key_jwt.jose.certificates import build_self_signed, jwk_of, load_certificate
from tests.conftest import START

DAY = 86400


@pytest.fixture
def old_key(client_key):
    (key,) = parse_jwks({"keys": [client_key.public_jwk(kid="old")]})
    return key


@pytest.fixture
def new_key(keys):
    (key,) = parse_jwks({"keys": [keys("ES256", "next").public_jwk(kid="new")]})
    return key


@pytest.fixture
def build_certified(keys):
    """The new key in a certificate of so many days that begins at START."""

    def build_certified(days):
        pem = build_self_signed(keys("ES256", "next"), common_name="console", days=days, now=START)
        (key,) = parse_jwks({"keys": [{**jwk_of(load_certificate(pem)), "kid": "new"}]})
        return key

    return build_certified


# --- joining ----------------------------------------------------------------------------------------------
def test_keys_are_joined_with_what_is_known_of_them(old_key, new_key):
    uses = {old_key.public.thumbprint: KeyUse(old_key.public.thumbprint, 5, 7), "other": KeyUse("other", 1)}

    assert find_states([new_key, old_key], uses) == (ClientKeyState(new_key), ClientKeyState(old_key, 5, 7))


def test_nothing_is_said_of_no_keys():
    assert find_warnings([], now=START) == []


# --- certificates -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("left", "said"),
    [
        (30 * DAY + 1, None),
        (30 * DAY, "in 30 days, on 2027-03-16"),
        (2 * DAY - 1, "in 1 day, on 2027-03-16"),
        (DAY - 1, "in less than a day, on 2027-03-16"),
        (0, "in less than a day, on 2027-03-16"),
        (-1, None),  # expired: requests are refused, and say why
    ],
)
def test_certificate_is_spoken_of_in_its_last_thirty_days(build_certified, left, said):
    state = ClientKeyState(build_certified(60), START, START)

    expected = [] if said is None else [f"the certificate of key 'new' expires {said}"]
    assert find_warnings([state], now=START + 60 * DAY - left) == expected


def test_certificate_that_is_not_valid_yet_is_not_spoken_of(build_certified):
    assert find_warnings([ClientKeyState(build_certified(5), START - DAY)], now=START - 1) == []


# --- keys that wait ---------------------------------------------------------------------------------------
def waiting(old, new, now):
    return [warning for warning in find_warnings([old, new], now=now) if "signed nothing" in warning]


@pytest.mark.parametrize(("age", "said"), [(DAY, None), (DAY + 1, "1 day"), (3 * DAY, "3 days")])
def test_new_key_is_spoken_of_after_a_day(old_key, new_key, age, said):
    now = START + age
    warnings = waiting(ClientKeyState(old_key, START - 9, now), ClientKeyState(new_key, START), now)

    expected = [f"key 'new', added {said} ago, has signed nothing yet, while 'old' goes on signing"] if said else []
    assert warnings == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((START - 9, START + 2 * DAY), (START, START + 1)),  # the new one is in use
        ((START - 9, START), (START, None)),  # the old one has not signed since
        ((START - 9, None), (START, None)),  # nothing signs
        ((START, START + 2 * DAY), (START, None)),  # they came together
        ((START + 5, START + 2 * DAY), (START, None)),  # the one in use is the newer one
        ((START - 9, START + 2 * DAY), (None, None)),  # nobody knows how old it is
    ],
)
def test_key_that_waits_for_nothing_is_not_spoken_of(old_key, new_key, old, new):
    states = ClientKeyState(old_key, *old), ClientKeyState(new_key, *new)

    assert waiting(*states, now=START + 2 * DAY) == []


def test_key_in_use_may_be_of_unknown_age(old_key, new_key):
    now = START + 2 * DAY

    assert waiting(ClientKeyState(old_key, None, now), ClientKeyState(new_key, START), now) != []


def test_new_key_is_not_expected_before_its_certificate_is_valid(old_key, build_certified):
    new = ClientKeyState(build_certified(90), START - 9 * DAY)

    for now, count in ((START - 1, 0), (START + DAY, 0), (START + DAY + 1, 1)):
        assert len(waiting(ClientKeyState(old_key, START - 99 * DAY, now), new, now)) == count


def test_new_key_whose_certificate_has_expired_is_not_expected_any_more(old_key, build_certified):
    now = START + 6 * DAY

    assert waiting(ClientKeyState(old_key, START - DAY, now), ClientKeyState(build_certified(5), START), now) == []
