"""`python -m nsmc.cli` is the `nsmc` command."""

import sys

from nsmc.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
