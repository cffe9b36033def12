"""A server of iec61850-rust (the wheel `iec61850`) of an IED of an SCL file, under the orders of a test. Data sets and control
blocks are not taken from the file: they are registered here."""
import asyncio
import json
import sys

from orders import tell

import iec61850 as iec

server = iec.IedServer.from_scl(sys.argv[1], ied_name=sys.argv[2])
server.bind("127.0.0.1:0")
refusals = {}


class Refusal(Exception):
    def __init__(self, cause):
        super().__init__(cause)
        self.add_cause = cause


def port():
    return int(server.bound_addr.rsplit(":", 1)[1])


def data_set(name, paths):
    server.add_dataset(name, paths)


def block(path, buffered, options):
    (server.register_brcb if buffered else server.register_urcb)(path, **options)


def control(path, model):
    def check(path, value, action):
        cause = refusals.get((path, "check"))
        if cause:
            raise Refusal(cause)

    def operate(path, value, action):
        cause = refusals.get((path, "operate"))
        if cause:
            raise Refusal(cause)
        server.update_bool(f"{path}.stVal", value)

    server.on_control(path, ctl_model=model, check=check, operate=operate)


def refuse(path, phase, cause):
    refusals[(path, phase)] = cause


def change(kind, path, value):
    getattr(server, f"update_{kind}")(path, value)


METHODS = {"port": port, "dataSet": data_set, "block": block, "control": control, "refuse": refuse, "set": change}


async def main():
    tell(event="ready")
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        try:
            if order["call"] == "start":
                value = await server.start()
            else:
                value = METHODS[order["call"]](*order["args"])
            tell(event="answer", id=order["id"], value=value)
        except Exception as error:  # noqa: BLE001
            tell(event="answer", id=order["id"], error=f"{type(error).__name__}: {error}")
    await server.stop()


asyncio.run(main())
