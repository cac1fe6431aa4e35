"""Work on all cores comes back in order, and only a little of it is ahead."""

import itertools
import operator

import pytest

from nsmc.runtime.parallel import available_cores, mapped

AHEAD = 2 * available_cores() + 2


def test_results_come_in_the_order_of_the_items_and_few_items_are_read_ahead() -> None:
    items = iter(range(20 * AHEAD))
    for answered, result in enumerate(mapped(lambda item: 3 * item, items)):
        assert result == 3 * answered
        read = 20 * AHEAD - operator.length_hint(items)
        assert answered < read <= answered + AHEAD
    assert answered == 20 * AHEAD - 1


def test_whoever_stops_listening_stops_the_reading() -> None:
    endless = itertools.count()
    results = mapped(str, endless)
    assert next(results) == "0"
    results.close()  # type: ignore[attr-defined]
    assert next(endless) <= AHEAD


def test_an_error_is_raised_where_its_result_would_be() -> None:
    results = mapped(lambda item: 6 // item, [3, 2, 0])
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)
