"""Coroutines that run without an event loop."""

import asyncio

import pytest

from flask_private_key_jwt.event_loops.run_now import run_now


async def give(value):
    return value


async def fail():
    raise LookupError


async def give_what_another_gives():
    return await give(5)


def test_a_coroutine_that_never_waits_gives_its_result():
    assert run_now(give_what_another_gives()) == 5
    assert run_now(give(None)) is None


def test_its_error_is_raised():
    with pytest.raises(LookupError):
        run_now(fail())


def test_one_that_waits_is_an_error_and_is_closed():
    with pytest.raises(RuntimeError, match="tried to wait"):
        run_now(asyncio.sleep(0))
