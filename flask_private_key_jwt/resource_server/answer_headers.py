"""Set headers of an answer that somebody else made."""

from collections.abc import Iterable

_CORS = "access-control-"


def set_headers(existing: Iterable[tuple[str, str]], added: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """*existing* with *added* in place of those of the same names; ``Vary`` is completed.

    If headers of CORS are added, all others of CORS go: two decisions about one answer would contradict each other.
    """
    added = list(added)
    names = {name.lower() for name, _ in added}
    has_decided = "vary" in names or any(name.startswith(_CORS) for name in names)
    kept, vary = [], ""
    for name, value in existing:
        lower = name.lower()
        if lower == "vary" and "vary" in names:
            vary = f"{vary}, {value}" if vary else value
        elif lower not in names and not (has_decided and lower.startswith(_CORS)):
            kept.append((name, value))
    for name, value in added:
        if name.lower() == "vary" and vary:
            listed = {part.strip().lower() for part in vary.split(",")}
            value = vary if listed & {value.lower(), "*"} else f"{vary}, {value}"
        kept.append((name, value))
    return kept
