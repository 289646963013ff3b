"""From ACM to acmd: what an installation says, the changes that follow, and the way back.

`installation` reads, `plan` says what changes, `originals` changes files and puts them back,
`autostart` does so with units, `handover` keeps two managers from acting at once.
"""
