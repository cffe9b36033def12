"""A client of open61850 (pure Python) under the orders of a test."""
from orders import serve, tell

from open61850.data import BoolData, FloatData, IntData, RawData, StructureData, UIntData
from open61850.mms import MmsClient, ObjectName, discover
from open61850.mms.association import AssociationParameters
from open61850.mms.control import ControlError, cancel_value, control_object_name, operate, oper_value
from open61850.mms.errors import DataAccessError
from open61850.mms.model import compare
from open61850.mms.rcb import RcbSettings, disable, enable, read_status
from open61850.mms.report import OptFlds, TrgOps, decode_report, is_report
from open61850.mms.sgcb import confirm_edit_sg_values, read_sgcb, select_active_sg, select_edit_sg
from open61850.scl import load_model

client = None
KINDS = {"bool": BoolData, "int": IntData, "unsigned": UIntData, "float": FloatData}
FIELDS = OptFlds(
    sequence_number=True, report_time_stamp=True, reason_for_inclusion=True, data_set_name=True,
    buffer_overflow=True, entry_id=True, conf_revision=True,
)


def plain(data):
    if isinstance(data, DataAccessError):
        return {"failure": data.code}
    if isinstance(data, StructureData):
        return [plain(member) for member in data.members]
    value = getattr(data, "value", None)
    return value if isinstance(value, (bool, int, float, str, bytes)) else str(data)


def on_report(message):
    if not is_report(message):
        return
    report = decode_report(message)
    tell(
        event="report", rptId=report.rpt_id, seqNum=report.seq_num, dataSet=report.data_set, bufOvfl=report.buf_ovfl,
        entryId=report.entry_id, confRev=report.conf_rev,
        members=[
            [entry.index, plain(entry.value), [name for name, on in vars(entry.reason).items() if on] if entry.reason else []]
            for entry in report.entries
        ],
    )


def connect(port):
    global client
    client = MmsClient.connect("127.0.0.1", port, timeout=10, on_information_report=on_report)


def differences(scd, ied):
    """What its own reading of the file and its browsing of the server do not have in common."""
    return compare(load_model(scd, ied), discover(client, types=True))


def enable_block(block, entry_id, interrogate):
    domain, item = block.split("/")
    enable(client, ObjectName(item, domain), RcbSettings(
        trg_ops=TrgOps(data_change=True, quality_change=True, general_interrogation=True), opt_flds=FIELDS,
        intg_pd_ms=None, resv_tms=None, entry_id=bytes.fromhex(entry_id) if entry_id else None,
        general_interrogation=interrogate,
    ))


def disable_block(block):
    domain, item = block.split("/")
    disable(client, ObjectName(item, domain))


def run(reference, value):
    try:
        result = operate(client, reference, value)
        return {"ok": True, "model": result.ctl_model, "terminated": result.terminated}
    except ControlError as error:
        last = error.last_appl_error
        return {"ok": False, "stage": error.stage, "addCause": last.add_cause if last else None, "object": last.control_object if last else None}


def part(reference, name):
    target = control_object_name(reference)
    return ObjectName(f"{target.item}${name}", target.domain)


serve({
    "connect": connect,
    "close": lambda: client.close(),
    "differences": differences,
    "devices": lambda: client.get_name_list(9),
    "read": lambda reference, fc: plain(client.read(f"{reference}[{fc}]")),
    "readMany": lambda names: [plain(value) for value in client.read_many([f"{reference}[{fc}]" for reference, fc in names])],
    "write": lambda reference, fc, kind, value: client.write(f"{reference}[{fc}]", KINDS[kind](value)),
    "members": lambda name: [str(member) for member in client.get_data_set_members(name)],
    "status": lambda block: read_status(client, ObjectName(*reversed(block.split("/")))).describe(),
    "enable": enable_block,
    "disable": disable_block,
    "operate": run,
    "select": lambda reference, value: client.write(part(reference, "SBOw"), oper_value(value, ctl_num=7)),
    "cancel": lambda reference, value: client.write(part(reference, "Cancel"), cancel_value(value, ctl_num=7)),
    "groups": lambda device: vars(read_sgcb(client, device)) | {"l_act_tm": None},
    "activate": lambda device, group: select_active_sg(client, device, group),
    "edit": lambda device, group: select_edit_sg(client, device, group),
    "confirm": lambda device: confirm_edit_sg_values(client, device),
})
