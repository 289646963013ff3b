"""What touches the world: one outside thing in each file, each behind a port. None imports another."""
