"""What the command prints, and how it ends."""

import json
import re

import pytest

from flask_private_key_jwt.authorization_server.cli.doctor import _lay_out
from flask_private_key_jwt.authorization_server.doctor.finding import ReportRow, met, moot, unmet
from tests.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "doctor.md").read_text(encoding="utf-8")


@pytest.fixture
def run(app):
    return lambda *words: app.test_cli_runner().invoke(args=["oauth2", "doctor", *words])


FAPI2 = pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "fapi2"}])


@FAPI2
def test_people_read_what_is_not_met_and_what_to_do(run):
    outcome = run()

    assert outcome.exit_code == 1
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    first = outcome.stdout.splitlines()[:3]
    assert first[0] == "Issuer"
    assert first[1] == "  ! NOT MET   issuer-https"
    assert re.fullmatch(r" {14}http://127\.0\.0\.1:\d+ is http: .*", first[2])
    assert "              To do: Put a proxy" in outcome.stdout
    assert re.search(r"^\d+ met, 1 NOT MET, \d+ n/a\.\n  ! issuer-https\n\Z", outcome.stdout, flags=re.MULTILINE)
    assert outcome.stderr == ""


@FAPI2
def test_programs_read_rows(run):
    outcome = run("--json")

    rows = json.loads(outcome.stdout)
    assert outcome.exit_code == 1
    for row in rows:
        assert {"id", "ok", "why"} <= row.keys() <= {"id", "ok", "why", "change"}
        assert row["ok"] in (True, False, None)
        assert ("change" in row) is (row["ok"] is False)
    assert len({row["id"] for row in rows}) == len(rows)


@FAPI2
def test_what_is_accepted_is_shown_and_does_not_count(run):
    outcome = run("--accept", "issuer-https")

    assert outcome.exit_code == 0
    assert "  ~ accepted  issuer-https\n" in outcome.stdout
    assert "1 accepted" in outcome.stdout
    (row,) = (row for row in json.loads(run("--json", "--accept", "issuer-https").stdout) if row["ok"] is False)
    assert row["accepted"] is True


def test_unknown_requirement_cannot_be_accepted(run, site):
    outcome = run("--accept", "isuer-https")

    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert not site.requests
    assert outcome.stderr == "Error: --accept isuer-https: there is no such requirement.\n"


def test_requirement_of_an_attack_can_be_accepted_without_one(run):
    """The same words serve with --live and without."""
    assert run("--accept", "happy-flow", "--accept", "live-client").exit_code == 1


def test_authorities_that_are_none_end_the_command(run):
    outcome = run("--ca-bundle", "/nowhere.pem")

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("Error: The --ca-bundle '/nowhere.pem' does not exist")


@pytest.mark.parametrize("word", ["0", "nan", "61", "-1", "x"])
def test_timeout_has_limits(run, word):
    assert run("--timeout", word).exit_code == 2


def test_marks_and_words_do_not_rely_on_color():
    heads = [_lay_out(ReportRow("x", "X", found))[0] for found in (met("a"), unmet("a", "b"), moot("a"))]

    assert [re.sub(r"\x1b\[\d+m", "", head) for head in heads] == [
        "  + met       x",
        "  ! NOT MET   x",
        "  - n/a       x",
    ]


def test_what_a_terminal_obeys_is_escaped():
    lines = _lay_out(ReportRow("x", "X", unmet("a \x1b[2J b", "c \x9b d")))

    assert "\x1b[2J" not in "".join(lines)
    assert "\x9b" not in "".join(lines)


# --- the suite's files ----------------------------------------------------------------------------------------------
def read(folder, name):
    return json.loads((folder / name).read_text())


@FAPI2
def test_files_of_the_suite_fit_each_other_and_this_server(run, app, tmp_path, site):
    folder = tmp_path / "suite"

    outcome = run("--oidf", str(folder), "--alias", "mine")

    assert outcome.exit_code == 0
    assert not site.requests
    configuration = read(folder, "suite.json")
    assert (folder / "suite.json").stat().st_mode & 0o777 == 0o600
    assert configuration["alias"] == "mine"
    assert configuration["server"]["discoveryUrl"] == f"{site.url}/.well-known/openid-configuration"
    assert configuration["resource"]["resourceUrl"] == f"{site.url}/oauth2/userinfo"
    for name in ("client", "client2"):
        registration, played = read(folder, f"{name}.json"), configuration[name]
        assert registration["client_id"] == played["client_id"] == f"mine-{name}"
        assert registration["scope"] == played["scope"]
        (private,), (public,) = played["jwks"]["keys"], registration["jwks"]["keys"]
        assert public == {member: private[member] for member in public}
        assert "d" in private
        assert not {"d", "p", "q"} & public.keys()
        assert played["dpop_signing_alg"] == "PS256"
    assert read(folder, "client2.json")["redirect_uris"] == [
        "https://www.certification.openid.net/test/a/mine/callback?dummy1=lorem&dummy2=ipsum"
    ]
    for name in ("client", "client2"):
        added = app.test_cli_runner().invoke(args=["oauth2", "client", "add", str(folder / f"{name}.json")])
        assert added.exit_code == 0, added.stderr
    assert "[openid=openid_connect]" in outcome.stdout


def test_server_that_the_plan_does_not_fit_is_told(run, tmp_path):
    outcome = run("--oidf", str(tmp_path / "suite"), "--json")

    said = json.loads(outcome.stdout)
    assert outcome.exit_code == 0
    assert [file.rpartition("/")[2] for file in said["files"]] == ["suite.json", "client.json", "client2.json"]
    assert "Note: The plan is for OAUTH2_PROFILE = 'fapi2'." in outcome.stderr
    assert "by https" in outcome.stderr


@pytest.mark.parametrize("people", [False])
def test_suite_is_told_of_an_api_where_there_is_no_userinfo(run, tmp_path):
    outcome = run("--oidf", str(tmp_path / "suite"))

    configuration = read(tmp_path / "suite", "suite.json")
    assert configuration["resource"]["resourceUrl"] == "https://api.example"
    assert configuration["server"]["discoveryUrl"].endswith("/.well-known/oauth-authorization-server")
    assert "[openid=plain_oauth]" in outcome.stdout
    assert "needs people" in outcome.stderr


def test_file_that_is_there_is_not_overwritten(run, tmp_path):
    (tmp_path / "client2.json").write_text("mine")

    outcome = run("--oidf", str(tmp_path))

    assert outcome.exit_code == 2
    assert "exists already" in outcome.stderr
    assert not (tmp_path / "suite.json").exists()
    assert (tmp_path / "client2.json").read_text() == "mine"


def test_files_and_checks_are_not_asked_for_at_once(run, tmp_path, site):
    assert run("--oidf", str(tmp_path / "suite"), "--live").exit_code == 2
    assert run("--oidf", str(tmp_path / "suite"), "--accept", "issuer-https").exit_code == 2
    assert not site.requests
    assert not (tmp_path / "suite").exists()


@pytest.mark.parametrize("alias", ["", "a/b", "a b", "x" * 61])
def test_alias_is_a_part_of_a_url(run, tmp_path, alias):
    outcome = run("--oidf", str(tmp_path / "suite"), "--alias", alias)

    assert outcome.exit_code == 2
    assert not (tmp_path / "suite").exists()


# --- the page ---------------------------------------------------------------------------------------------------------
def listed():
    return set(re.findall(r"^\| `([^`]+)` \|", PAGE, flags=re.MULTILINE))


def test_page_has_every_requirement(doctor):
    rows, _ = doctor("--live")
    families = ("profile-", "weakness-", "dpop-negative-tests-")

    for name in rows:
        assert name in listed() or name.startswith(families), name
    for name in listed():
        assert name in rows or "…" in name, name
    for family in families:
        assert f"`{family}…`" in PAGE


def test_application_that_fails_ends_no_examination(app, doctor, monkeypatch, caplog):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(app.extensions["private_key_jwt"].server.grants, "grant_types", fail)

    rows, exit_code = doctor()

    assert exit_code == 1
    assert rows["rfc9700-2.4-password-grant"]["why"] == "It could not be looked at: ZeroDivisionError."
    assert "rfc9700-2.4-password-grant could not be looked at" in caplog.text
    assert rows["signing-key"]["ok"]
