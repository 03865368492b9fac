"""What runs other people's JavaScript: the packages are there, and a script that fails says why."""

import json

import pytest

from tests.servers.node import PACKAGES

NAMES = ["oauth4webapi", "openid-client", "jose", "@atproto/oauth-client-node"]


@pytest.fixture
def write(tmp_path):
    def write(text):
        folder = tmp_path / "scripts"
        folder.mkdir()
        script = folder / "script.mjs"
        script.write_text(text)
        return script

    return write


def test_packages_are_those_of_the_lock_file(node, write):
    script = write(f"for (const name of {json.dumps(NAMES)}) console.log(Object.keys(await import(name)).length > 5);")

    assert node.run(script).split() == ["true"] * len(NAMES)
    locked = json.loads((PACKAGES / "package-lock.json").read_text())["packages"]
    for name in NAMES:
        installed = json.loads(node.find(f"{name}/package.json").read_text())
        assert installed["version"] == locked[f"node_modules/{name}"]["version"]


def test_program_of_a_package_runs(node):
    assert "authorization [options]" in node.run(node.find("@modelcontextprotocol/conformance/dist/index.js"), "--help")


def test_script_talks_in_lines(node, write):
    script = write("""
        import { createInterface } from "node:readline";
        const lines = createInterface({ input: process.stdin });
        for await (const line of lines) console.log(JSON.stringify([JSON.parse(line)]));
    """)

    with node.start(script) as running:
        running.write("a\nb")
        assert running.read() == ["a\nb"]
        running.write(2)
        assert running.read() == [2]
        assert running.rest() == ""


def test_failure_of_a_script_is_readable(node, write):
    script = write("console.log('before'); throw new Error('because');")

    with pytest.raises(AssertionError, match=r"(?s)ended with 1:\nbefore.*Error: because"):
        node.run(script)
    with node.start(script) as running:
        with pytest.raises(AssertionError, match="something else than JSON: before"):
            running.read()
        with pytest.raises(AssertionError, match=r"(?s)nothing more:.*because"):
            running.read()


def test_script_that_hangs_is_ended(node, write):
    script = write("setInterval(() => {}, 1000);")

    with pytest.raises(AssertionError, match=r"took longer than 0\.5 s"):
        node.run(script, seconds=0.5)


def test_no_registry_is_in_the_lock_file():
    """Whoever installs says where from."""
    locked = json.loads((PACKAGES / "package-lock.json").read_text())["packages"]

    assert all("resolved" not in package for package in locked.values())
    assert all("integrity" in package for name, package in locked.items() if name)
