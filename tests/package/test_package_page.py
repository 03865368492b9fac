"""docs/package.md: its tables are those of setup.cfg and of what the dependencies say of themselves."""

import configparser
import re
from importlib.metadata import distribution

import pytest

from tests.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "package.md").read_text(encoding="utf-8")
LICENCES = re.findall(r"^\| `([\w-]+)` \| (always|`\[\w+\]`) \| (.+) \|$", PAGE, re.M)


def read_requirements() -> dict[str, list[str]]:
    """Extra -> names of what it installs; ``always`` are the dependencies."""
    config = configparser.ConfigParser()
    config.read(CHECKOUT / "setup.cfg")
    lists = {"always": config["options"]["install_requires"], **config["options.extras_require"]}
    return {
        extra: [re.match(r"[\w-]+", line)[0] for line in text.split("\n") if line.strip()]
        for extra, text in lists.items()
    }


def test_every_dependency_has_a_row():
    required = read_requirements()
    del required["all"]
    rows = [(name, extra.strip("`[]")) for name, extra, _ in LICENCES]

    assert sorted(rows) == sorted((name, extra) for extra, names in required.items() for name in names)


def test_every_extra_has_a_row():
    rows = dict(re.findall(r"^\| `\[(\w+)\]` \|.*\| ?(.*) \|$", PAGE, re.M))

    required = read_requirements()
    del required["always"]
    assert set(rows) == set(required)
    for extra, names in required.items():
        assert re.findall(r"`([\w-]+)`", rows[extra]) == ([] if extra == "all" else names)


@pytest.mark.parametrize(("name", "licence"), [(name, licence) for name, _, licence in LICENCES])
def test_licence_is_the_one_that_the_dependency_states(name, licence):
    metadata = distribution(name).metadata
    classifiers = " ".join(line for line in metadata.get_all("Classifier", []) if line.startswith("License ::"))

    assert licence == (metadata["License-Expression"] or metadata["License"]) or f"{licence} License" in classifiers
