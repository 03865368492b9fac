"""readable_text.py: what a person may be shown of somebody else's words."""

import sys
import unicodedata

import pytest

from flask_private_key_jwt.authorization_server.readable_text import (
    escape_unprintable,
    find_short_name,
    is_plain,
    is_visible_name,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Konsole für 東京", "Konsole für 東京"),
        ("a\u00a0b", "a\u00a0b"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("\u202eknab\u2028", "\\u202eknab\\u2028"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_terminal_obeys_is_written_out(text, shown):
    assert escape_unprintable(text) == shown
    assert is_plain(shown)
    assert is_plain(text) == (text == shown)


def test_no_control_of_unicode_is_plain():
    controls = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in ("Cc", "Cf")]

    assert len(controls) > 200
    assert not [c for c in controls if is_plain(c) or is_visible_name(f"a{c}")]


@pytest.mark.parametrize(
    "blank",
    ["\u115f", "\u1160", "\u3164", "\uffa0", "\u2800", "\u034f", "\u17b4", "\u180d", "\ufe0f", "\U000e0100", "\u0301"],
)
def test_what_is_blank_to_a_reader_is_no_name(blank):
    assert not is_visible_name(blank)
    assert not is_visible_name(f" {blank} ")
    assert is_visible_name("Bank")


def test_sign_that_shapes_the_one_before_it_is_part_of_a_name():
    assert is_visible_name("\u2764\ufe0f")
    assert is_visible_name("\u845b\U000e0100")
    assert not is_visible_name("Ba\u3164nk")


# --- names of strangers -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name", ["Claude Code", "Visual Studio Code", "Кодекс", "工具", "Ελλάδα 3", "Zoë’s tool 🛠", "אבג abc"]
)
def test_name_of_a_stranger_is_shown_as_it_is(name):
    assert find_short_name(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x" * 61, "x" * 59 + "…"),
        ("x" * 60, "x" * 60),
        ("a" + "\u0336" * 50 + "b", "a\u0336\u0336b"),
        ("\uff23\uff4c\uff41\uff55\uff44\uff45", "Claude"),
        ("\U0001d402laude", "Claude"),
    ],
)
def test_name_of_a_stranger_is_made_harmless(name, shown):
    assert find_short_name(name) == shown


@pytest.mark.parametrize(
    "name",
    [
        "Сlaude",  # a Cyrillic С
        "Clаude",  # a Cyrillic а
        "Gοοgle",  # Greek omicrons
        "ꓮpple",  # a Lisu letter
        "ᏟLAUDE",  # a Cherokee letter
        "Αpple",  # a Greek Alpha
        "Bank of Amerіca",  # a Ukrainian і
    ],
)
def test_name_that_imitates_another_alphabet_is_not_shown(name):
    assert find_short_name(name) is None
