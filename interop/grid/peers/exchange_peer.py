"""Reads an exchange of CGMES files with PowSyBl, solves it, and says what came out.

    exchange_peer.py FOLDER [FOLDER ...]

Prints one JSON array: per folder of XML files the voltages at busbar sections [kV, degrees from the reference] and the powers
that flow into lines at their first ends [MW, Mvar], by mRID.
"""
import json
import os
import sys
import tempfile
import zipfile

import pypowsybl.loadflow as lf
import pypowsybl.network as pn


def read(folder):
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, "exchange.zip")
        with zipfile.ZipFile(path, "w") as archive:
            for name in sorted(os.listdir(folder)):
                if name.endswith(".xml"):
                    archive.write(os.path.join(folder, name), name)
        return pn.load(path)


def solve(network):
    parameters = lf.Parameters(
        distributed_slack=False,
        use_reactive_limits=False,
        transformer_voltage_control_on=False,
        shunt_compensator_voltage_control_on=False,
        phase_shifter_regulation_on=False,
        voltage_init_mode=lf.VoltageInitMode.PREVIOUS_VALUES,
        provider_parameters={"newtonRaphsonConvEpsPerEq": "1e-10"},
    )
    results = lf.run_ac(network, parameters)
    if results[0].status != lf.ComponentStatus.CONVERGED:
        return {"failed": str(results[0].status)}
    busbars = network.get_busbar_sections()
    lines = network.get_lines()
    # NaN is no JSON: what has no voltage is left out.
    return {
        "busbars": {i: [float(v), float(a)] for i, v, a in zip(busbars.index, busbars.v, busbars.angle) if v == v},
        "lines": {i: [float(p), float(q)] for i, p, q in zip(lines.index, lines.p1, lines.q1) if p == p},
    }


if __name__ == "__main__":
    json.dump([solve(read(folder)) for folder in sys.argv[1:]], sys.stdout)
