"""Configuration files that acmd refuses, and in which words."""

from __future__ import annotations

# How /root/x.toml is made, what is said about it, and what mends it; /root/good is a good one.
CONFIGS = {
    "absent": ("true", "/root/x.toml: there is no such file", "`acmd config defaults`"),
    "directory": ("mkdir x.toml", "/root/x.toml: is a directory", "name the configuration file itself"),
    "link": (
        "ln -s /nowhere x.toml",
        "/root/x.toml: is a link to /nowhere, which is not there",
        "put it there",
    ),
    "ring": (
        "ln -s x.toml x.toml",
        "too many levels of symbolic links",
        "name the configuration file itself",
    ),
    "pipe": ("mkfifo x.toml", "/root/x.toml: is not an ordinary file", "name the configuration file itself"),
    "device": ("ln -s /dev/null x.toml", "/root/x.toml: is not an ordinary file", "name the configuration"),
    "mark": (
        "(printf '\\357\\273\\277'; cat good) > x.toml",
        "x.toml:1: begins with a byte order mark",
        "UTF-8",
    ),
    "latin": ("(cat good; printf '# \\351\\n') > x.toml", "byte 0xe9 is not UTF-8", "save the file as UTF-8"),
    "wide": ("iconv -t UTF-16 good > x.toml", "x.toml:1: byte 0xff is not UTF-8", "save the file as UTF-8"),
    "zero": ("(cat good; printf '\\000') > x.toml", "column 1: invalid statement", "correct it there"),
    "old Mac": (
        "tr '\\n' '\\r' < good > x.toml",
        "x.toml:1: column 1: invalid statement",
        "correct it there",
    ),
    "twice": (
        "(cat good; echo '[node]') > x.toml",
        "the table [node] stands further up already",
        "in one place",
    ),
    "key twice": (
        "(cat good; echo 'kind = 1') > x.toml",
        "was given further up already",
        "take one of the two",
    ),
    "deep": (
        "python3 -c \"print('a=' + '[' * 9000)\" > x.toml",
        "is nested too deeply",
        "no option needs that",
    ),
    "number": ("python3 -c \"print('a=' + '9' * 9000)\" > x.toml", "thousands of digits", "no option needs"),
    "page": ("echo '<html>' > x.toml", "x.toml:1: column 1: invalid statement", "this is not TOML"),
    "types": ("echo 'cluster = 3' > x.toml", "x.toml:1: cluster = 3: must be a table", "correct it"),
    "name": (
        "printf '[cluster]\\nname = 3\\n' > x.toml",
        "x.toml:2: cluster.name = 3: must be a string",
        "quotes",
    ),
}
# Only a full load sees these; the commands that find a daemon by the file go on with them.
LOADED = {
    "everybody": (
        "cp good x.toml; chmod 666 x.toml",
        "can be written by everybody, who could make acmd run anything",
        "chmod o-w /root/x.toml",
    ),
    "large": (
        "(cat good; head -c 300000 /dev/zero | tr '\\0' '#') > x.toml",
        "is larger than 256 KiB",
        "name the configuration file itself",
    ),
    "unknown": (
        "(echo '[clutser]'; cat good) > x.toml",
        "x.toml:1: clutser: there is no such option",
        "did you mean cluster?",
    ),
    "address": (
        "sed s/10.99.0.1/10.99.0.77/ good > x.toml",
        'node.address = "10.99.0.77": is not an address of this host',
        "this host has 10.99.0.1",
    ),
    "relative": (
        "sed s,/shared/acm/acmd,shared, good > x.toml",
        'cluster.directory = "shared": must be an absolute path',
        "correct it",
    ),
}
