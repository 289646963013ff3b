"""writer.py FILE: synchronous direct writes of one block, over and over: `node epoch sequence`.

The block's number is the epoch: a write that lands after its epoch is seen, whatever others write by then.
"""

import mmap
import os
import sys
import time

SIZE = 4096
PAUSE_S = 0.04

handle = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_DIRECT | os.O_SYNC, 0o644)
block = mmap.mmap(-1, SIZE)  # aligned, as direct writes want it
sequence, epoch = 0, int(os.environ["ACMD_EPOCH"])
while True:
    time.sleep(PAUSE_S)
    sequence += 1
    line = f"{os.environ['ACMD_NODE']} {epoch} {sequence}\n".encode()
    block[:] = line.ljust(SIZE, b".")
    os.pwrite(handle, block, epoch * SIZE)
