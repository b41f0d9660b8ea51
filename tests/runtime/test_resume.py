"""Tasks in a store: computed once, by whomever, and told when lost."""

import math

import pytest

from benign_ref.runtime.resume import compute, file_name
from figures.common import Options


class Here:
    """A PEP 3148 executor that computes in this process, and counts."""

    def __init__(self):
        self.count = 0

    def submit(self, function, *arguments):
        from concurrent.futures import Future

        self.count += 1
        future = Future()
        try:
            future.set_result(function(*arguments))
        except (MemoryError, KeyError) as error:
            future.set_exception(error)
        return future


def pair(name, x):
    if name == "gone":
        raise MemoryError("lost with its worker")
    if name == "wrong":
        raise KeyError("no such thing")
    return (name, math.nan if x == 0 else 1 / x)


@pytest.fixture
def options(tmp_path):
    return Options(tmp_path, store=tmp_path / "store", executor=Here())


def test_results_come_by_task_and_a_second_call_computes_only_what_is_missing(options):
    first = compute("name", pair, [("a", 3.0), ("b", 0), ("a", 3.0)], options, "things", level=0.2)
    assert first["a", 3.0] == ["a", 1 / 3.0] and math.isnan(first["b", 0][1]) and options.executor.count == 2
    again = compute("name", pair, [("a", 3.0), ("b", 0), ("c", 7.0)], options, "things", level=0.2)
    assert options.executor.count == 3 and again["a", 3.0] == first["a", 3.0] and math.isnan(again["b", 0][1])


def test_of_many_tasks_lost_alike_the_first_is_told(options, capsys):
    with pytest.raises(RuntimeError, match="3 things were lost"):
        compute("name", pair, [("gone", x) for x in (1.0, 2.0, 3.0)] + [("a", 1.0)], options, "things")
    told = capsys.readouterr().err
    assert told.count("was lost: MemoryError: lost with its worker") == 1 and "3 were lost" in told


def test_store_of_other_settings_is_refused(options):
    compute("name", pair, [("a", 3.0)], options, "things", level=0.2)
    with pytest.raises(ValueError, match="another computation"):
        compute("name", pair, [("a", 3.0)], options, "things", level=0.3)


@pytest.mark.parametrize(
    "name, wrong",
    [("gone", "1 things were lost, first .'gone', 1.0. .MemoryError"), ("wrong", "no such thing")],
)
def test_failing_task_is_told_and_what_was_done_is_kept(options, name, wrong):
    with pytest.raises(RuntimeError, match=wrong):
        compute("name", pair, [("a", 3.0), (name, 1.0)], options, "things")
    compute("name", pair, [("a", 3.0)], options, "things")
    assert options.executor.count == 2


def test_damaged_record_is_computed_again(options, capsys):
    compute("name", pair, [("a", 3.0)], options, "things")
    (options.store / "name" / "cells" / f"{file_name(('a', 3.0))}.json").write_text("{", encoding="utf-8")
    assert compute("name", pair, [("a", 3.0)], options, "things")["a", 3.0] == ["a", 1 / 3.0]
    assert "computed again" in capsys.readouterr().err


def test_without_a_store_nothing_is_kept(tmp_path):
    options = Options(tmp_path, executor=Here())
    for count in (1, 2):
        compute("name", pair, [("a", 3.0)], options, "things")
        assert options.executor.count == count
    assert not list(tmp_path.iterdir())
