"""The sanity check: what has to be true of a host before people sleep well.

`finding` says what a check comes to, `subject` what it may look at, the other modules hold the checks of
one group each, and `registry` lists them all. `acmd check` and `acmctl -s` print them in the same words.
"""
