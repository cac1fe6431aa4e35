"""Parquet as records, a batch of rows in memory at a time. Needs the extra `parquet`."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from nsmc.extras import needs_extra
from nsmc.reading.tables import Record, Table

_BATCH = 4096  # rows


def read_parquet(stream: BinaryIO, name: str) -> Table:
    """The rows of a Parquet file that can be read in any order, numbered from 1.

    Raises ValueError for what is no Parquet file, where one is damaged, and without pyarrow.
    """
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ValueError(needs_extra(f"{name}: a Parquet file", "parquet")) from None
    try:
        file = ParquetFile(stream)
        columns = list(file.schema_arrow.names)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{name}: not a Parquet file, or damaged ({_reason(error)})") from None
    return Table(columns, _records(file, name))


def _records(file: Any, name: str) -> Iterator[Record]:
    number = 0
    batches = file.iter_batches(batch_size=_BATCH)
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:  # damage comes as any of a dozen exceptions
            raise ValueError(f"{name}, after row {number}: damaged ({_reason(error)})") from None
        if batch is None:
            return
        for values in batch.to_pylist():
            number += 1
            yield Record(number, values)


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
