"""Parts of pages that are neither programs nor commands, held against what they are parts of."""

import json
import re

from tests.checkout import CHECKOUT
from tests.documentation.blocks import read_blocks

PROXY, DUENDE = "docs/behind-a-proxy.md", "docs/from-duende.md"


def blocks_in(page, language):
    return [block.text for block in read_blocks(page) if block.language == language]


def test_lines_for_nginx_are_those_of_the_configuration():
    (shown,) = blocks_in(PROXY, "nginx")
    configuration = (CHECKOUT / "deploy" / "nginx.conf").read_text(encoding="utf-8")

    assert [line for line in shown.splitlines() if f" {line}\n" not in configuration] == []


def test_registration_of_the_duende_page_is_accepted(app, keys, tmp_path):
    (shown,), commands = blocks_in(DUENDE, "json"), blocks_in(DUENDE, "sh")
    key = keys("RS256").public_jwk()
    (tmp_path / "worker.json").write_text(shown.replace("…", key["n"]), encoding="utf-8")
    words = commands[0].replace("worker.json", str(tmp_path / "worker.json")).split()

    outcome = app.test_cli_runner().invoke(args=words[1:])

    assert outcome.exit_code == 0, outcome.stderr
    described = app.test_cli_runner().invoke(args=["oauth2", "client", "show", "worker", "--json"])
    assert json.loads(described.stdout)["dpop_bound_access_tokens"] is True


# --- docs/metrics.md ----------------------------------------------------------------------------------------------
def test_metrics_page_has_every_metric_with_its_labels():
    source = (CHECKOUT / "flask_private_key_jwt" / "operations" / "prometheus_metrics.py").read_text(encoding="utf-8")
    made = dict(re.findall(r'"(oauth2_\w+)",\s*"[^"]*",\s*(?:labels=)?\[([^\]]*)\]', source))
    page = (CHECKOUT / "docs" / "metrics.md").read_text(encoding="utf-8")
    listed = {
        name.removesuffix("_total"): re.findall(r"\w+", labels)
        for names, labels in re.findall(r"^\| (`oauth2_[^|]*`) \| ([^|]*) \|", page, flags=re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }

    assert set(re.findall(r'"(oauth2_\w+)"', source)) == set(made)
    assert listed == {name: re.findall(r"\w+", labels) for name, labels in made.items()}


# --- docs/security.md ---------------------------------------------------------------------------------------------
def test_proofs_of_the_security_page_are_tests():
    page = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)

    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (CHECKOUT / file).is_file()
        or not re.search(rf"^(async )?def {test}\(", (CHECKOUT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]
    assert missing == []
    assert len(named) > 80


def test_every_threat_has_a_proof():
    threats = re.split(r"\n(?=\*\*)", (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8"))[1:]

    assert [threat.partition("\n")[0] for threat in threats if "\n- `tests/" not in threat] == []


def test_threats_of_the_two_documents_are_all_there():
    page = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")
    attacks, proofs = page.partition("## RFC 9449")[0], page.partition("## RFC 9449")[2].partition("\n## ")[0]

    assert {int(number) for number in re.findall(r"§4\.(\d+)", attacks)} == set(range(1, 18))
    assert {int(number) for number in re.findall(r"§11\.(\d+)", proofs)} == set(range(1, 12))
