"""writer.py DIRECTORY direct|dirty: a block over and over, `node epoch sequence`, a file for each epoch.

`direct`: synchronous direct writes, so that a request is always on its way to the server. `dirty`: into the
page cache and never synced, so that there is always something that the kernel still has to send. A write that
lands after its epoch is seen by whoever looks at that epoch's file on the server.
"""

import mmap
import os
import sys
import time
from pathlib import Path

SIZE = 4096
PAUSE_S = 0.04

directory, mode = Path(sys.argv[1]), sys.argv[2]
epoch = int(os.environ["ACMD_EPOCH"])
directory.mkdir(exist_ok=True)
flags = os.O_DIRECT | os.O_SYNC if mode == "direct" else 0
handle = os.open(directory / f"{mode}-{epoch}", os.O_WRONLY | os.O_CREAT | flags, 0o644)
block = mmap.mmap(-1, SIZE)  # aligned, as direct writes want it
sequence = 0
while True:
    time.sleep(PAUSE_S)
    sequence += 1
    line = f"{os.environ['ACMD_NODE']} {epoch} {sequence}\n".encode()
    block[:] = line.ljust(SIZE, b".")
    os.pwrite(handle, block, 0)
