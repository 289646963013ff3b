"""What runs: asyncio loops that know the core and the ports, and nothing else."""
