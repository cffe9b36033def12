"""An IEC 61850 server of libiec61850 (through pyiec61850-ng): switches of each control model, a data set, report control
blocks of both kinds. On each line of its input it changes the value of SPCSO1; it ends with its input."""
import sys

import pyiec61850.pyiec61850 as iec

MODELS = [
    iec.CONTROL_MODEL_DIRECT_NORMAL,
    iec.CONTROL_MODEL_SBO_NORMAL,
    iec.CONTROL_MODEL_DIRECT_ENHANCED,
    iec.CONTROL_MODEL_SBO_ENHANCED,
    iec.CONTROL_MODEL_STATUS_ONLY,
]
model = iec.IedModel_create("IED")
device = iec.LogicalDevice_create("LD0", model)
lln0 = iec.LogicalNode_create("LLN0", device)
node = iec.LogicalNode_create("GGIO1", device)
objects = []
for number, control in enumerate(MODELS, 1):
    options = {
        iec.CONTROL_MODEL_STATUS_ONLY: 0,
        iec.CONTROL_MODEL_DIRECT_NORMAL: iec.CDC_CTL_MODEL_DIRECT_NORMAL,
        iec.CONTROL_MODEL_SBO_NORMAL: iec.CDC_CTL_MODEL_SBO_NORMAL,
        iec.CONTROL_MODEL_DIRECT_ENHANCED: iec.CDC_CTL_MODEL_DIRECT_ENHANCED,
        iec.CONTROL_MODEL_SBO_ENHANCED: iec.CDC_CTL_MODEL_SBO_ENHANCED,
    }[control]
    extra = 0 if control == iec.CONTROL_MODEL_STATUS_ONLY else iec.CDC_CTL_OPTION_ORIGIN | iec.CDC_CTL_OPTION_CTL_NUM
    objects.append(iec.CDC_SPC_create(f"SPCSO{number}", iec.toModelNode(node), 0, options | extra))
data_set = iec.DataSet_create("Switches", lln0)
for number in (1, 2):
    iec.DataSetEntry_create(data_set, f"GGIO1$ST$SPCSO{number}", -1, None)
triggers = iec.TRG_OPT_DATA_CHANGED | iec.TRG_OPT_QUALITY_CHANGED | iec.TRG_OPT_GI
fields = iec.RPT_OPT_SEQ_NUM | iec.RPT_OPT_TIME_STAMP | iec.RPT_OPT_REASON_FOR_INCLUSION | iec.RPT_OPT_ENTRY_ID
iec.ReportControlBlock_create("urcb01", lln0, "U", False, "Switches", 1, triggers, fields, 0, 0)
iec.ReportControlBlock_create("brcb01", lln0, "B", True, "Switches", 1, triggers, fields, 0, 0)

server = iec.IedServer_create(model)
iec.IedServer_setLocalIpAddress(server, "127.0.0.1")


class Control(iec.ControlHandlerForPython):
    def __init__(self, value):
        iec.ControlHandlerForPython.__init__(self)
        self.value = value

    def trigger(self):
        iec.IedServer_updateAttributeValue(server, self.value, self._libiec61850_mms_value)
        self._libiec61850_control_handler_result = iec.CONTROL_RESULT_OK


kept = []
for number, an_object in enumerate(objects, 1):
    value = iec.toDataAttribute(iec.ModelNode_getChild(iec.toModelNode(an_object), "stVal"))
    if MODELS[number - 1] != iec.CONTROL_MODEL_STATUS_ONLY:
        handler = Control(value)
        subscriber = iec.ControlSubscriberForPython()
        subscriber.setIedServer(server)
        subscriber.setControlObject(an_object)
        subscriber.setControlHandler(handler)
        subscriber.subscribe()
        kept += [handler, subscriber]

iec.IedServer_start(server, int(sys.argv[1]))
print("ready" if iec.IedServer_isRunning(server) else "failed", flush=True)
first = iec.toDataAttribute(iec.ModelNode_getChild(iec.toModelNode(objects[0]), "stVal"))
state = False
for _ in sys.stdin:
    state = not state
    iec.IedServer_updateBooleanAttributeValue(server, first, state)
    print("changed", flush=True)
iec.IedServer_stop(server)
