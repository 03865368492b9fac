"""The contract of replay stores as a test class, for authors of stores: one test for each rule."""

import pytest

from ..replay.base import ReplayStore
from ..replay.contract import RULES


class ReplayStoreContract:
    """Tests of a replay store. A subclass has a fixture ``store`` that returns one, empty or in use::

    class TestMyStore(ReplayStoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path / "used.sqlite")
    """

    @pytest.fixture
    def store(self) -> ReplayStore:
        """The store under test."""
        raise NotImplementedError(f"Give {type(self).__name__} a fixture store, which returns the store under test.")

    @pytest.mark.parametrize("rule", list(RULES))
    def test_rule(self, store: ReplayStore, rule: str) -> None:
        """The store keeps one rule of the contract."""
        RULES[rule](store)
