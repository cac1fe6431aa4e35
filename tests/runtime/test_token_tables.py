"""Tables hold the projections of tokens, whenever and beside whatever others they are asked for."""

import pickle

import numpy as np
import pytest

from nsmc.runtime import token_tables
from nsmc.runtime.packing import pack
from nsmc.runtime.token_tables import TokenTables

V, E, G = 2_100, 5, 7


@pytest.fixture
def tables() -> TokenTables:
    generator = np.random.default_rng(0)
    embedding = generator.normal(0, 1, (V, E)).astype(np.float32)
    weights = [generator.normal(0, 1, (E, width)).astype(np.float32) for width in (G, 2 * G)]
    biases = [np.ones(width, np.float32) for width in (G, 2 * G)]
    return TokenTables(list(zip(weights, biases, strict=True)), embedding)


def test_a_few_rows_are_filled_in_and_then_all_with_the_same_numbers(tables: TokenTables) -> None:
    ids = [5, V - 1, 5, 0]
    first = [table[ids].copy() for table in tables(pack([ids]))]
    assert not tables.is_complete
    for (weight, bias), rows in zip(tables.projections, first, strict=True):
        np.testing.assert_allclose(rows, tables.embedding[ids] @ weight + bias, rtol=0, atol=1e-5)
    complete = tables(pack([list(range(V))]))
    assert tables.is_complete
    for rows, table in zip(first, complete, strict=True):
        np.testing.assert_array_equal(table[ids], rows)


def test_many_tokens_one_by_one_are_worth_a_table(tables: TokenTables) -> None:
    for _ in range(token_tables._WORTH_A_TABLE // 50):
        tables(pack([[5] * 50]))
    assert not tables.is_complete
    tables(pack([[5]]))
    assert tables.is_complete


def test_a_copy_is_made_without_the_tables(tables: TokenTables) -> None:
    fresh = len(pickle.dumps(tables))
    expected = tables(pack([list(range(V))]))
    content = pickle.dumps(tables)
    assert len(content) == fresh
    copied = pickle.loads(content)
    assert not copied.is_complete
    np.testing.assert_array_equal(copied(pack([[3]]))[0][3], expected[0][3])
