"""The table at the end: what was done and attacked, with the reason from the server's own log; no word is broken."""

from itertools import pairwise

import pytest
from rich.console import Console

from demo.console_client.caller import Exchange
from demo.console_client.outcomes import Outcome
from demo.console_client.show import Show, find_breaks
from demo.private_reasons import PrivateReason, read_reasons
from demo.summary import print_summary

REFERENCE = "0123456789abcdef"
LINE = f"token refused: invalid_client: jti was used before [cause assertion_replayed, client a, reference {REFERENCE}]"


def refused(reference=REFERENCE, status=400, error="invalid_client", **members):
    exchange = Exchange(
        "POST",
        "http://127.0.0.1:5001/oauth2/token",
        {},
        {},
        status,
        {"Error-Reference": reference},
        {"error": error},
    )
    return Outcome("Somebody asks with the same assertion", exchange, **members)


def test_a_refusal_is_shown_with_the_reason_of_the_servers_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    log = tmp_path / "token_server.log"
    log.write_text(f"[INFO] Listening\n{LINE}\n")

    print_summary([refused(during_attack=True)], read_reasons([log, tmp_path / "missing.log"]))

    out = " ".join(capsys.readouterr().out.split())
    assert "What was attacked Answer Why, in the server's log" in out
    assert "✓ Somebody asks with the same 400 invalid_client jti was used before assertion" in out
    assert "explain" not in out


def test_a_request_that_went_wrong_is_marked(capsys):
    print_summary([refused(went_as_it_must=False)], {})

    out = capsys.readouterr().out
    assert "✗" in out
    assert "✓" not in out
    assert f"FLASK_APP=demo.token_server flask oauth2 explain {REFERENCE}" in out


def test_a_client_that_writes_like_the_log_names_no_other_reference(tmp_path):
    log = tmp_path / "log"
    log.write_text(LINE.replace("client a", "client [cause x, client y, reference fedcba9876543210]") + "\n")

    assert read_reasons([log]) == {REFERENCE: PrivateReason("jti was used before", "assertion_replayed")}


def test_nothing_is_printed_where_nothing_was_done(capsys):
    print_summary([], {})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_word_of_the_table_is_broken(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    reason = "iss is http://127.0.0.1:5001/a/very/long/path/of/an/issuer, not another"
    rows = [refused(error="invalid_dpop_proof"), refused(status=401, error="use_dpop_nonce", during_attack=True)]

    print_summary(rows, {REFERENCE: PrivateReason(reason, "x")})

    lines = capsys.readouterr().out.splitlines()
    words = {word.rstrip("…") for line in lines for word in line.split()}
    assert max(map(len, lines[:-1])) <= width
    assert {"invalid_dpop_proof", "use_dpop_nonce", "assertion", "Somebody", "another"} <= words
    assert all(any(word in known for known in [*ALL_WORDS, reason]) for word in words)


ALL_WORDS = [
    "✓",
    "What was done What was attacked Answer Why, in the server's log",
    "Somebody asks with the same assertion",
    "400 401 invalid_dpop_proof use_dpop_nonce",
    "What was checked when the token server last refused a token, and what to change:",
    f"FLASK_APP=demo.token_server flask oauth2 explain {REFERENCE}",
]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 80, ["one two three"]),
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 3, ["one", "two", "three"]),
        ("unbreakable two", 4, ["unbreakable", "two"]),
        ("", 4, [""]),
        ("   ", 2, [""]),
    ],
)
def test_lines_break_between_words_only(text, width, lines):
    breaks = [0, *find_breaks(text, width), len(text)]
    assert [text[start:end].rstrip() for start, end in pairwise(breaks)] == lines


def test_a_long_value_stands_on_the_line_after_its_name(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    url = "http://127.0.0.1:5001/.well-known/oauth-protected-resource"
    show = Show()
    show._console = Console(highlight=False, width=60)

    show.members({"resource_metadata": url, "short": "value"})

    assert capsys.readouterr().out.splitlines() == ["  resource_metadata", f"  {url}", "  short              value"]
