"""A client of iec61850-rust (the wheel `iec61850`) under the orders of a test."""
import asyncio
import sys

from orders import tell

import json

import iec61850 as iec

connection = None
handles = {}


def plain(value):
    if isinstance(value, iec.DataAccessFailure):
        return {"failure": value.code}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value if isinstance(value, (bool, int, float, str, bytes)) else str(value)


async def connect(port):
    global connection
    connection = await iec.IedConnection.connect(f"127.0.0.1:{port}")


async def names(device):
    model = await connection.get_device_model()
    return next(each["variables"] for each in model["logical_devices"] if each["name"] == device)


async def write(reference, fc, kind, value):
    await getattr(connection, f"write_{kind}")(reference, iec.FC(fc), value)


def on_report(report):
    tell(
        event="report", rptId=report.rpt_id, seqNum=report.sequence_number, dataSet=report.dataset_name,
        bufOvfl=report.buffer_overflow, entryId=report.entry_id, confRev=report.conf_rev,
        members=[
            [plain(entry.value), [name for name in entry.reason.__slots__ if getattr(entry.reason, name)] if entry.reason else []]
            for entry in report.entries
        ],
    )


async def enable(block, entry_id, interrogate):
    handle = await connection.get_rcb_values(block)
    handles[block] = handle
    handle.trigger_options = iec.TriggerOptions(data_change=True, quality_change=True, general_interrogation=True)
    handle.opt_flds = iec.ReportOptFlds(
        sequence_number=True, report_timestamp=True, reason_for_inclusion=True, dataset_name=True,
        buffer_overflow=True, entry_id=True, conf_rev=True,
    )
    fields = ["trigger_options", "opt_flds"]
    if not handle.is_buffered:
        handle.resv = True
        fields.append("resv")
    if entry_id:
        handle.entry_id = bytes.fromhex(entry_id)
        fields.append("entry_id")
    # Where a block has no identifier of its own its reports carry its reference.
    await connection.install_report_handler(block, on_report, rpt_id=handle.rpt_id or None)
    await connection.set_rcb_values(handle, iec.RcbWriteMask.fields(*fields))
    handle.rpt_ena = True
    await connection.set_rcb_values(handle, iec.RcbWriteMask.fields("rpt_ena"))
    if interrogate:
        await connection.trigger_gi(block)


async def disable(block):
    handle = handles.pop(block)
    handle.rpt_ena = False
    await connection.set_rcb_values(handle, iec.RcbWriteMask.fields("rpt_ena"))


controls = {}


async def control(reference):
    if reference not in controls:
        number = await connection.read_int32(f"{reference}.ctlModel", iec.FC.CF)
        models = ["status-only", "direct-normal", "sbo-normal", "direct-enhanced", "sbo-enhanced"]
        controls[reference] = connection.create_control_object(reference, iec.ControlModel(models[number]))
    return controls[reference]


def outcome(step, result):
    return {"ok": result.success, "step": step, "addCause": result.add_cause}


async def operate(reference, value):
    handle = await control(reference)
    if handle.ctl_model == iec.ControlModel.SBO_NORMAL and not await handle.select():
        return {"ok": False, "step": "select", "addCause": None}
    if handle.ctl_model == iec.ControlModel.SBO_ENHANCED:
        selected = await handle.select_with_value(value)
        if not selected.success:
            return outcome("select", selected)
    return outcome("operate", await handle.operate(value))


async def select(reference, value):
    return outcome("select", await (await control(reference)).select_with_value(value))


async def cancel(reference, value):
    return outcome("cancel", await (await control(reference)).cancel(value))


async def members(reference):
    return [[member.object_ref, member.fc] for member in (await connection.get_data_set_directory(reference)).members]


async def read_many(names):
    return plain(await connection.read_multiple([(reference, iec.FC(fc)) for reference, fc in names], strict=False))


async def specification(reference, fc):
    return await connection.get_variable_specification(reference, iec.FC(fc))


async def values(reference):
    return plain(await connection.get_data_set_values(reference, strict=False))


async def read(reference, fc):
    return plain(await connection.read(reference, iec.FC(fc)))


async def create(reference, names):
    await connection.create_data_set(reference, [iec.DataSetMember(object_ref=name, fc=iec.FC(fc)) for name, fc in names])


async def devices():
    return await connection.get_server_directory()


async def delete(reference):
    return await connection.delete_data_set(reference)


async def close():
    await connection.disconnect()


METHODS = {
    name: globals()[name]
    for name in ("connect close devices names read write members values create delete specification enable disable operate select cancel").split()
} | {"readMany": read_many}


async def main():
    tell(event="ready")
    loop = asyncio.get_running_loop()

    async def poll():
        while True:
            if connection is None or not handles:
                await asyncio.sleep(0.01)
                continue
            try:
                await connection.poll_reports(20)
            except iec.IedError:
                await asyncio.sleep(0.01)

    polling = asyncio.create_task(poll())
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        try:
            tell(event="answer", id=order["id"], value=await METHODS[order["call"]](*order["args"]))
        except Exception as error:  # noqa: BLE001
            tell(event="answer", id=order["id"], error=f"{type(error).__name__}: {error}")
    polling.cancel()


asyncio.run(main())
