"""A client of the database: numbered rows, all the time, to whichever host takes them.

Its own process at the far end of the switch; knows nothing of acmd. `client.py LOG ADDRESS …`: one line of
LOG for each row whose commit the server acknowledged: the number, CLOCK_MONOTONIC in nanoseconds, the
address. A number is never used twice, whatever came of it.
"""

from __future__ import annotations

import itertools
import os
import sys
import time

import pymysql

LIMIT_S = 1.0
CONNECT_S = 0.5
PAUSE_S = 0.08
RETRY_S = 0.05
SECRET = "s3cr3t"  # of a database that lives for a test


def connect(address: str) -> pymysql.connections.Connection[pymysql.cursors.Cursor]:
    """A session whose every statement is a transaction. Raises what pymysql raises."""
    return pymysql.connect(
        host=address,
        user="orchestrator",
        password=SECRET,
        database="orchestrator",
        connect_timeout=1,
        read_timeout=LIMIT_S,
        write_timeout=LIMIT_S,
        autocommit=True,
    )


def main(log: str, *addresses: str) -> None:
    """Write until killed."""
    notes = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    places = itertools.cycle(addresses)
    address, session = next(places), None
    for number in itertools.count(1):
        try:
            if session is None:
                session = connect(address)
            with session.cursor() as cursor:
                cursor.execute("insert into numbers values (%s)", (number,))
            os.write(notes, f"{number} {time.monotonic_ns()} {address}\n".encode())
            time.sleep(PAUSE_S)
        except (pymysql.err.Error, OSError):
            if session is not None:
                session._force_close()  # type: ignore[attr-defined]
                session = None
            else:
                address = next(places)
            time.sleep(RETRY_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
