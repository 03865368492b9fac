"""Measure what a request costs the server, and print it beside the bare signatures.

python -m bench.run [--quick] [--server granian] [--clients 10000] [--remembered 1000000] [--json FILE]
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .benchmark import Benchmark, Size, Void
from .load import NoAnswer
from .servers import COMMANDS, NotStarted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code."""
    options = read_options(arguments)
    if not sys.platform.startswith("linux"):
        print("The benchmark reads CPU times from /proc: it runs on Linux only.", file=sys.stderr)
        return 2
    size = Size(
        clients=options.clients,
        remembered=options.remembered,
        connections=options.connections,
    )
    if options.quick:
        size = size.smallest()
    if options.requests:
        size = replace(size, weighed=options.requests)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            report = Benchmark(Path(folder), options.server or list(COMMANDS), size).run()
    except (Void, NoAnswer, NotStarted) as problem:
        print(f"\nVoid: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the servers are stopped.", file=sys.stderr)
        return 130
    print(f"\n{report.table()}")
    if options.json:
        options.json.write_text(report.json() + "\n")
    return 0


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench", description="What a request costs the server.")
    parser.add_argument("--quick", action="store_true", help="a smoke run: the figures mean nothing")
    parser.add_argument("--server", action="append", choices=list(COMMANDS), help="only this one; may repeat")
    parser.add_argument("--clients", type=_some, default=10, help="registered ES256 clients (default: %(default)s)")
    parser.add_argument("--remembered", type=_any, default=0, help="jti values remembered beforehand")
    parser.add_argument("--connections", type=_some, default=16, help="requests under way (default: %(default)s)")
    parser.add_argument("--requests", type=_any, default=0, help="token requests before the memory is read")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser.parse_args(arguments)


def _any(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of things")
    return int(text)


def _some(text: str) -> int:
    if _any(text) == 0:
        raise argparse.ArgumentTypeError("one at least")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
