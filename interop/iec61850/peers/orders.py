"""Orders as JSON lines: {"id": 1, "call": "read", "args": [...]} is answered by {"event": "answer", "id": 1, "value": ...},
or with "error" where the stack says no. What happens by itself is told as an event of its own."""
import json
import sys
import threading

_OUT = threading.Lock()


def plain(value):
    """What JSON can hold; octets become hexadecimal digits."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value


def tell(**event):
    with _OUT:
        sys.stdout.write(json.dumps(plain(event)) + "\n")
        sys.stdout.flush()


def orders():
    for line in sys.stdin:
        yield json.loads(line)


def answer(order, work):
    """Does it and answers; any exception is an answer as well."""
    try:
        tell(event="answer", id=order["id"], value=work())
    except Exception as error:  # noqa: BLE001
        tell(event="answer", id=order["id"], error=f"{type(error).__name__}: {error}")


def serve(methods):
    """Runs orders one after the other until the input ends. `methods` by name."""
    tell(event="ready")
    for order in orders():
        answer(order, lambda: methods[order["call"]](*order["args"]))
