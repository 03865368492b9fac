"""The contract of replay stores as a test class, for authors of stores: one test for each rule."""

import pytest

from ..replay.base import AsyncReplayStore, ReplayStore
from ..replay.contract import RULES
from .store_on_loop import in_threads


class ReplayStoreContract:
    """One test for each rule of the contract of replay stores. A subclass has a fixture ``store``, which returns the
    store under test; it may be in use, and its methods may be ``async def``. About forty marks stay in it for five
    minutes.
    """

    @pytest.fixture
    def store(self) -> ReplayStore | AsyncReplayStore:
        """The store under test."""
        raise NotImplementedError(f"Give {type(self).__name__} a fixture store, which returns the store under test.")

    @pytest.mark.parametrize("rule", list(RULES))
    def test_rule(self, store: ReplayStore | AsyncReplayStore, rule: str) -> None:
        """The store keeps one rule of the contract."""
        with in_threads(store) as usable:
            RULES[rule](usable)
