"""Request headers whose token and proof stay with their request."""

from collections.abc import ItemsView, KeysView, Mapping, ValuesView

import httpx


class SealedHeaders(httpx.Headers):
    """Headers of one request: whoever reads or sends them finds its token and its proof, and a copy has neither.

    To follow a redirect, httpx copies the headers to the next request, without calling the auth object. The token could
    go to another origin with it, and the proof too: httpx removes ``Authorization`` alone, and not always.

    :param sealed: ``Authorization`` and ``DPoP``; nothing else can set them.
    """

    def __init__(self, headers: httpx.Headers, sealed: Mapping[str, str]) -> None:
        self._sealed = httpx.Headers(sealed)
        super().__init__(headers)  # copies the list in which httpx keeps headers, and which has nothing sealed
        for name in sealed:
            if httpx.Headers.__contains__(self, name):  # set by hand
                super().__delitem__(name)

    def _all(self) -> httpx.Headers:
        every = httpx.Headers(super().raw)
        every.update(self._sealed)
        return every

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """What is sent."""
        return self._all().raw

    def keys(self) -> KeysView[str]:
        """As in httpx; the same for the following."""
        return self._all().keys()

    def values(self) -> ValuesView[str]:  # noqa: D102
        return self._all().values()

    def items(self) -> ItemsView[str, str]:  # noqa: D102
        return self._all().items()

    def multi_items(self) -> list[tuple[str, str]]:  # noqa: D102
        return self._all().multi_items()

    def get_list(self, key: str, split_commas: bool = False) -> list[str]:  # noqa: D102
        return self._all().get_list(key, split_commas)

    def __getitem__(self, key: str) -> str:
        return self._all()[key]

    def __delitem__(self, key: str) -> None:
        if key in self._sealed:
            del self._sealed[key]
        else:
            super().__delitem__(key)

    def __contains__(self, key: object) -> bool:
        return key in self._all()

    def __len__(self) -> int:
        return len(self._all())

    def __eq__(self, other: object) -> bool:
        return self._all() == other

    __hash__ = None  # type: ignore[assignment]  # as that of httpx

    def __repr__(self) -> str:
        return repr(httpx.Headers(self))  # httpx would hide the token, and show the proof


# A version of httpx that copies headers in another way must not be used: the token would go where a redirect leads.
if "Authorization" in httpx.Headers(SealedHeaders(httpx.Headers(), {"Authorization": "x"})):
    raise ImportError("This version of httpx is not supported: install one that flask-private-key-jwt[httpx] names.")
