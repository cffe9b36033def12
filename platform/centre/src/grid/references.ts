/** Whether the references of a grid model lead somewhere. Pure. */
import { type Finding, type GridModel, tapChangersOf } from '@enerchain/model';

/** @returns nothing wrong → empty; at most `limit` findings, with JSON pointers into the model */
export function checkReferences(model: GridModel, limit = 50): Finding[] {
  const findings: Finding[] = [];
  const add = (path: string, message: string): void => {
    if (findings.length < limit) findings.push({ path, message });
  };
  const seen = new Map<string, string>();
  const own = (mRID: string, path: string): void => {
    const other = seen.get(mRID);
    if (other) add(path, `has the mRID ${mRID}, which ${other} has already`);
    else seen.set(mRID, path);
  };
  const index = (name: 'substations' | 'voltageLevels' | 'bays' | 'connectivityNodes'): Set<string> => {
    for (const [at, { mRID }] of model[name].entries()) own(mRID, `/${name}/${at}`);
    return new Set(model[name].map(({ mRID }) => mRID));
  };
  own(model.mRID, '');
  const substations = index('substations');
  const levels = index('voltageLevels');
  const bays = index('bays');
  const nodes = index('connectivityNodes');
  const refers = (path: string, to: string, among: ReadonlySet<string>, what: string): void => {
    if (!among.has(to)) add(path, `refers to the ${what} ${to}, which is not in the model`);
  };
  for (const [at, level] of model.voltageLevels.entries())
    refers(`/voltageLevels/${at}/substation`, level.substation, substations, 'substation');
  for (const [at, bay] of model.bays.entries())
    refers(`/bays/${at}/voltageLevel`, bay.voltageLevel, levels, 'voltage level');
  for (const [at, node] of model.connectivityNodes.entries())
    refers(`/connectivityNodes/${at}/voltageLevel`, node.voltageLevel, levels, 'voltage level');
  const containers = new Set([...substations, ...levels, ...bays]);
  const drawable = new Set([...substations, ...levels, ...bays, ...nodes]);
  const controls = new Set((model.regulatingControls ?? []).map(({ mRID }) => mRID));
  for (const [at, { mRID }] of (model.regulatingControls ?? []).entries()) own(mRID, `/regulatingControls/${at}`);
  for (const [at, equipment] of model.equipment.entries()) {
    const path = `/equipment/${at}`;
    own(equipment.mRID, path);
    drawable.add(equipment.mRID);
    if (equipment.container) refers(`${path}/container`, equipment.container, containers, 'container');
    for (const [t, terminal] of equipment.terminals.entries()) {
      own(terminal.mRID, `${path}/terminals/${t}`);
      refers(`${path}/terminals/${t}/connectivityNode`, terminal.connectivityNode, nodes, 'connectivity node');
    }
    if ('regulatingControl' in equipment && equipment.regulatingControl)
      refers(`${path}/regulatingControl`, equipment.regulatingControl, controls, 'regulating control');
    if (equipment.class !== 'PowerTransformer') continue;
    const { ends, terminals } = equipment;
    if (ends.length !== terminals.length) add(path, `has ${ends.length} ends and ${terminals.length} terminals`);
    for (const [t, changer] of tapChangersOf(equipment).entries()) {
      const at = `${path}/${changer === equipment.ratioTapChanger ? 'ratioTapChanger' : `tapChangers/${equipment.ratioTapChanger ? t - 1 : t}`}`;
      const { mRID, end, lowStep, highStep, neutralStep, normalStep, step, regulatingControl } = changer;
      own(mRID, at);
      if (end >= ends.length) add(`${at}/end`, `is ${end}, of ${ends.length} ends`);
      for (const each of [neutralStep, normalStep, step ?? normalStep])
        if (each < lowStep || each > highStep) add(at, `has the step ${each} outside ${lowStep} … ${highStep}`);
      if (regulatingControl) refers(`${at}/regulatingControl`, regulatingControl, controls, 'regulating control');
    }
  }
  const terminals = new Set(model.equipment.flatMap((equipment) => equipment.terminals.map(({ mRID }) => mRID)));
  for (const [at, { terminal }] of (model.regulatingControls ?? []).entries())
    refers(`/regulatingControls/${at}/terminal`, terminal, terminals, 'terminal');
  for (const [at, { mRID, terminal, equipment }] of (model.operationalLimitSets ?? []).entries()) {
    const path = `/operationalLimitSets/${at}`;
    own(mRID, path);
    if (terminal) refers(`${path}/terminal`, terminal, terminals, 'terminal');
    if (equipment) refers(`${path}/equipment`, equipment, drawable, 'equipment');
  }
  for (const [at, { object }] of (model.diagram ?? []).entries())
    refers(`/diagram/${at}/object`, object, drawable, 'object');
  return findings;
}
