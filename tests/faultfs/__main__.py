"""`python -m tests.faultfs BACKING MOUNTPOINT --control SOCKET`: mount, obey, unmount."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pyfuse3
import pyfuse3.asyncio

from tests.faultfs.filesystem import Passthrough
from tests.faultfs.rules import Injector, Rule


def obey(injector: Injector, wish: dict[str, Any]) -> Any:
    """Carry out one request of the control socket; what it returns is the answer."""
    what = wish.pop("do")
    if what == "add":
        return injector.add(Rule(**wish))
    if what == "clear":
        return injector.clear(wish.get("number"))
    if what == "hits":
        return injector.rules[wish["number"]].hits
    if what == "counts":
        counts = dict(injector.counts)
        injector.counts.clear()
        return counts
    raise ValueError(f"nothing is known about {what!r}")


async def serve(arguments: argparse.Namespace) -> None:
    """Until SIGTERM, or until somebody unmounts."""
    injector = Injector()
    pyfuse3.asyncio.enable()
    options = {*pyfuse3.default_options, "fsname=acmd-faultfs"}
    if os.geteuid() == 0:
        options.add("allow_other")  # services have users of their own
    pyfuse3.init(Passthrough(str(arguments.backing), injector), str(arguments.mountpoint), options)

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(obey(injector, json.loads(line))).encode() + b"\n")
            await writer.drain()
        writer.close()

    def end() -> None:
        injector.clear()
        pyfuse3.terminate()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    control = await asyncio.start_unix_server(on_client, arguments.control)
    try:
        await pyfuse3.main()
    finally:
        control.close()
        pyfuse3.close(unmount=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.faultfs", description="a file system that fails on command")
    parser.add_argument("backing", type=Path)
    parser.add_argument("mountpoint", type=Path)
    parser.add_argument("--control", type=Path, required=True, help="path of the socket to obey")
    asyncio.run(serve(parser.parse_args()))


main()
