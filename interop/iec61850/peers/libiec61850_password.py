"""Associations with a password, by the C interface of libiec61850: its binding has no way to say who may come in.

    libiec61850_password.py server PORT PASSWORD    lets in whoever shows the password
    libiec61850_password.py client                  under the orders of a test
"""
import ctypes
import sys
from ctypes import c_bool, c_int, c_void_p

from libiec61850 import RESULTS, Pointer, call, pointer
from orders import serve

PASSWORD = 1
RESULTS |= {"AcseAuthenticationParameter_getAuthMechanism": c_int, "AcseAuthenticationParameter_getPasswordLength": c_int}


def connect(port, password):
    """The library's error, 0 when it is associated."""
    connection = pointer("IedConnection_create")
    if password is not None:
        shown = pointer("AcseAuthenticationParameter_create")
        call("AcseAuthenticationParameter_setAuthMechanism", shown, c_int(PASSWORD))
        call("AcseAuthenticationParameter_setPassword", shown, password)
        iso = pointer("MmsConnection_getIsoConnectionParameters", pointer("IedConnection_getMmsConnection", connection))
        call("IsoConnectionParameters_setAcseAuthenticationParameter", iso, shown)
    error = c_int(-1)
    call("IedConnection_connect", connection, ctypes.byref(error), "127.0.0.1", c_int(port))
    if error.value == 0:
        call("IedConnection_close", connection)
    return error.value


asked = []


@ctypes.CFUNCTYPE(c_bool, c_void_p, c_void_p, c_void_p, c_void_p)
def authenticate(_parameter, shown, _token, _application):
    shown = Pointer(shown or 0)
    if not shown or call("AcseAuthenticationParameter_getAuthMechanism", shown) != PASSWORD:
        asked.append(None)
        return False
    length = call("AcseAuthenticationParameter_getPasswordLength", shown)
    password = ctypes.string_at(call("AcseAuthenticationParameter_getPassword", shown), length).decode()
    asked.append(password)
    return password == sys.argv[3]


if sys.argv[1] == "client":
    serve({"connect": connect})
else:
    model = pointer("IedModel_create", "IED")
    pointer("LogicalNode_create", "LLN0", pointer("LogicalDevice_create", "LD0", model))
    server = pointer("IedServer_create", model)
    call("IedServer_setLocalIpAddress", server, "127.0.0.1")
    call("IedServer_setAuthenticator", server, authenticate, None)
    call("IedServer_start", server, c_int(int(sys.argv[2])))
    serve({"asked": lambda: asked})
    call("IedServer_stop", server)
