"""A server of libiec61850 with setting groups, files, a log (kept by this program: the library only has the interface) and a
value that can be substituted. Arguments: port, folder of its files. Orders on its input: `change`; it ends with its input."""
import sys

from libiec61850 import FC, c_bool, c_char_p, c_int, c_uint8, c_uint32, c_uint64, c_void_p, call, ctypes, pointer

CONSTRUCTED, FLOAT32 = 27, 10
DATA_CHANGED = 1

model = pointer("IedModel_create", "IED")
device = pointer("LogicalDevice_create", "LD0", model)
lln0 = pointer("LogicalNode_create", "LLN0", device)
ggio = pointer("LogicalNode_create", "GGIO1", device)
ind = pointer("CDC_SPS_create", "Ind1", ggio, c_uint32(0))
ptoc = pointer("LogicalNode_create", "PTOC1", device)
start = pointer("DataObject_create", "StrVal", ptoc, c_int(0))


def attribute(name, parent, kind, fc):
    return pointer("DataAttribute_create", name, parent, c_int(kind), c_int(FC[fc]), c_uint8(0), c_int(0), c_uint32(0))


active = attribute("f", attribute("setMag", start, CONSTRUCTED, "SG"), FLOAT32, "SG")
edited = attribute("f", attribute("setMag", start, CONSTRUCTED, "SE"), FLOAT32, "SE")
sgcb = pointer("SettingGroupControlBlock_create", lln0, c_uint8(1), c_uint8(3))
data_set = pointer("DataSet_create", "Events", lln0)
pointer("DataSetEntry_create", data_set, "GGIO1$ST$Ind1$stVal", c_int(-1), None)
pointer("Log_create", "EventLog", lln0)
pointer("LogControlBlock_create", "events", lln0, "Events", "LD0/LLN0$EventLog", c_uint8(DATA_CHANGED), c_uint32(0), c_bool(True), c_bool(True))

config = pointer("IedServerConfig_create")
call("IedServerConfig_setFileServiceBasePath", config, sys.argv[2] + "/")
call("IedServerConfig_enableFileService", config, c_bool(True))
call("IedServerConfig_enableLogService", config, c_bool(True))
call("IedServerConfig_enableEditSG", config, c_bool(True))
server = pointer("IedServer_createWithConfig", model, None, config)
call("IedServer_setLocalIpAddress", server, "127.0.0.1")

groups = {1: 10.0, 2: 20.0, 3: 30.0}


def show(variable, value):
    call("IedServer_updateFloatAttributeValue", server, variable, ctypes.c_float(value))


@ctypes.CFUNCTYPE(c_bool, c_void_p, c_void_p, c_uint8, c_void_p)
def activated(_parameter, _block, group, _connection):
    show(active, groups[group])
    return True


@ctypes.CFUNCTYPE(c_bool, c_void_p, c_void_p, c_uint8, c_void_p)
def editing(_parameter, _block, group, _connection):
    if group in groups:
        show(edited, groups[group])
    return True


@ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_uint8)
def confirmed(_parameter, _block, group):
    groups[group] = call("IedServer_getFloatAttributeValue", server, edited)


show(active, groups[1])
call("IedServer_setActiveSettingGroupChangedHandler", server, sgcb, activated, None)
call("IedServer_setEditSettingGroupChangedHandler", server, sgcb, editing, None)
call("IedServer_setEditSettingGroupConfirmationHandler", server, sgcb, confirmed, None)

# A log storage as `logging_api.h` describes it.
log = []  # [id, time, [(reference, octets, reason)]]
EntryCallback = ctypes.CFUNCTYPE(c_bool, c_void_p, c_uint64, c_uint64, c_bool)
DataCallback = ctypes.CFUNCTYPE(c_bool, c_void_p, c_char_p, c_void_p, c_int, c_uint8, c_bool)
AddEntry = ctypes.CFUNCTYPE(c_uint64, c_void_p, c_uint64)
AddData = ctypes.CFUNCTYPE(c_bool, c_void_p, c_uint64, c_char_p, ctypes.POINTER(c_uint8), c_int, c_uint8)
GetEntries = ctypes.CFUNCTYPE(c_bool, c_void_p, c_uint64, c_uint64, EntryCallback, DataCallback, c_void_p)
Marks = ctypes.CFUNCTYPE(c_bool, c_void_p, *[ctypes.POINTER(c_uint64)] * 4)
Destroy = ctypes.CFUNCTYPE(None, c_void_p)


class Storage(ctypes.Structure):
    _fields_ = [
        ("instanceData", c_void_p),
        ("maxLogEntries", c_int),
        ("addEntry", AddEntry),
        ("addEntryData", AddData),
        ("getEntries", GetEntries),
        ("getEntriesAfter", GetEntries),
        ("getOldestAndNewestEntries", Marks),
        ("destroy", Destroy),
    ]


@AddEntry
def add_entry(_storage, time):
    log.append([len(log) + 1, time, []])
    return len(log)


@AddData
def add_data(_storage, entry, reference, octets, size, reason):
    log[entry - 1][2].append((reference, bytes(octets[0:size]), reason))
    return True


def tell(entries, entry_callback, data_callback, parameter):
    for entry, time, data in entries:
        if not entry_callback(parameter, time, entry, True):
            return True
        for reference, octets, reason in data:
            buffer = ctypes.create_string_buffer(octets, len(octets))
            data_callback(parameter, reference, ctypes.addressof(buffer), len(octets), reason, True)
        data_callback(parameter, None, None, 0, 0, False)
    entry_callback(parameter, 0, 0, False)
    return True


@GetEntries
def between(_storage, begin, end, entry_callback, data_callback, parameter):
    return tell([entry for entry in log if begin <= entry[1] <= end], entry_callback, data_callback, parameter)


@GetEntries
def behind(_storage, _time, last, entry_callback, data_callback, parameter):
    return tell([entry for entry in log if entry[0] > last], entry_callback, data_callback, parameter)


@Marks
def marks(_storage, newest, newest_time, oldest, oldest_time):
    for target, value in ((newest, log and log[-1][0]), (newest_time, log and log[-1][1]), (oldest, log and log[0][0]), (oldest_time, log and log[0][1])):
        target[0] = value or 0
    return bool(log)


@Destroy
def destroy(_storage):
    pass


storage = Storage(None, 1000, add_entry, add_data, between, behind, marks, destroy)
call("IedServer_setLogStorage", server, "LD0/LLN0$EventLog", ctypes.byref(storage))

call("IedServer_start", server, c_int(int(sys.argv[1])))
print("ready" if call("IedServer_isRunning", server) else "failed", flush=True)
value = pointer("ModelNode_getChild", ind, "stVal")
state = False
for _ in sys.stdin:
    state = not state
    call("IedServer_updateBooleanAttributeValue", server, value, c_bool(state))
    print("changed", flush=True)
call("IedServer_stop", server)
