"""Every operation, many times: the short form of ``memory_steady.py``."""

from tests.faults.memory_steady import run


def test_no_operation_leaves_a_compiled_statement_behind(tmp_path):
    assert run(tmp_path, rounds=10, warm_up=2).statements > 0
