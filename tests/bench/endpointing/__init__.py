"""How soon a turn is taken, and how often too soon: `python -m tests.bench.endpointing`."""
