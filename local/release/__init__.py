"""Release assets from the built binary."""
