"""steady.py DIRECTORY: synchronous direct writes without a pause, by two processes."""

import mmap
import os
import sys
from pathlib import Path

SIZE = 4096
WRITERS = 2

directory = Path(sys.argv[1])
directory.mkdir(exist_ok=True)
for _ in range(WRITERS - 1):
    if os.fork() == 0:
        break
flags = os.O_WRONLY | os.O_CREAT | os.O_DIRECT | os.O_SYNC
handle = os.open(directory / f"steady-{os.getpid()}", flags, 0o644)
block = mmap.mmap(-1, SIZE)  # aligned, as direct writes want it
while True:
    os.pwrite(handle, block, 0)
