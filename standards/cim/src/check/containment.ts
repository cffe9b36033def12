/** Containers within containers: a cycle would make a substation part of itself. */
import type { CimModel } from '../model.ts';
import { place } from './place.ts';

const UP = [
  'Equipment.EquipmentContainer',
  'ConnectivityNode.ConnectivityNodeContainer',
  'TopologicalNode.ConnectivityNodeContainer',
  'Bay.VoltageLevel',
  'VoltageLevel.Substation',
  'Substation.Region',
  'Line.Region',
  'DCConverterUnit.Substation',
  'DCLine.Region',
  'SubGeographicalRegion.Region',
];

export function checkContainment(model: CimModel): void {
  const { store, findings } = model;
  const up = new Int32Array(store.objects).fill(-1);
  const wanted = new Set(UP.map((property) => store.symbol(property)));
  const by = new Int32Array(store.objects);
  for (let statement = 0; statement < store.statements; statement++) {
    if (!wanted.has(store.propertySymbol(statement)) || !store.inForce(statement)) continue;
    const object = store.object(store.description(statement));
    up[object] = store.target(statement) ?? -1;
    by[object] = statement;
  }
  /** 0 not seen, else the round it was seen in. */
  const seen = new Int32Array(store.objects);
  for (let from = 0; from < store.objects; from++) {
    let at = from;
    while (at >= 0 && seen[at] === 0) {
      seen[at] = from + 1;
      at = up[at]!;
    }
    if (at < 0 || seen[at] !== from + 1) continue;
    const names: string[] = [];
    let step = at;
    do {
      if (names.length < 8) names.push(`${store.class(step) ?? 'object'} ${store.key(step)}`);
      step = up[step]!;
    } while (step !== at);
    const text = `containers contain themselves: ${names.join(' in ')} in the first again`;
    findings.add({ severity: 'error', code: 'cim.cycle', text, ...place(model, at, by[at]) });
  }
}
