"""The run's log file: where it cannot be written, that is said once and stops nothing.

A run that its disk is too small for ends by itself, and in one line, at what it needs to write.
"""

import logging
import sys


class LogFile(logging.FileHandler):
    """A file for log lines; unlike its parent, no traceback for each that a full disk refuses."""

    _is_reported = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # where it could not be opened until now
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._is_reported and sys.stderr is not None:
            self._is_reported = True
            reason = error.strerror or error
            print(f"{self.baseFilename} lacks lines: {reason}; make room there", file=sys.stderr)
