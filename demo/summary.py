"""The table at the end of ``make demo``: what was done, what was attacked, what was refused, and why."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .console_client.outcomes import Outcome
from .console_client.show import printable
from .private_reasons import PrivateReason

ANSWER_WIDTH = 18
"""As wide as the longest error code, so that none is broken."""


def print_summary(outcomes: Sequence[Outcome], reasons: Mapping[str, PrivateReason]) -> None:
    """Print the table.

    :param reasons: What the servers logged, by the reference of the answer.
    """
    console = Console(highlight=False)
    attacks = [outcome for outcome in outcomes if outcome.during_attack]
    done = [outcome for outcome in outcomes if not outcome.during_attack]
    for title, rows in (("What was done", done), ("What was attacked", attacks)):
        if rows:
            console.print()
            console.print(build_table(title, rows, reasons, console.width))
    explainable = [outcome.exchange.reference for outcome in done if is_kept(outcome)]
    if explainable:
        console.print("\nWhat was checked when the token server last refused a token, and what to change:", style="dim")
        console.print(f"FLASK_APP=demo.token_server flask oauth2 explain {explainable[-1]}")


def is_kept(outcome: Outcome) -> bool:
    """Whether the token server keeps this refusal for ``flask oauth2 explain``; the API has no database for that."""
    return outcome.exchange.reference is not None and "/oauth2/" in outcome.exchange.url


def build_table(title: str, rows: Sequence[Outcome], reasons: Mapping[str, PrivateReason], width: int) -> Table:
    """One table, whose lines break only between words."""
    text_width = max(ANSWER_WIDTH, (width - ANSWER_WIDTH - len("✓") - 3 * len("  ")) // 2)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold yellow")
    table.add_column("")
    table.add_column(title, width=text_width)
    table.add_column("Answer", width=ANSWER_WIDTH)
    table.add_column("Why, in the server's log", width=text_width)
    for row in rows:
        style = "green" if row.went_as_it_must else "bold red"
        found = reasons.get(row.exchange.reference or "")
        answer = f"{row.exchange.status} {printable(row.exchange.error or '')}".rstrip()
        table.add_row(
            Text("✓" if row.went_as_it_must else "✗", style=style),
            row.what,
            Text(answer, style=style),
            Text(cut_words(found.reason if found else "", text_width)),
        )
    return table


def cut_words(text: str, width: int) -> str:
    """*text*, with each word that is longer than a line shortened: an address, the thumbprint of a key."""
    return " ".join(word if len(word) <= width else f"{word[: width - 1]}…" for word in text.split())
