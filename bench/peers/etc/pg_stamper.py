"""The service under test for Patroni is PostgreSQL itself: a stamp for each transaction.

Runs beside the server all the time, with Debian's own Python and psycopg2. Writes as tests/hosts/stamper.py
does, a file for each time that the server is primary: NODE-0-FIRST_NS. The transaction takes an id,
which a standby refuses.
"""

from __future__ import annotations

import os
import sys
import time

import psycopg2  # type: ignore[import-untyped,import-not-found,unused-ignore]

PAUSE_S = 0.004
AGAIN_S = 0.02
DSN = "host=/var/run/postgresql user=postgres dbname=postgres connect_timeout=1"


def stamp(directory: str) -> None:
    """From the first transaction to the first that fails. A standby is asked until it is none any more."""
    with psycopg2.connect(DSN) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        while True:
            cursor.execute("select pg_is_in_recovery()")
            if cursor.fetchone() == (False,):
                break
            time.sleep(AGAIN_S)
        cursor.execute("select txid_current()")
        first = time.monotonic_ns()
        path = f"{directory}/{os.uname().nodename}-0-{first}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            while True:
                os.write(handle, b"%d\n" % time.monotonic_ns())
                time.sleep(PAUSE_S)
                cursor.execute("select txid_current()")
        finally:
            os.close(handle)


def main(directory: str) -> None:
    """For ever."""
    os.makedirs(directory, exist_ok=True)
    while True:
        try:
            stamp(directory)
        except psycopg2.Error:
            time.sleep(AGAIN_S)


if __name__ == "__main__":
    main(sys.argv[1])
