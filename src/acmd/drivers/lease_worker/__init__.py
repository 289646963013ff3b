"""The worker processes: the only ones that make system calls on shared storage.

The daemon starts one *nursery*, a small process that has imported everything and forks a worker
for each message that carries a socket. So a worker costs a fork instead of an interpreter's
start, and shares its memory. Neither the nursery nor the daemon ever touches shared storage.

A worker executes one request after the other, read from its socket as a line of JSON, by running
a procedure of `core.calls` or `core.board` against the operating system. It outlives the daemon
only until the call that it is in has returned; then it reads end-of-file and exits. Bytes travel
as Latin-1 strings. Standard library and `acmd.core` only.
"""
