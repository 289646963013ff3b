"""What decides. Pure: no I/O, no await, no clock, no randomness, no log."""
