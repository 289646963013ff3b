"""A small application in Orchestrator's place: reads database.yml once, then writes rows for ever.

Runs inside a host, started by acmd. Each row that MySQL acknowledged is noted in a file of this run,
NODE-FIRST_NS, one line a row: its id and CLOCK_MONOTONIC in nanoseconds, which all hosts share.
`orchestrator.py DATABASE_YML DIRECTORY`
"""

from __future__ import annotations

import os
import socket
import sys
import time

import pymysql
from ruamel.yaml import YAML

PAUSE_S = 0.02
LIMIT_S = 3


def main(file: str, directory: str) -> None:
    """Write until killed."""
    with open(file, encoding="utf-8") as opened:
        found = YAML(typ="safe").load(opened)["production"]
    first, node = time.monotonic_ns(), socket.gethostname()
    os.makedirs(directory, exist_ok=True)
    notes = os.open(f"{directory}/{node}-{first}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    number, connection, said = 0, None, ""
    while True:
        number += 1
        name = f"{node}-{first}-{number}"
        try:
            if connection is None:
                connection = pymysql.connect(
                    host=found["host"],
                    user=found["username"],
                    password=found["password"],
                    database=found["database"],
                    connect_timeout=LIMIT_S,
                    read_timeout=LIMIT_S,
                    write_timeout=LIMIT_S,
                    autocommit=True,
                )
            with connection.cursor() as cursor:
                cursor.execute("insert into entries values (%s)", (name,))
            os.write(notes, f"{name} {time.monotonic_ns()}\n".encode())
        except (pymysql.err.Error, OSError) as problem:
            if str(problem) != said:
                said = str(problem)
                print(f"row {number}: {said}", flush=True)
            connection = None
            time.sleep(0.2)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
