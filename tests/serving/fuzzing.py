"""Sends the server what its description allows, and what it does not: `make serve-fuzz`.

schemathesis, at the path that is the first argument, makes the requests; others follow. It fails on
an answer of 500, and on one that the description does not have. The limits are small, so that many
requests lie at them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bundles import random_bundle
from tests.serving.test_serving_run import started

LIMITS = ("--max-texts", "20", "--max-characters", "300", "--max-body", "20000", "--workers", "2")


def main() -> int:
    schemathesis, *options = sys.argv[1:]
    config = Path(__file__).with_name("schemathesis.toml")
    with tempfile.TemporaryDirectory() as name:
        bundle = random_bundle(Path(name) / "bundle")
        with started(bundle, *LIMITS, quiet=True) as (process, port):
            address = f"http://127.0.0.1:{port}/openapi.json"
            command = [schemathesis, "--config-file", str(config), "run", address, *options]
            code = subprocess.run(command, check=False).returncode
            process.terminate()
            return code or process.wait(60)


if __name__ == "__main__":
    sys.exit(main())
