"""The configuration: one TOML file, one schema, plain values for everybody else.

    text --tomllib--> raw --schema--> Document --resolve--> tree --model.build--> Config

`model` is what the daemon gets: frozen dataclasses without pydantic. `schema` is the manual of
every option. `load` goes the whole way and refuses with file, line, key, value and remedy.
`glance` reads the few values that `acmd status` needs, without importing the schema; `apart`
loads in a short-lived process, so that the daemon does not keep the schema in memory.
"""

from __future__ import annotations
