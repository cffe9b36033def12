"""The C interface of the libiec61850 that pyiec61850-ng brings along, for what its binding cannot do: pointers that it gives
no type to, and functions to be called back."""
import ctypes
import glob
import json
import os
from ctypes import c_bool, c_char_p, c_float, c_int, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

import pyiec61850

FOLDER = os.path.join(os.path.dirname(os.path.dirname(pyiec61850.__file__)), "pyiec61850_ng.libs")
LIBRARY = ctypes.CDLL(glob.glob(os.path.join(FOLDER, "libiec61850*.so*"))[0])

FC = {"ST": 0, "MX": 1, "SP": 2, "SV": 3, "CF": 4, "DC": 5, "SG": 6, "SE": 7}

RESULTS = {
    "FileDirectoryEntry_getFileName": c_char_p,
    "IedConnection_readBooleanValue": c_bool,
    "IedConnection_readFloatValue": c_float,
    "IedConnection_readQualityValue": c_uint16,
    "IedConnection_readUnsigned32Value": c_uint32,
    "IedConnection_getFile": c_uint32,
    "IedServer_getFloatAttributeValue": c_float,
    "IedServer_isRunning": c_bool,
    "LinkedList_size": c_int,
    "MmsJournalEntry_getOccurenceTime": c_void_p,
    "MmsJournalVariable_getTag": c_char_p,
    "MmsValue_getBinaryTimeAsUtcMs": c_uint64,
}


def call(name, *arguments):
    """Texts and pointers are what they are; numbers that are not `int` in C are given with their type."""
    function = getattr(LIBRARY, name)
    function.restype = RESULTS.get(name, c_void_p)
    return function(*[a.encode() if isinstance(a, str) else c_void_p(a) if isinstance(a, Pointer) else a for a in arguments])


class Pointer(int):
    pass


def pointer(name, *arguments):
    return Pointer(call(name, *arguments) or 0)


def listed(a_list):
    return [
        Pointer(call("LinkedList_getData", pointer("LinkedList_get", a_list, i)))
        for i in range(call("LinkedList_size", a_list))
    ]


def say(what, value):
    print(json.dumps([what, value]), flush=True)
