"""A client of libiec61850 for our server with setting groups, a log, substitution and files: what it finds, one line each, as
JSON. Arguments: port, and a folder with `brought.cfg`, which it brings."""
import sys

from libiec61850 import FC, Pointer, c_bool, c_float, c_int, c_uint8, c_uint32, c_uint64, c_void_p, call, ctypes, listed, pointer, say

LD = "PROT1LD"
SGCB = f"{LD}/LLN0.SGCB"
SETTING = f"{LD}/PTOC1.StrVal.setMag.f"
IND = f"{LD}/GGIO1.Ind1"
error = c_int(0)
connection = pointer("IedConnection_create")


def ask(name, *arguments):
    value = call(name, connection, ctypes.byref(error), *arguments)
    return [value, error.value]


def done(name, *arguments):
    return ask(name, *arguments)[1]


def read(kind, reference, fc):
    value, problem = ask(f"IedConnection_read{kind}Value", reference, FC[fc])
    return value if problem == 0 else f"error {problem}"


def write(kind, reference, fc, value):
    return done(f"IedConnection_write{kind}Value", reference, FC[fc], value)


say("connect", done("IedConnection_connect", "127.0.0.1", int(sys.argv[1])))

say("groups", [read("Unsigned32", f"{SGCB}.{part}", "SP") for part in ("NumOfSG", "ActSG", "EditSG", "ResvTms")])
say("active", read("Float", SETTING, "SG"))
say("not edited", read("Float", SETTING, "SE"))
say("edit", write("Unsigned32", f"{SGCB}.EditSG", "SP", c_uint32(1)))
say("edited", read("Float", SETTING, "SE"))
say("set", write("Float", SETTING, "SE", c_float(123)))
say("out of bounds", write("Float", SETTING, "SE", c_float(5000)))
say("confirm", write("Boolean", f"{SGCB}.CnfEdit", "SP", c_bool(True)))
say("activate", write("Unsigned32", f"{SGCB}.ActSG", "SP", c_uint32(1)))
say("active", read("Float", SETTING, "SG"))

say("subVal", write("Boolean", f"{IND}.subVal", "SV", c_bool(True)))
say("subEna", write("Boolean", f"{IND}.subEna", "SV", c_bool(True)))
say("substituted", [read("Boolean", f"{IND}.stVal", "ST"), read("Quality", f"{IND}.q", "ST")])
say("ended", write("Boolean", f"{IND}.subEna", "SV", c_bool(False)))
say("process", [read("Boolean", f"{IND}.stVal", "ST"), read("Quality", f"{IND}.q", "ST")])


def entries(a_list):
    found = []
    for entry in listed(Pointer(a_list)):
        variables = listed(pointer("MmsJournalEntry_getJournalVariables", entry))
        tags = [call("MmsJournalVariable_getTag", variable).decode() for variable in variables]
        found.append([call("MmsValue_getBinaryTimeAsUtcMs", pointer("MmsJournalEntry_getOccurenceTime", entry)), tags])
    return found


more = c_bool(True)
everything, problem = ask("IedConnection_queryLogByTime", f"{LD}/LLN0$EventLog", c_uint64(0), c_uint64(4102444800000), ctypes.byref(more))
say("log", [problem, more.value, [tags for _, tags in entries(everything)]])
first = listed(Pointer(everything))[0]
after, problem = ask(
    "IedConnection_queryLogAfter",
    f"{LD}/LLN0$EventLog",
    pointer("MmsJournalEntry_getEntryID", first),
    c_uint64(entries(everything)[0][0]),
    ctypes.byref(more),
)
say("log after the first", [problem, more.value, len(listed(Pointer(after)))])


def directory(name):
    found, problem = ask("IedConnection_getFileDirectory", name)
    names = [call("FileDirectoryEntry_getFileName", entry).decode() for entry in listed(Pointer(found or 0))] if found else []
    return [problem, names]


octets = bytearray()


@ctypes.CFUNCTYPE(c_bool, c_void_p, ctypes.POINTER(c_uint8), c_uint32)
def taken(_, buffer, count):
    octets.extend(buffer[0:count])
    return True


say("files", directory(""))
say("folder", directory("COMTRADE"))
size, problem = ask("IedConnection_getFile", "COMTRADE/F1.dat", taken, None)
say("fetched", [problem, size, len(octets), sum(octets)])
say("outside", [ask("IedConnection_getFile", "../secret", taken, None)[1], directory("..")[0]])
mms = pointer("IedConnection_getMmsConnection", connection)
call("MmsConnection_fileRename", mms, ctypes.byref(error), "old.txt", "older.txt")
say("renamed", error.value)
say("deleted", done("IedConnection_deleteFile", "older.txt"))
call("IedConnection_setFilestoreBasepath", connection, sys.argv[2] + "/")
say("brought", done("IedConnection_setFile", "brought.cfg", "COMTRADE/brought.cfg"))
call("IedConnection_close", connection)
