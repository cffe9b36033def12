"""A client of libiec61850 (through pyiec61850-ng) for our server of the sample: what it finds, one line each, as JSON."""
import json
import sys
import threading
import time

import pyiec61850.pyiec61850 as iec


def say(what, value):
    print(json.dumps([what, value]), flush=True)


class Listener(iec.RCBHandler):
    def __init__(self):
        iec.RCBHandler.__init__(self)
        self.heard = threading.Event()

    def trigger(self):
        report = self._client_report
        values = iec.ClientReport_getDataSetValues(report)
        reasons = [iec.ClientReport_getReasonForInclusion(report, i) for i in range(iec.MmsValue_getArraySize(values))]
        say("report", [iec.ClientReport_getRptId(report), reasons])
        self.heard.set()


connection = iec.IedConnection_create()
_, error = iec.IedConnection_connect(connection, "127.0.0.1", int(sys.argv[1]))
say("connect", error)
devices, error = iec.IedConnection_getLogicalDeviceList(connection)
say("devices", [iec.toCharP(iec.LinkedList_getData(iec.LinkedList_get(devices, i))) for i in range(iec.LinkedList_size(devices))])
value, error = iec.IedConnection_readFloatValue(connection, "BCU1CTRL/MMXU1.TotW.mag.f", iec.IEC61850_FC_MX)
say("float", [value, error])
names, error = iec.IedConnection_getDataSetDirectory(connection, "BCU1CTRL/LLN0.Switches", None)
say("data set", [error, [iec.toCharP(iec.LinkedList_getData(iec.LinkedList_get(names, i))) for i in range(iec.LinkedList_size(names))]])
error = iec.IedConnection_writeUnsigned32Value(connection, "BCU1CTRL/MMXU1.TotW.db", iec.IEC61850_FC_CF, 77)
say("write", error)

kept = []  # the binding frees what nobody holds, subscriptions under way included
for reference, options in (("BCU1CTRL/LLN0.RP.urcb01", iec.RCB_ELEMENT_RESV), ("BCU1CTRL/LLN0.BR.brcb", 0)):
    block = iec.ClientReportControlBlock_create(reference)
    _, error = iec.IedConnection_getRCBValues(connection, reference, block)
    say("block", [reference, error, iec.ClientReportControlBlock_getDataSetReference(block), iec.ClientReportControlBlock_getConfRev(block)])
    listener = Listener()
    subscriber = iec.RCBSubscriber()
    subscriber.setIedConnection(connection)
    subscriber.setRcbReference(reference)
    subscriber.setRcbRptId(iec.ClientReportControlBlock_getRptId(block))
    subscriber.setEventHandler(listener)
    subscriber.subscribe()
    kept += [block, listener, subscriber]
    iec.ClientReportControlBlock_setTrgOps(block, iec.TRG_OPT_DATA_CHANGED | iec.TRG_OPT_GI)
    iec.ClientReportControlBlock_setRptEna(block, True)
    elements = iec.RCB_ELEMENT_TRG_OPS | iec.RCB_ELEMENT_RPT_ENA
    if options:
        iec.ClientReportControlBlock_setResv(block, True)
        elements |= options
    error = iec.IedConnection_setRCBValues(connection, block, elements, True)
    say("enable", error)
    iec.ClientReportControlBlock_setGI(block, True)
    error = iec.IedConnection_setRCBValues(connection, block, iec.RCB_ELEMENT_GI, True)
    say("interrogate", error)
    listener.heard.wait(60)
    # A report that comes while this thread waits for an answer locks the binding up: both want the interpreter.
    iec.ClientReportControlBlock_setRptEna(block, False)
    error = iec.IedConnection_setRCBValues(connection, block, iec.RCB_ELEMENT_RPT_ENA, True)
    say("disable", error)

for number in (1, 2, 3, 4):
    control = iec.ControlObjectClient_create(f"BCU1CTRL/GGIO1.SPCSO{number}", connection)
    on = iec.MmsValue_newBoolean(True)
    model = iec.ControlObjectClient_getControlModel(control)
    selected = None
    if model == iec.CONTROL_MODEL_SBO_NORMAL:
        selected = iec.ControlObjectClient_select(control)
    elif model == iec.CONTROL_MODEL_SBO_ENHANCED:
        selected = iec.ControlObjectClient_selectWithValue(control, on)
    say("operate", [number, model, selected, iec.ControlObjectClient_operate(control, on, 0)])
    time.sleep(0.1)

control = iec.ControlObjectClient_create("BCU1CTRL/GGIO1.SPCSO3", connection)
iec.ControlObjectClient_setInterlockCheck(control, True)
off = iec.MmsValue_newBoolean(False)
refused = iec.ControlObjectClient_operate(control, off, 0)
say("refused", [refused, iec.ControlObjectClient_getLastApplError(control).addCause])
iec.IedConnection_close(connection)
