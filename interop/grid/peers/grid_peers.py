"""Solves grids with other people's power flows and says what came out and how long it took.

    grid_peers.py versions
    grid_peers.py case FILE.m SECONDS [TOOL ...]      pandapower, pypowsybl, lightsim2grid, power-grid-model
    grid_peers.py radial FILE.json SECONDS            power-grid-model: FILE.json is {"input": its own JSON input, "scenarios": ...}

Prints one JSON object. Voltages come back in the order of the buses of the file, per unit and degrees, null without one.
Every tool gets the case of the file itself, with the tolerance 1e-8 pu, without reactive limits, one reference. Times are
milliseconds of one solution, many in a row, the first ones left out: "whole" of the call a user makes, "solver" of what is
inside it as far as the tool tells or lets itself be called. Needs numpy, scipy, matpowercaseframes and the tools.
"""
import importlib.metadata
import json
import logging
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np  # noqa: E402

TOLERANCE = 1e-8
MAX_ITERATIONS = 30


def read(path):
    """The matrices of the case, and the index of each bus."""
    from matpowercaseframes import CaseFrames

    frames = CaseFrames(path)
    bus = frames.bus.to_numpy(dtype=float)
    branch = frames.branch.to_numpy(dtype=float)
    gen = frames.gen.to_numpy(dtype=float)
    index = {int(number): i for i, number in enumerate(bus[:, 0])}
    return {"baseMVA": float(frames.baseMVA), "bus": bus, "branch": branch, "gen": gen}, index


def measure(seconds, act):
    """Milliseconds of a call: of the clock (median and best), and of the processor on average."""
    for _ in range(2):
        act()
    times = []
    processor = time.process_time()
    begin = time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - begin < seconds and len(times) < 2000):
        start = time.perf_counter()
        act()
        times.append((time.perf_counter() - start) * 1000)
    processor = (time.process_time() - processor) * 1000 / len(times)
    times.sort()
    return {"median": times[len(times) // 2], "best": times[0], "cpu": processor, "calls": len(times)}


def tables(case, index):
    """Admittance matrix, injections, types and start of the case, as MATPOWER means them."""
    from scipy.sparse import csc_matrix

    bus, branch, gen, base = case["bus"], case["branch"], case["gen"], case["baseMVA"]
    n = len(bus)
    live = branch[branch[:, 10] > 0]
    f = np.array([index[int(i)] for i in live[:, 0]])
    t = np.array([index[int(i)] for i in live[:, 1]])
    ratio = np.where(live[:, 8] == 0, 1.0, live[:, 8]) * np.exp(1j * np.deg2rad(live[:, 9]))
    y = 1 / (live[:, 2] + 1j * live[:, 3])
    tt = y + 0.5j * live[:, 4]
    ff = tt / (ratio * np.conj(ratio))
    every = np.arange(n)
    shunt = (bus[:, 4] + 1j * bus[:, 5]) / base
    rows = np.concatenate([f, f, t, t, every])
    columns = np.concatenate([f, t, f, t, every])
    admittance = csc_matrix(
        (np.concatenate([ff, -y / np.conj(ratio), -y / ratio, tt, shunt]), (rows, columns)), shape=(n, n)
    )
    power = -(bus[:, 2] + 1j * bus[:, 3]) / base
    voltage = bus[:, 7] * np.exp(1j * np.deg2rad(bus[:, 8]))
    held = set()
    for row in gen[gen[:, 7] > 0]:
        i = index[int(row[0])]
        power[i] += (row[1] + 1j * row[2]) / base
        if bus[i, 1] in (2, 3):
            voltage[i] = row[5] * np.exp(1j * np.deg2rad(bus[i, 8]))
            held.add(i)
    slack = np.array([i for i in range(n) if bus[i, 1] == 3])
    pv = np.array([i for i in range(n) if bus[i, 1] == 2 and i in held], dtype=int)
    pq = np.array([i for i in range(n) if bus[i, 1] == 1 or (bus[i, 1] == 2 and i not in held)], dtype=int)
    return admittance, power, voltage, slack, pv, pq


def polar(voltage):
    return {"vm": np.abs(voltage).tolist(), "va": np.rad2deg(np.angle(voltage)).tolist()}


def lightsim2grid(case, index, seconds):
    """Its Newton with KLU on the admittance matrix: the symbolic analysis is kept from call to call."""
    from lightsim2grid.solver import KLUSolverSingleSlack

    admittance, power, voltage, slack, pv, pq = tables(case, index)
    weights = np.zeros(len(voltage))
    weights[slack] = 1 / len(slack)
    solver = KLUSolverSingleSlack()

    def act():
        if not solver.solve(admittance, voltage, power, slack, weights, pv, pq, MAX_ITERATIONS, TOLERANCE):
            raise RuntimeError(f"no solution: {solver.get_error()}")

    times = measure(seconds, act)
    return {"solver": times, "iterations": int(solver.get_nb_iter()), **polar(solver.get_V())}


def pandapower(case, index, seconds):
    import pandapower as pp
    from pandapower.converter.pypower import from_ppc

    net = from_ppc({name: np.array(part) if name != "baseMVA" else part for name, part in case.items()}, validate_conversion=False)
    bus = case["bus"]
    order = bus[:, 0].astype(int)
    vm, va = bus[:, 7].copy(), bus[:, 8].copy()
    inner = []

    def act():
        pp.runpp(
            net,
            algorithm="nr",
            init="auto",
            init_vm_pu=vm,
            init_va_degree=va,
            calculate_voltage_angles=True,
            tolerance_mva=TOLERANCE * case["baseMVA"],
            max_iteration=MAX_ITERATIONS,
            trafo_model="pi",
            numba=True,
            lightsim2grid=False,
            check_connectivity=False,
        )
        inner.append(net._ppc["et"] * 1000)

    whole = measure(seconds, act)
    inner.sort()
    result = net.res_bus.loc[order]
    nothing = lambda column: [None if np.isnan(x) else float(x) for x in column]  # noqa: E731
    return {
        "whole": whole,
        "solver": {"median": inner[len(inner) // 2], "best": inner[0], "cpu": None, "calls": len(inner)},
        "iterations": int(net._ppc["iterations"]),
        "vm": nothing(result.vm_pu),
        "va": nothing(result.va_degree),
    }


def pypowsybl(case, index, seconds):
    import tempfile

    import pypowsybl.loadflow as lf
    import pypowsybl.network as pn
    from scipy.io import savemat

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "case.mat")
        parts = {"version": "2", "baseMVA": case["baseMVA"], "bus": case["bus"], "gen": case["gen"], "branch": case["branch"]}
        savemat(path, {"mpc": parts})
        network = pn.load(path, {"matpower.import.ignore-base-voltage": "true"})
    slack = int(case["bus"][case["bus"][:, 1] == 3][0, 0])
    slack_bus = network.get_bus_breaker_view_buses().loc[f"BUS-{slack}"].bus_id
    parameters = lf.Parameters(
        voltage_init_mode=lf.VoltageInitMode.DC_VALUES,
        transformer_voltage_control_on=False,
        use_reactive_limits=False,
        phase_shifter_regulation_on=False,
        shunt_compensator_voltage_control_on=False,
        distributed_slack=False,
        read_slack_bus=False,
        component_mode=lf.ComponentMode.ALL_CONNECTED,
        provider_parameters={
            "newtonRaphsonConvEpsPerEq": str(TOLERANCE),
            "maxNewtonRaphsonIterations": str(MAX_ITERATIONS),
            "slackBusPMaxMismatch": "1e9",
            "slackBusSelectionMode": "NAME",
            "slackBusesIds": slack_bus,
            "plausibleActivePowerLimit": "1e9",
            "minPlausibleTargetVoltage": "0.1",
            "maxPlausibleTargetVoltage": "3",
            "minRealisticVoltage": "0.1",
            "maxRealisticVoltage": "3",
            "lowImpedanceBranchMode": "REPLACE_BY_MIN_IMPEDANCE_LINE",
            "lowImpedanceThreshold": "1e-12",
        },
    )
    status = []

    def act():
        results = lf.run_ac(network, parameters)
        if results[0].status != lf.ComponentStatus.CONVERGED:
            raise RuntimeError(f"no solution: {results[0].status_text or results[0].status}")
        status.append(results[0].iteration_count)

    whole = measure(seconds, act)
    buses = network.get_bus_breaker_view_buses()
    nominal = network.get_voltage_levels().loc[buses.voltage_level_id].nominal_v.to_numpy()
    vm = [None] * len(case["bus"])
    va = [None] * len(case["bus"])
    for name, v, kv, angle in zip(buses.index, buses.v_mag, nominal, buses.v_angle):
        i = index.get(int(name.removeprefix("BUS-")))
        if i is not None and not np.isnan(v):
            vm[i], va[i] = float(v / kv), float(angle)
    return {"whole": whole, "iterations": int(status[-1]), "vm": vm, "va": va}


def pgm_case(case, index, seconds):
    """Buses that hold a voltage are none of its concepts: they become loads with the reactive power that is given."""
    from power_grid_model import CalculationMethod, PowerGridModel, initialize_array

    bus, branch, gen, base = case["bus"], case["branch"], case["gen"], case["baseMVA"]
    reactive = case["reactive"]
    admittance, power, voltage, slack, pv, pq = tables(case, index)
    n, m = len(bus), len(branch)
    kv = 1.0
    s = base * 1e6
    node = initialize_array("input", "node", n)
    node["id"], node["u_rated"] = np.arange(n), kv * 1e3
    z = (kv * 1e3) ** 2 / s
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
    load = initialize_array("input", "sym_load", n)
    load["id"], load["node"], load["status"], load["type"] = n + m + np.arange(n), np.arange(n), 1, 0
    load["p_specified"] = -power.real * s
    load["q_specified"] = -power.imag * s
    load["q_specified"][pv] = -np.array(reactive)[pv] * s
    load["status"][slack] = 0
    shunts = np.flatnonzero((bus[:, 4] != 0) | (bus[:, 5] != 0))
    shunt = initialize_array("input", "shunt", len(shunts))
    shunt["id"], shunt["node"], shunt["status"] = 2 * n + m + np.arange(len(shunts)), shunts, 1
    shunt["g1"], shunt["b1"] = bus[shunts, 4] / base / z, bus[shunts, 5] / base / z
    source = initialize_array("input", "source", len(slack))
    source["id"], source["node"], source["status"] = 3 * n + m + np.arange(len(slack)), slack, 1
    source["u_ref"], source["u_ref_angle"] = np.abs(voltage[slack]), np.angle(voltage[slack])
    source["sk"] = 1e20
    model = PowerGridModel({"node": node, "generic_branch": line, "sym_load": load, "shunt": shunt, "source": source})
    result = {}

    def act():
        result["node"] = model.calculate_power_flow(
            symmetric=True,
            error_tolerance=TOLERANCE,
            max_iterations=MAX_ITERATIONS,
            calculation_method=CalculationMethod.newton_raphson,
            output_component_types=["node"],
        )["node"]

    whole = measure(seconds, act)
    return {"whole": whole, "vm": result["node"]["u_pu"].tolist(), "va": np.rad2deg(result["node"]["u_angle"]).tolist()}


TOOLS = {
    "pandapower": pandapower,
    "pypowsybl": pypowsybl,
    "lightsim2grid": lightsim2grid,
    "power-grid-model": pgm_case,
}


def of_case(path, seconds, names):
    given = json.loads(sys.stdin.read() or "{}")
    case, index = read(path)
    answer = {}
    for name in names or TOOLS:
        try:
            part = dict(case)
            if name == "power-grid-model":
                if "reactive" not in given:
                    continue
                part["reactive"] = given["reactive"]
            answer[name] = TOOLS[name](part, index, seconds)
        except Exception as error:  # noqa: BLE001 - a tool that fails is a result
            answer[name] = {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
    return answer


def radial(path, seconds):
    """Batch of power-grid-model on its own JSON: {"input": …, "loads": [id], "scale": [[p and q factor per load] per scenario]}."""
    from power_grid_model import CalculationMethod, PowerGridModel, initialize_array
    from power_grid_model.utils import json_deserialize

    with open(path) as file:
        given = json.load(file)
    data = json_deserialize(json.dumps(given["input"]))
    model = PowerGridModel(data)
    scale = np.array(given["scale"])
    scenarios, loads = scale.shape
    update = initialize_array("update", "sym_load", (scenarios, loads))
    update["id"] = np.array(given["loads"])
    row = {int(i): k for k, i in enumerate(data["sym_load"]["id"])}
    at = [row[i] for i in given["loads"]]
    update["p_specified"] = data["sym_load"]["p_specified"][at] * scale
    update["q_specified"] = data["sym_load"]["q_specified"][at] * scale
    result = {}
    options = dict(
        symmetric=True,
        error_tolerance=TOLERANCE,
        max_iterations=MAX_ITERATIONS,
        calculation_method=CalculationMethod.newton_raphson,
    )

    def single():
        model.calculate_power_flow(output_component_types=["node"], **options)

    def batch(outputs, threading):
        def act():
            result["all"] = model.calculate_power_flow(
                update_data={"sym_load": update}, output_component_types=outputs, threading=threading, **options
            )

        return measure(seconds, act)

    answer = {
        "single": measure(seconds, single),
        "voltages": batch(["node"], -1),
        "voltagesThreads": batch(["node"], 0),
        "flows": batch(["node", "line", "transformer"], -1),
        "flowsThreads": batch(["node", "line", "transformer"], 0),
    }
    node = result["all"]["node"]
    picked = [0, scenarios // 2, scenarios - 1]
    answer["ids"] = node["id"][0].tolist()
    answer["picked"] = picked
    answer["vm"] = [node["u_pu"][s].tolist() for s in picked]
    answer["va"] = [np.rad2deg(node["u_angle"][s]).tolist() for s in picked]
    return answer


def main():
    what = sys.argv[1]
    if what == "versions":
        answer = {name: importlib.metadata.version(name) for name in TOOLS}
        import lightsim2grid.solver  # noqa: F401 - loads, or fails with its reason
        import pandapower  # noqa: F401
        import power_grid_model  # noqa: F401
        import pypowsybl  # noqa: F401
    elif what == "case":
        answer = of_case(sys.argv[2], float(sys.argv[3]), sys.argv[4:])
    else:
        answer = radial(sys.argv[2], float(sys.argv[3]))
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
