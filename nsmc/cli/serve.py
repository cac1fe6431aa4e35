"""`nsmc serve`: answers over HTTP."""

import argparse
from typing import Any

from nsmc.cli.arguments import add_bundle, chosen_bundle
from nsmc.extras import needs_extra


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "serve",
        help="answer over HTTP",
        description=(
            "POST /predict takes {text} or {texts} as JSON; / is the bundle's page; /healthz, "
            "/readyz, /metrics, /openapi.json. SIGHUP reads the bundle again, SIGTERM answers what "
            "was begun and ends. Needs the extra serve."
        ),
    )
    add_bundle(parser)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="to listen on (default: 127.0.0.1, this machine alone)")
    add("--port", type=int, default=8000, help="0 picks a free one (default: 8000)")
    add("--workers", type=int, default=1, help="processes that share the port (default: 1)")
    add("--threads", type=int, default=1, help="that compute, in each of them (default: 1)")
    add("--max-body", type=int, default=1 << 20, metavar="BYTES", help="(default: 1048576)")
    add("--max-texts", type=int, default=1000, help="in a request (default: 1000)")
    add("--max-characters", type=int, default=100_000, help="in a text (default: 100000)")
    add("--max-waiting", type=int, default=64, help="requests at a time (default: 64)")
    add(
        "--timeout",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="to arrive in (default: 10)",
    )
    add("--unsure-below", type=float, metavar="PROBABILITY", help="where a request does not say")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until it is ended; raises ValueError for a wrong value and without the extra."""
    for name in ("workers", "threads", "max_body", "max_texts", "max_characters", "max_waiting"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(options, name)}: 1 and more")
    if not 0 <= options.port <= 65_535:
        raise ValueError(f"--port {options.port}: 0 to 65535")
    if not options.host:
        raise ValueError("--host is empty: 127.0.0.1 is this machine, 0.0.0.0 every address")
    if not 0 < options.timeout <= 86_400:
        raise ValueError(f"--timeout {options.timeout}: above 0, at most a day (86400)")
    if options.unsure_below is not None and not 0 <= options.unsure_below <= 1:
        raise ValueError(f"--unsure-below {options.unsure_below}: a probability is from 0 to 1")
    try:
        from nsmc.serving.run import serve
    except ImportError as error:
        raise ValueError(f"{error}: {needs_extra('nsmc serve', 'serve')}") from None
    from nsmc.runtime.predictor import Predictor
    from nsmc.serving.settings import ServerSettings

    folder = chosen_bundle(options.bundle)
    Predictor.load(folder)  # here, where what is wrong with it is told in one line
    settings = ServerSettings(
        bundle=str(folder.absolute()),
        max_body=options.max_body,
        max_texts=options.max_texts,
        max_characters=options.max_characters,
        max_waiting=options.max_waiting,
        timeout=options.timeout,
        threads=options.threads,
        unsure_below=options.unsure_below,
    )
    serve(settings, options.host, options.port, options.workers)
    return 0
