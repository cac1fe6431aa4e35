"""Reports over folders of runs: `nsmc report`, and what a sweep writes at its end."""
