"""Which language a page is in, of those that somebody wants and those that there are."""

import pytest

from flask_private_key_jwt.authorization_server.wording.languages import (
    MOST_TAGS,
    find_direction,
    find_language,
    read_tags,
)

AVAILABLE = ("en", "de", "fr", "pt-BR")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["de"], "de"),
        (["DE-at-1996"], "de"),
        (["pt-br"], "pt-BR"),
        (["pt"], None),
        (["tlh", "fr-CA"], "fr"),
        (["en", "de"], "en"),
        ([], None),
        (["d"], None),
    ],
)
def test_first_wanted_language_that_there_is_counts(wanted, found):
    assert find_language(wanted, AVAILABLE) == found


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("fr-CA fr en", ("fr-CA", "fr", "en")),
        (None, ()),
        ("", ()),
        ("  de  ", ("de",)),
        ('"><script> de', ("de",)),
        ("../../de de_DE d", ()),
        ("ſr İt", ()),
        ("de-\0", ()),
    ],
)
def test_what_is_no_tag_is_left_out(text, tags):
    assert read_tags(text) == tags


def test_only_the_beginning_of_a_long_list_is_looked_at():
    assert read_tags(" ".join(["tlh"] * MOST_TAGS + ["de"])) == ("tlh",) * MOST_TAGS
    assert read_tags("x" * 255 + " de") == ()
    assert len(read_tags("de " * 100_000)) == MOST_TAGS


@pytest.mark.parametrize(("language", "direction"), [("de", "ltr"), ("ar-EG", "rtl"), ("HE", "rtl"), ("are", "ltr")])
def test_language_has_a_direction(language, direction):
    assert find_direction(language) == direction
