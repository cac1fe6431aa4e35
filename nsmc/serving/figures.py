"""What is counted, in the form that Prometheus reads: of one process, or of all workers."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0, 10.0)


class Figures:
    """Counts requests, their seconds, texts and labels."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"nsmc_{name}", what, labels, registry=registry)

        self._requests = counter("requests", "Requests answered", "path", "status")
        self._texts = counter("texts", "Texts classified, by label", "label")
        self._unsure = counter("unsure", "Answers that were unsure")
        self._reloads = counter("reloads", "Times the bundle was read again", "outcome")
        self._seconds = Histogram(
            "nsmc_request_seconds",
            "Seconds of a request",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )

    def answered(self, path: str, status: int, seconds: float) -> None:
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def classified(self, label: str, count: int) -> None:
        self._texts.labels(label).inc(count)

    def unsure(self, count: int) -> None:
        self._unsure.inc(count)

    def reloaded(self, is_good: bool) -> None:
        self._reloads.labels("good" if is_good else "failed").inc()

    def as_text(self) -> bytes:
        """All figures; of several workers the sums."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
