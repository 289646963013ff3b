"""A passthrough file system that fails on command, to show what the storage driver makes of it.

    python -m tests.faultfs BACKING MOUNTPOINT --control SOCKET

It needs /dev/fuse, the right to mount, and pyfuse3. `tests.faultfs.client.FaultFS` starts, steers
and ends one.
"""
