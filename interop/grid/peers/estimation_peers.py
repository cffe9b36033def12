"""Estimates the state of a case with other people's programs and says what came out and how long it took.

    estimation_peers.py FILE.m SECONDS [TOOL ...]      pandapower, power-grid-model, power-grid-model-linear

Reads from its input one JSON object: "voltage" per bus and "flows" [pFrom, qFrom, pTo, qTo] per branch, in pu and in the
order of the file, null where nothing is measured; "sigmaVoltage" and "sigmaPower"; "zero" per bus, whether it is known that
nothing is injected there. Prints one JSON object; voltages in the order of the buses of the file, pu and degrees. Every tool
gets all measurements that it can be given ("measurements" says how many), starts flat, and is as exact as it can be asked
to be. Times are milliseconds of the call that a user makes, many in a row, the first ones left out.
"""
import json
import sys

from grid_peers import MAX_ITERATIONS, measure, read  # first: it sets the number of threads

import numpy as np

TOLERANCE = 1e-8


def pandapower(case, index, seconds, given):
    import pandas as pd
    from pandapower.converter.pypower import from_ppc
    from pandapower.estimation import estimate

    net = from_ppc(
        {name: np.array(part) if name != "baseMVA" else part for name, part in case.items()}, validate_conversion=False
    )
    base = case["baseMVA"]
    order = case["bus"][:, 0].astype(int)
    rows = []

    def add(kind, element_type, element, value, sigma, side=None):
        rows.append((None, kind, element_type, element, value, sigma, side))

    for bus, value in zip(order, given["voltage"]):
        if value is not None:
            add("v", "bus", bus, value, given["sigmaVoltage"])
    lookup = net["_from_ppc_lookups"]["branch"]
    sigma = given["sigmaPower"] * base
    for k, flows in enumerate(given["flows"]):
        kind, element = lookup.element_type.iloc[k], lookup.element.iloc[k]
        if flows is None or kind not in ("line", "trafo"):
            continue
        ends = ("from", "to")
        if kind == "trafo":
            forward = net.trafo.hv_bus.at[element] == int(case["branch"][k, 0])
            ends = ("hv", "lv") if forward else ("lv", "hv")
        for (p, q), side in zip((flows[:2], flows[2:]), ends):
            add("p", kind, element, p * base, sigma, side)
            add("q", kind, element, q * base, sigma, side)
    for bus, nothing in zip(order, given["zero"]):
        # As good as a constraint to a program that knows weights only.
        if nothing:
            add("p", "bus", bus, 0.0, 1e-5 * base)
            add("q", "bus", bus, 0.0, 1e-5 * base)
    columns = ["name", "measurement_type", "element_type", "element", "value", "std_dev", "side"]
    table = pd.DataFrame(rows, columns=columns)
    net.measurement = table.astype({name: net.measurement[name].dtype for name in columns})

    def act():
        answer = estimate(
            net,
            algorithm="wls",
            init="flat",
            tolerance=TOLERANCE,
            maximum_iterations=MAX_ITERATIONS,
            zero_injection=None,
        )
        if not (answer["success"] if isinstance(answer, dict) else answer):
            raise RuntimeError("no estimate")

    whole = measure(seconds, act)
    result = net.res_bus_est.loc[order]
    return {"whole": whole, "measurements": len(table), "vm": result.vm_pu.tolist(), "va": result.va_degree.tolist()}


def power_grid_model(case, index, seconds, given, method):
    from power_grid_model import LoadGenType, MeasuredTerminalType, PowerGridModel, initialize_array

    bus, branch, base = case["bus"], case["branch"], case["baseMVA"]
    n, m = len(bus), len(branch)
    s, u = base * 1e6, 1e3
    z = u * u / s
    node = initialize_array("input", "node", n)
    node["id"], node["u_rated"] = np.arange(n), u
    line = initialize_array("input", "generic_branch", m)
    line["id"] = n + np.arange(m)
    line["from_node"] = [index[int(i)] for i in branch[:, 0]]
    line["to_node"] = [index[int(i)] for i in branch[:, 1]]
    line["from_status"] = line["to_status"] = branch[:, 10] > 0
    line["r1"], line["x1"] = branch[:, 2] * z, branch[:, 3] * z
    line["g1"], line["b1"] = 0, branch[:, 4] / z
    line["k"] = np.where(branch[:, 8] == 0, 1.0, branch[:, 8])
    line["theta"] = np.deg2rad(branch[:, 9])
    line["sn"] = s
    slack = [i for i in range(n) if bus[i, 1] == 3]
    source = initialize_array("input", "source", len(slack))
    source["id"], source["node"], source["status"] = n + m + np.arange(len(slack)), slack, 1
    source["u_ref"], source["u_ref_angle"], source["sk"] = 1.0, 0.0, 1e20
    first = n + m + len(slack)
    # Where something hangs that is not measured, something must hang: a bus with nothing is one without injection.
    loaded = [i for i in range(n) if not given["zero"][i] and i not in slack]
    load = initialize_array("input", "sym_load", len(loaded))
    load["id"], load["node"], load["status"] = first + np.arange(len(loaded)), loaded, 1
    load["type"], load["p_specified"], load["q_specified"] = LoadGenType.const_power, 0, 0
    first += len(loaded)
    shunts = np.flatnonzero((bus[:, 4] != 0) | (bus[:, 5] != 0))
    shunt = initialize_array("input", "shunt", len(shunts))
    shunt["id"], shunt["node"], shunt["status"] = first + np.arange(len(shunts)), shunts, 1
    shunt["g1"], shunt["b1"] = bus[shunts, 4] / base / z, bus[shunts, 5] / base / z
    first += len(shunts)
    seen = [i for i in range(n) if given["voltage"][i] is not None]
    voltage = initialize_array("input", "sym_voltage_sensor", len(seen))
    voltage["id"], voltage["measured_object"] = first + np.arange(len(seen)), seen
    voltage["u_measured"] = [given["voltage"][i] * u for i in seen]
    voltage["u_sigma"] = given["sigmaVoltage"] * u
    first += len(seen)
    live = [k for k in range(m) if given["flows"][k] is not None]
    power = initialize_array("input", "sym_power_sensor", 2 * len(live))
    power["id"] = first + np.arange(2 * len(live))
    power["measured_object"] = n + np.repeat(live, 2)
    power["measured_terminal_type"] = [MeasuredTerminalType.branch_from, MeasuredTerminalType.branch_to] * len(live)
    flows = np.array([given["flows"][k] for k in live]).reshape(-1, 2) * s
    power["p_measured"], power["q_measured"] = flows[:, 0], flows[:, 1]
    power["p_sigma"] = power["q_sigma"] = given["sigmaPower"] * s
    parts = {
        "node": node,
        "generic_branch": line,
        "source": source,
        "sym_load": load,
        "shunt": shunt,
        "sym_voltage_sensor": voltage,
        "sym_power_sensor": power,
    }
    model = PowerGridModel(parts)
    result = {}

    def act():
        result["node"] = model.calculate_state_estimation(
            symmetric=True,
            error_tolerance=TOLERANCE,
            max_iterations=100,
            calculation_method=method,
            output_component_types=["node"],
        )["node"]

    whole = measure(seconds, act)
    return {
        "whole": whole,
        "measurements": len(seen) + 4 * len(live),
        "vm": result["node"]["u_pu"].tolist(),
        "va": np.rad2deg(result["node"]["u_angle"]).tolist(),
    }


TOOLS = {
    "pandapower": pandapower,
    "power-grid-model": lambda *given: power_grid_model(*given, "newton_raphson"),
    "power-grid-model-linear": lambda *given: power_grid_model(*given, "iterative_linear"),
}


def main():
    path, seconds = sys.argv[1], float(sys.argv[2])
    given = json.load(sys.stdin)
    case, index = read(path)
    answer = {}
    for name in sys.argv[3:] or TOOLS:
        try:
            answer[name] = TOOLS[name](dict(case), index, seconds, given)
        except Exception as error:  # noqa: BLE001 - a tool that fails is a result
            answer[name] = {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
