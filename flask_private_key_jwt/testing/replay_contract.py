"""The contract of replay stores as a test class, for authors of stores: one test for each rule."""

import pytest

from ..replay.base import AsyncReplayStore, ReplayStore
from ..replay.contract import ALL_OR_NONE, RULES
from .store_on_loop import in_threads


class ReplayStoreContract:
    """One test for each rule of the contract of replay stores. A subclass has a fixture ``store``, which returns the
    store under test; it may be in use, and its methods may be ``async def``. About forty marks stay in it for five
    minutes.
    """

    all_or_none = True
    """Whether the store has to record no mark if it refuses one of several. A store that is spread over several servers
    cannot; such a subclass says ``False``, and this rule is skipped."""

    @pytest.fixture
    def store(self) -> ReplayStore | AsyncReplayStore:
        """The store under test."""
        raise NotImplementedError(f"Give {type(self).__name__} a fixture store, which returns the store under test.")

    @pytest.mark.parametrize("rule", list(RULES))
    def test_rule(self, store: ReplayStore | AsyncReplayStore, rule: str) -> None:
        """The store keeps one rule of the contract."""
        if rule == ALL_OR_NONE and not self.all_or_none:
            pytest.skip("this store is said not to keep this rule")
        with in_threads(store) as usable:
            RULES[rule](usable)
