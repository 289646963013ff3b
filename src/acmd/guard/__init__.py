"""The dead man's switch: a process of its own, standard library only, that knows nothing of acmd.

`switch` decides, `places` writes what it decided and remembers, `ladder` sees and kills,
`last_resort` ends the host, `memory` keeps the process small and awake, `server` puts all
together around one socket. See docs/guard.md.
"""
