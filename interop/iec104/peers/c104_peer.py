"""One end of an IEC 60870-5-104 connection for interoperability tests, on c104 (which wraps lib60870-C).

    c104_peer.py server PORT         controlled station, common address 1, on 127.0.0.1
    c104_peer.py client HOST PORT    controlling station

Behind the port of a server, `--tls CERTIFICATE KEY AUTHORITY` (PEM files) asks for TLS with mutual authentication.
Speaks JSON lines: what happens goes to standard output, orders come from standard input, and the program ends with it.
"""

import datetime
import json
import sys
import threading
import time

import c104

OUT = threading.Lock()


def tell(**event):
    with OUT:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


# Information object address -> (type, how a number becomes its information), without a time tag; with CP56Time2a at +200.
# c104 has no points with CP24Time2a.
BASE = {
    1: ("M_SP", lambda v: c104.SingleInfo(on=bool(v))),
    2: ("M_DP", lambda v: c104.DoubleInfo(state=c104.Double.ON if v else c104.Double.OFF)),
    3: ("M_ST", lambda v: c104.StepInfo(state=c104.Int7(int(v)))),
    4: ("M_BO", lambda v: c104.BinaryInfo(blob=c104.Byte32(int(v)))),
    5: ("M_ME_A", lambda v: c104.NormalizedInfo(actual=c104.NormalizedFloat(v))),
    6: ("M_ME_B", lambda v: c104.ScaledInfo(actual=c104.Int16(int(v)))),
    7: ("M_ME_C", lambda v: c104.ShortInfo(actual=v)),
    8: ("M_IT", lambda v: c104.BinaryCounterInfo(counter=int(v), sequence=c104.UInt5(3), quality=c104.BinaryCounterQuality())),
}
NAMES = {
    "M_SP": ("M_SP_NA_1", "M_SP_TB_1"),
    "M_DP": ("M_DP_NA_1", "M_DP_TB_1"),
    "M_ST": ("M_ST_NA_1", "M_ST_TB_1"),
    "M_BO": ("M_BO_NA_1", "M_BO_TB_1"),
    "M_ME_A": ("M_ME_NA_1", "M_ME_TD_1"),
    "M_ME_B": ("M_ME_NB_1", "M_ME_TE_1"),
    "M_ME_C": ("M_ME_NC_1", "M_ME_TF_1"),
    "M_IT": ("M_IT_NA_1", "M_IT_TB_1"),
}
MAKE = {tagged * 200 + ioa: make for ioa, (_, make) in BASE.items() for tagged in (0, 1)}
TYPES = {
    tagged * 200 + ioa: getattr(c104.Type, NAMES[name][tagged]) for ioa, (name, _) in BASE.items() for tagged in (0, 1)
}

DIRECT, SBO = c104.CommandMode.DIRECT, c104.CommandMode.SELECT_AND_EXECUTE
COMMANDS = {
    501: (c104.Type.C_SC_NA_1, DIRECT, lambda v: c104.SingleCmd(on=bool(v))),
    502: (c104.Type.C_SC_NA_1, SBO, lambda v: c104.SingleCmd(on=bool(v))),
    503: (c104.Type.C_SE_NC_1, DIRECT, lambda v: c104.ShortCmd(target=v)),
    504: (c104.Type.C_DC_TA_1, DIRECT, lambda v: c104.DoubleCmd(state=c104.Double.ON if v else c104.Double.OFF)),
    505: (c104.Type.C_SC_NA_1, DIRECT, lambda v: c104.SingleCmd(on=bool(v))),
}


def number(value):
    """What a value of c104 is as a number."""
    if value is None:
        return None
    for convert in (lambda v: v.value, lambda v: v):
        try:
            return float(convert(value))
        except (TypeError, ValueError, AttributeError):
            continue
    return str(value)


def security():
    if "--tls" not in sys.argv:
        return None
    certificate, key, authority = sys.argv[sys.argv.index("--tls") + 1 :]
    tls = c104.TransportSecurity(validate=True, only_known=False)
    tls.set_certificate(cert=certificate, key=key)
    tls.set_ca_certificate(cert=authority)
    tls.set_version(min=c104.TlsVersion.TLS_1_2, max=c104.TlsVersion.TLS_1_2)
    return tls


def serve(port):
    server = c104.Server(
        ip="127.0.0.1", port=port, tick_rate_ms=50, select_timeout_ms=1000, transport_security=security()
    )
    station = server.add_station(common_address=1)
    points = {}
    for ioa, kind in TYPES.items():
        points[ioa] = station.add_point(io_address=ioa, type=kind)
        points[ioa].info = MAKE[ioa](0)

    def commanded(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
        tell(event="command", ioa=point.io_address, value=number(point.value), cause=message.cot.value)
        return c104.ResponseState.FAILURE if point.io_address == 505 else c104.ResponseState.SUCCESS

    for ioa, (kind, mode, _) in COMMANDS.items():
        point = station.add_point(io_address=ioa, type=kind, command_mode=mode)
        point.on_receive(callable=commanded)

    def synchronised(server: c104.Server, ip: str, date_time: datetime.datetime) -> c104.ResponseState:
        tell(event="clock", time=date_time.timestamp())
        return c104.ResponseState.SUCCESS

    server.on_clock_sync(callable=synchronised)
    server.start()
    tell(event="listening", port=port)
    for line in sys.stdin:
        order = json.loads(line)
        if "transmit" in order:
            point = points[order["transmit"]]
            point.info = MAKE[order["transmit"]](order["value"])
            tell(event="result", of="transmit", ok=bool(point.transmit(cause=c104.Cot.SPONTANEOUS)))
    server.stop()


def control(host, port):
    client = c104.Client(tick_rate_ms=50, command_timeout_ms=30000)
    connection = client.add_connection(ip=host, port=port, init=c104.Init.NONE)
    station = connection.add_station(common_address=1)

    def received(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
        recorded = point.recorded_at
        tell(
            event="point",
            ioa=point.io_address,
            type=str(point.type).split(".")[-1],
            value=number(point.value),
            cause=message.cot.value,
            time=None if recorded is None else recorded.timestamp(),
            quality=str(point.quality),
        )
        return c104.ResponseState.SUCCESS

    for ioa, kind in TYPES.items():
        station.add_point(io_address=ioa, type=kind).on_receive(callable=received)
    commands = {}
    for ioa, (kind, mode, _) in COMMANDS.items():
        commands[ioa] = station.add_point(io_address=ioa, type=kind, command_mode=mode)

    def state(connection: c104.Connection, state: c104.ConnectionState) -> None:
        tell(event="state", state=str(state).split(".")[-1])

    connection.on_state_change(callable=state)
    client.start()

    def insist():
        # c104 2.2.1 now and then opens a connection and never sends STARTDT, whoever the server is.
        while True:
            time.sleep(0.5)
            if connection.state == c104.ConnectionState.OPEN_MUTED:
                connection.unmute()

    threading.Thread(target=insist, daemon=True).start()
    for line in sys.stdin:
        order = json.loads(line)
        ok = None
        if "interrogation" in order:
            ok = connection.interrogation(common_address=1, qualifier=c104.Qoi(order["interrogation"]))
        elif "counterInterrogation" in order:
            ok = connection.counter_interrogation(common_address=1)
        elif "clockSync" in order:
            ok = connection.clock_sync(common_address=1)
        elif "test" in order:
            ok = connection.test(common_address=1)
        elif "read" in order:
            ok = station.get_point(order["read"]).read()
        elif "command" in order:
            point = commands[order["command"]]
            point.info = COMMANDS[order["command"]][2](order["value"])
            ok = point.transmit(cause=c104.Cot.ACTIVATION)
        tell(event="result", of=next(iter(order)), ok=bool(ok))
    client.stop()


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve(int(sys.argv[2]))
    else:
        control(sys.argv[2], int(sys.argv[3]))
