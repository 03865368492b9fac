"""The operator's commands, each in a process of its own, as at a terminal but without the time to start Python."""

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection

from flask import Flask

from tests.faults.served import environment_of
from tests.soak.server import create_app

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.served", "tests.soak.server"])
_PATIENCE_SECONDS = 120


def run_command(
    environment: Mapping[str, str],
    arguments: Sequence[str],
    *,
    factory: Callable[[], Flask] = create_app,
    say: str = "",
) -> str:
    """What ``flask oauth2 …`` prints.

    :param say: Its standard input.
    :raises AssertionError: It failed.
    """
    ours, theirs = _FORKS.Pipe()
    process = _FORKS.Process(target=_run, args=(theirs, factory, environment_of(environment), arguments, say))
    process.start()
    theirs.close()
    try:
        assert ours.poll(_PATIENCE_SECONDS), f"flask oauth2 {' '.join(arguments)} does not end"
        code, output = ours.recv()
    finally:
        process.join(5)
        if process.is_alive():
            process.kill()
    assert code == 0, f"flask oauth2 {' '.join(arguments)} ended with {code}: {output}"
    return str(output)


def _run(
    answer: Connection, factory: Callable[[], Flask], environment: Mapping[str, str], arguments: Sequence[str], say: str
) -> None:
    os.environ.update(environment)
    app = factory()
    result = app.test_cli_runner().invoke(args=["oauth2", *arguments], input=say or None)
    answer.send((result.exit_code, result.output))
