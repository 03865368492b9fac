"""The catalogues of the package are complete and compiled; an application's own come before them."""

import re
from pathlib import Path

import pytest

from flask_private_key_jwt.authorization_server.wording.catalogues import Catalogues, fill
from tools.translations import LANGUAGES, build_mo, build_po, extract, find_missing, po_file

PLACES = re.compile(r"%\(\w+\)s")


@pytest.fixture(scope="module")
def messages():
    return extract()


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_has_the_messages_of_the_templates_and_of_the_code(language, messages):
    kept = po_file(language).read_bytes()

    assert build_po(language, messages) == kept, "python -m tools.translations writes it anew"
    assert find_missing(kept) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_is_compiled(language):
    file = po_file(language)

    assert build_mo(file.read_bytes()) == file.with_suffix(".mo").read_bytes(), "python -m tools.translations"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_have_the_places_of_their_message(language, messages):
    translate = Catalogues().find(language)

    for message in messages:
        assert sorted(PLACES.findall(translate(message.id))) == sorted(PLACES.findall(message.id)), message.id


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("one", "other"), [("Allow", "Deny"), ("Sign out", "Stay signed in")])
def test_no_language_has_one_word_for_both_buttons(language, one, other):
    translate = Catalogues().find(language)

    assert len({translate(one).casefold(), translate(other).casefold(), one.casefold(), other.casefold()}) == 4


def write_catalogue(folder: Path, language: str, **messages: str) -> Path:
    file = folder / language / "LC_MESSAGES" / "private_key_jwt.mo"
    file.parent.mkdir(parents=True)
    po = "".join(f'msgid "{message}"\nmsgstr "{words}"\n\n' for message, words in messages.items())
    file.write_bytes(build_mo(po.encode()))
    return folder


def test_words_of_the_application_come_first_and_the_rest_stays(tmp_path):
    catalogues = Catalogues([write_catalogue(tmp_path, "de", Allow="Ja gern")])

    assert [catalogues.find("de")(message) for message in ("Allow", "Deny")] == ["Ja gern", "Ablehnen"]


def test_application_may_change_the_english_words_and_add_a_language(tmp_path):
    write_catalogue(tmp_path, "en", Allow="Yes, please")
    catalogues = Catalogues([write_catalogue(tmp_path, "pt_BR", Deny="Negar")])

    assert catalogues.languages == ("en", "pt-BR", "de", "es", "fr")
    assert (catalogues.find("en")("Allow"), catalogues.find("en")("Deny")) == ("Yes, please", "Deny")
    assert catalogues.find("pt-BR")("Deny") == "Negar"


def test_operator_may_choose_the_languages(caplog):
    assert Catalogues(only=["de", "en"]).languages == ("de", "en")
    assert Catalogues(only=["it", "fr-CA"]).languages == ("fr-CA",)
    assert Catalogues(only=["fr-CA"]).find("fr-CA")("Deny") == "Refuser"
    assert Catalogues(only=["it"]).languages == ("en",)
    assert "OAUTH2_LANGUAGES names 'it', for which there is no catalogue" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no catalogue", b"\xde\x12\x04\x95" + b"\xff" * 40])
def test_catalogue_that_cannot_be_read_is_left_out(content, tmp_path, caplog):
    file = write_catalogue(tmp_path, "de", Allow="Ja gern") / "de" / "LC_MESSAGES" / "private_key_jwt.mo"
    file.write_bytes(content)

    assert Catalogues([tmp_path]).find("de")("Allow") == "Erlauben"
    assert f"the catalogue {file} cannot be read" in caplog.text


def test_values_and_words_are_escaped():
    assert fill("Hi %(name)s", "<b>Hallo %(name)s", {"name": "<i>"}) == "&lt;b&gt;Hallo &lt;i&gt;"


@pytest.mark.parametrize("translated", ["Hallo %(nmae)s", "Hallo %(name)d", "Hallo %", "Hallo %(name)"])
def test_translation_that_does_not_fit_is_not_used(translated, caplog):
    assert fill("Hi %(name)s", translated, {"name": "Bob"}) == "Hi Bob"
    assert "does not fit the message 'Hi %(name)s'" in caplog.text
