"""The steps of `make check` that no ready-made tool covers."""
