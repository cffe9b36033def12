/** Regulating controls, and one for every infeed whose voltage nothing else says. */
import type { GridModel, RegulatingControl } from '@enerchain/model';
import type { Places } from './containers.ts';
import { at, partOf, type Target } from './target.ts';

/** Of the unit in which the grid model has the target. */
const MULTIPLIERS: Partial<Record<RegulatingControl['mode'], string>> = {
  voltage: 'k',
  activePower: 'M',
  reactivePower: 'M',
};

export function writeControls(target: Target, controls: readonly RegulatingControl[]): void {
  for (const { class: name, mRID, ...control } of controls) {
    target.define('EQ', name, mRID, control.name, {
      'RegulatingControl.mode': control.mode,
      'RegulatingControl.Terminal': at(control.terminal),
    });
    target.add('SSH', name, mRID, {
      'RegulatingControl.enabled': control.enabled,
      'RegulatingControl.discrete': control.discrete,
      'RegulatingControl.targetValue': control.targetValue,
      'RegulatingControl.targetDeadband': control.targetDeadband,
      'RegulatingControl.targetValueUnitMultiplier': MULTIPLIERS[control.mode] ?? 'none',
    });
  }
}

/** A grid whose infeeds hold another voltage than the nominal one do it by a control, as CIM wants it. */
export function withInfeedControls(grid: GridModel, places: Places): GridModel {
  const regulatingControls = [...(grid.regulatingControls ?? [])];
  const equipment = grid.equipment.map((each): GridModel['equipment'][number] => {
    if (each.class !== 'ExternalNetworkInjection' || each.regulatingControl !== undefined) return each;
    const [{ mRID: terminal, connectivityNode }] = each.terminals as [
      GridModel['equipment'][number]['terminals'][number],
    ];
    if (each.voltage === places.nominal(connectivityNode)) return each;
    const mRID = partOf(each.mRID, 'voltage control');
    regulatingControls.push({
      class: 'RegulatingControl',
      mRID,
      name: each.name,
      mode: 'voltage',
      terminal,
      enabled: true,
      discrete: false,
      targetValue: each.voltage,
    });
    return { ...each, regulatingControl: mRID, controlEnabled: true };
  });
  return { ...grid, equipment, regulatingControls };
}
