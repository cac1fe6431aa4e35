"""`python train.py` is `nsmc train` for a clone: see nsmc/cli/hydra_task.py, and --help.

(Hydra's completion of a shell's words looks for @hydra.main in this file.)
"""

import sys

from nsmc.termination import exit_on_signals

if __name__ == "__main__":
    # First of all: Ctrl-C must not end in a traceback of the import below, which takes seconds.
    exit_on_signals("interrupted")
    from nsmc.cli.hydra_task import train

    sys.exit(train(sys.argv[1:]))
