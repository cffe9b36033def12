"""A server of open61850 (pure Python) of an IED of an SCL file, under the orders of a test."""
import sys

from orders import serve, tell

from open61850.server import IedModel, MmsServer

model = IedModel.from_scl(sys.argv[1], sys.argv[2])
server = MmsServer(model, "127.0.0.1", 0)
server.start()


def changes(values):
    with model.batch():
        for reference, value in values:
            model.set(reference, value)


def plain(value):
    return getattr(value, "value", str(value))


serve({
    "port": lambda: server.port,
    "set": changes,
    "get": lambda reference: plain(model.get(reference)),
    "refuse": lambda reference, cause: server.controls.set_check(reference, lambda command: cause),
    "fail": lambda reference, cause: server.controls.set_handler(reference, lambda command: cause),
})
server.stop()
