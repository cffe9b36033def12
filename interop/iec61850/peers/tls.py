"""libiec61850 over TLS. `tls.py server PORT CERT KEY CA` serves one status until its input ends; `tls.py client PORT CERT KEY CA`
connects and says what it finds, one line each, as JSON."""
import ctypes
import sys

from libiec61850 import FC, call, listed, pointer, say

role, port, cert, key, ca = sys.argv[1:]


def configuration():
    tls = pointer("TLSConfiguration_create")
    if role == "client":
        call("TLSConfiguration_setClientMode", tls)
    call("TLSConfiguration_setChainValidation", tls, ctypes.c_bool(True))
    call("TLSConfiguration_setAllowOnlyKnownCertificates", tls, ctypes.c_bool(False))
    done = [
        call("TLSConfiguration_setOwnCertificateFromFile", tls, cert),
        call("TLSConfiguration_setOwnKeyFromFile", tls, key, None),
        call("TLSConfiguration_addCACertificateFromFile", tls, ca),
    ]
    if not all((one or 0) & 0xFF for one in done):
        raise SystemExit(f"not taken: {done}")
    return tls


if role == "server":
    model = pointer("IedModel_create", "IED")
    device = pointer("LogicalDevice_create", "LD0", model)
    pointer("LogicalNode_create", "LLN0", device)
    node = pointer("LogicalNode_create", "GGIO1", device)
    pointer("CDC_SPS_create", "Alm1", node, ctypes.c_uint32(0))
    server = pointer("IedServer_createWithTlsSupport", model, configuration())
    call("IedServer_setLocalIpAddress", server, "127.0.0.1")
    call("IedServer_start", server, ctypes.c_int(int(port)))
    print("ready" if call("IedServer_isRunning", server) else "failed", flush=True)
    for _ in sys.stdin:
        pass
    call("IedServer_stop", server)
else:
    connection = pointer("IedConnection_createWithTlsSupport", configuration())
    error = ctypes.c_int(0)
    call("IedConnection_connect", connection, ctypes.byref(error), "127.0.0.1", ctypes.c_int(int(port)))
    say("connect", error.value)
    if error.value == 0:
        names = pointer("IedConnection_getLogicalDeviceList", connection, ctypes.byref(error))
        say("devices", [ctypes.string_at(one).decode() for one in listed(names)])
        value = call("IedConnection_readFloatValue", connection, ctypes.byref(error), "BCU1CTRL/MMXU1.TotW.mag.f", ctypes.c_int(FC["MX"]))
        say("float", [value, error.value])
        call("IedConnection_close", connection)
