"""modnet measured beside its peers: `python -m benchmarks`, from the repository root. README.md says how."""
