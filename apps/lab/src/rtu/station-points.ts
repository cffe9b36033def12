/**
 * The point list of a station, as a commissioning engineer would number it: object address = bay · 1000 + class, bay 0
 * being the station itself; single points from 1, double points from 101, steps from 201, measured values from 301,
 * counters from 401, commands from 501, set-points from 601.
 */
import type { LabBay, LabStation } from '../grid/lab-grid.ts';
import {
  CONTROL_TYPES,
  type ControlAction,
  type ControlPoint,
  type Family,
  type ListColumns,
  type MonitoredPoint,
  type PointList,
  type Quantity,
} from './point-list.ts';

/** Object address of the point that tells that the RTU's event buffer overflowed. */
export const OVERFLOW_IOA = 9;
/** Object address of the counter that counts up for ever: whoever misses a number has lost an event. */
export const LEDGER_IOA = 499;

const FIRST = { single: 1, double: 101, step: 201, measured: 301, counter: 401 } as const;
const FIRST_COMMAND = 501;
const FIRST_SET_POINT = 601;
const POSITION_WORDS = '0=moving|1=open|2=closed|3=faulty';

/** Numbers the points as they come. */
class ListBuilder {
  readonly monitored: MonitoredPoint[] = [];
  readonly controls: ControlPoint[] = [];
  #bay = 0;
  #prefix = '';
  #next: Record<Family | 'command' | 'setPoint', number> = {
    ...FIRST,
    command: FIRST_COMMAND,
    setPoint: FIRST_SET_POINT,
  };

  beginBay(index: number, prefix: string): void {
    this.#bay = index;
    this.#prefix = prefix;
    this.#next = { ...FIRST, command: FIRST_COMMAND, setPoint: FIRST_SET_POINT };
  }

  point(
    family: Family,
    name: string,
    quantity: Quantity,
    columns: ListColumns,
    more: { deadBand?: number; cycle?: MonitoredPoint['cycle']; period?: number; ioa?: number } = {},
  ): string {
    const full = `${this.#prefix} ${name}`.trim();
    this.monitored.push({
      ioa: more.ioa ?? this.#bay * 1000 + this.#next[family]++,
      name: full,
      family,
      quantity,
      group: family === 'counter' ? 1 : family === 'measured' ? 2 : 1,
      ...(more.deadBand === undefined ? {} : { deadBand: more.deadBand }),
      ...(more.cycle ? { cycle: more.cycle } : {}),
      ...(more.period === undefined ? {} : { period: more.period }),
      columns,
    });
    return full;
  }

  control(
    name: string,
    action: ControlAction,
    mode: ControlPoint['mode'],
    feedback: string,
    columns: ListColumns,
    range: { minimum?: number; maximum?: number } = {},
  ): void {
    const slot = action.do === 'setPoint' ? 'setPoint' : 'command';
    this.controls.push({
      ioa: this.#bay * 1000 + this.#next[slot]++,
      name: `${this.#prefix} ${name}`.trim(),
      action,
      mode,
      feedback,
      ...range,
      columns,
    });
  }
}

/** @param station of the lab grid */
export function pointListOf(station: LabStation): PointList {
  const list = new ListBuilder();
  stationPoints(list, station);
  station.bays.forEach((bay, index) => {
    list.beginBay(index + 1, `${station.name} ${bay.code}`);
    bayPoints(list, bay);
  });
  return { monitored: list.monitored, controls: list.controls };
}

/** Aliases, normal state and alarm of a single point that ought to be off. */
const alarm = (aliases: string, priority: number, consequence: string, action: string): ListColumns => ({
  aliases,
  normal: 0,
  alarmPriority: priority,
  consequence,
  action,
});

function stationPoints(list: ListBuilder, station: LabStation): void {
  const { busbar } = station;
  const kV = busbar.nominalVoltage;
  list.beginBay(0, station.name);
  const flag = (name: string, label: string, columns: ListColumns, ioa?: number): string =>
    list.point('single', label, { of: 'flag', name }, columns, ioa === undefined ? {} : { ioa });
  flag('door', 'Door', alarm('0=closed|1=open', 3, 'Somebody may be in the station.', 'Ask who is there.'));
  flag(
    'local',
    'Local control',
    alarm('0=remote|1=local', 4, 'Commands from the control room are refused.', 'Call the crew on site.'),
  );
  flag(
    'auxiliary',
    'Auxiliary supply failure',
    alarm('0=normal|1=failed', 2, 'RTU and protection run on their battery.', 'Send a crew within four hours.'),
  );
  flag(
    'overflow',
    'Event buffer overflow',
    alarm('0=normal|1=overflow', 2, 'Events of this RTU have been lost.', 'Check the link to this RTU.'),
    OVERFLOW_IOA,
  );
  const belongs = { equipment: busbar.equipment, terminal: busbar.terminal };
  list.point(
    'measured',
    'Busbar voltage',
    { of: 'voltage', node: busbar.node },
    {
      measurementType: 'LineToLineVoltage',
      phases: 'AB',
      unit: 'V',
      multiplier: 'k',
      ...belongs,
      highHigh: kV * 1.1,
      high: kV * 1.06,
      low: kV * 0.94,
      lowLow: kV * 0.9,
      hysteresis: kV * 0.005,
      alarmPriority: 2,
      consequence: 'Customers are outside EN 50160.',
      action: 'Move the tap changer, or look upstream when the voltage is gone.',
      staleAfter: 180,
    },
    { deadBand: kV * 0.0005, cycle: { seconds: 60, cause: 2 } },
  );
  list.point(
    'measured',
    'Frequency',
    { of: 'frequency', node: busbar.node },
    { measurementType: 'Frequency', unit: 'Hz', ...belongs, high: 50.2, low: 49.8, hysteresis: 0.02, alarmPriority: 2 },
    { deadBand: 0.003, cycle: { seconds: 60, cause: 2 } },
  );
  list.point(
    'counter',
    'Ledger counter',
    { of: 'ledgerCounter' },
    { description: 'Counts up for ever; a number that is missing is an event that was lost.' },
    { ioa: LEDGER_IOA },
  );
}

function bayPoints(list: ListBuilder, bay: LabBay): void {
  switches(list, bay);
  if (bay.kind !== 'ring' && bay.kind !== 'load') protection(list, bay);
  if (bay.kind === 'ring' || bay.kind === 'feeder') {
    list.point(
      'single',
      'Earth fault indicator',
      { of: 'flag', name: `${bay.code}/earthFault` },
      alarm(
        '0=normal|1=earth fault',
        2,
        'The cable behind this bay has an earth fault.',
        'Find and isolate the section.',
      ),
    );
  }
  if (bay.terminal) measurements(list, bay, bay.terminal);
  if (bay.transformer && bay.kind === 'transformerHigh') tapChanger(list, bay);
  if (bay.converter) plant(list, bay);
}

function switches(list: ListBuilder, bay: LabBay): void {
  bay.switches.forEach((equipment, index) => {
    const what =
      equipment.class === 'Breaker' ? 'Breaker' : equipment.class === 'Disconnector' ? 'Disconnector' : 'Switch';
    const feedback = list.point(
      'double',
      `${what} position`,
      { of: 'position', switch: equipment.mRID },
      {
        measurementType: 'SwitchPosition',
        equipment: equipment.mRID,
        aliases: POSITION_WORDS,
        normal: equipment.normalOpen ? 1 : 2,
        alarmPriority: bay.kind === 'ring' ? 3 : index === 0 ? 2 : 3,
        consequence: equipment.normalOpen ? 'Two feeders are joined.' : 'What lies behind may be without supply.',
        action: 'Check the protection messages, then restore the normal switching state.',
      },
    );
    // Disconnectors are moved on site.
    if (equipment.class === 'Disconnector') return;
    list.control(
      `${what} command`,
      { do: 'switch', switch: equipment.mRID, class: equipment.class },
      'select-before-operate',
      feedback,
      { equipment: equipment.mRID, aliases: '1=open|2=close', min: 1, max: 2 },
    );
  });
}

function protection(list: ListBuilder, bay: LabBay): void {
  const equipment = bay.switches[0]!.mRID;
  list.point(
    'single',
    'Protection trip',
    { of: 'flag', name: `${bay.code}/trip` },
    {
      ...alarm('0=normal|1=tripped', 1, 'The feeder is without supply.', 'Find the fault before closing again.'),
      equipment,
    },
  );
  list.point(
    'single',
    'Protection start',
    { of: 'flag', name: `${bay.code}/start` },
    { aliases: '0=normal|1=started', equipment },
  );
  list.point(
    'single',
    'Spring not charged',
    { of: 'flag', name: `${bay.code}/spring` },
    { aliases: '0=charged|1=not charged', equipment },
  );
}

function measurements(list: ListBuilder, bay: LabBay, terminal: string): void {
  const kV = bay.nominalVoltage;
  const rated = bay.ratedCurrent ?? 100;
  const ratedMva = (Math.sqrt(3) * kV * rated) / 1000;
  // A plant's power is counted as it feeds in; everything else as CIM has it, into the equipment.
  const sign = bay.kind === 'plant' ? -1 : 1;
  const belongs = {
    terminal,
    ...(bay.equipment ? { equipment: bay.equipment } : {}),
    ...(sign === -1 ? { positiveFlowIn: false } : {}),
  };
  list.point(
    'measured',
    'Active power',
    { of: 'p', terminal, sign },
    { measurementType: 'ThreePhaseActivePower', phases: 'ABC', unit: 'W', multiplier: 'M', ...belongs },
    { deadBand: ratedMva * 0.002, cycle: { seconds: 60, cause: 2 } },
  );
  list.point(
    'measured',
    'Reactive power',
    { of: 'q', terminal, sign },
    { measurementType: 'ThreePhaseReactivePower', phases: 'ABC', unit: 'VAr', multiplier: 'M', ...belongs },
    { deadBand: ratedMva * 0.002, cycle: { seconds: 60, cause: 2 } },
  );
  list.point(
    'measured',
    'Current',
    { of: 'i', terminal, sign: 1 },
    {
      measurementType: 'LineCurrent',
      phases: 'A',
      unit: 'A',
      terminal,
      ...(bay.equipment ? { equipment: bay.equipment } : {}),
      highHigh: rated,
      high: Math.round(rated * 0.95),
      hysteresis: rated * 0.03,
      alarmPriority: 2,
      consequence: 'The cable or transformer grows hotter than it may.',
      action: 'Move load to the neighbouring feeder or curtail.',
    },
    { deadBand: rated * 0.002, cycle: { seconds: 60, cause: 1 } },
  );
  if (bay.kind === 'ring' || bay.kind === 'transformerHigh') return;
  for (const direction of ['forward', 'reverse'] as const) {
    list.point(
      'counter',
      direction === 'forward' ? 'Energy in' : 'Energy out',
      { of: 'energy', terminal, direction },
      {
        measurementType: direction === 'forward' ? 'ActiveEnergyImport' : 'ActiveEnergyExport',
        unit: 'Wh',
        multiplier: 'k',
        ...(bay.equipment ? { equipment: bay.equipment } : {}),
      },
      { period: 60 },
    );
  }
}

function tapChanger(list: ListBuilder, bay: LabBay): void {
  const transformer = bay.transformer!;
  const equipment = transformer.mRID;
  const { lowStep, highStep } = transformer.ratioTapChanger!;
  const feedback = list.point(
    'step',
    'Tap position',
    { of: 'tap', transformer: equipment },
    { measurementType: 'TapPosition', equipment, low: lowStep + 1, high: highStep - 1, alarmPriority: 3 },
  );
  list.control('Tap command', { do: 'tap', transformer: equipment }, 'direct', feedback, {
    equipment,
    aliases: '1=lower|2=higher',
    min: 1,
    max: 2,
    description: 'Higher means more voltage at the 20 kV side. Switches the voltage regulator to manual.',
  });
  const regulated = list.point(
    'single',
    'Voltage regulator automatic',
    { of: 'regulated', transformer: equipment },
    {
      equipment,
      aliases: '0=manual|1=automatic',
      normal: 1,
      alarmPriority: 4,
      consequence: 'Nobody follows the voltage but you.',
      action: 'Switch the regulator back to automatic.',
    },
  );
  list.control('Voltage regulator command', { do: 'regulate', transformer: equipment }, 'direct', regulated, {
    equipment,
    aliases: '0=manual|1=automatic',
    min: 0,
    max: 1,
  });
  list.point(
    'measured',
    'Winding temperature',
    { of: 'windingTemperature', terminal: bay.terminal!, ratedCurrent: bay.ratedCurrent! },
    {
      measurementType: 'Temperature',
      unit: 'degC',
      equipment,
      highHigh: 118,
      high: 105,
      hysteresis: 3,
      alarmPriority: 2,
      consequence: 'The insulation ages fast.',
      action: 'Take load off the transformer.',
    },
    { deadBand: 0.5, cycle: { seconds: 60, cause: 2 } },
  );
  for (const [name, label] of [
    ['buchholz', 'Buchholz warning'],
    ['cooling', 'Cooling failure'],
  ] as const) {
    list.point(
      'single',
      label,
      { of: 'flag', name: `${bay.code}/${name}` },
      { ...alarm('0=normal|1=warning', 2, 'The transformer may have to be taken out.', 'Send a crew.'), equipment },
    );
  }
}

function plant(list: ListBuilder, bay: LabBay): void {
  const { mRID: equipment, unit, minP, maxP } = bay.converter!;
  const battery = unit === 'BatteryUnit';
  const feedback = list.point(
    'measured',
    battery ? 'Power wanted' : 'Feed-in limit',
    { of: 'setPoint', converter: equipment },
    { measurementType: 'ActivePowerSetPoint', unit: 'W', multiplier: 'M', equipment },
    { deadBand: maxP * 0.001, cycle: { seconds: 300, cause: 2 } },
  );
  list.control(
    battery ? 'Power command' : 'Feed-in limit command',
    { do: 'setPoint', converter: equipment },
    'direct',
    feedback,
    { equipment, unit: 'W', multiplier: 'M', min: minP, max: maxP },
    { minimum: minP, maximum: maxP },
  );
  if (!battery) return;
  list.point(
    'measured',
    'State of charge',
    { of: 'charge', converter: equipment },
    { measurementType: 'StateOfCharge', unit: 'none', description: '%', equipment, low: 5, alarmPriority: 4 },
    { deadBand: 0.5, cycle: { seconds: 300, cause: 2 } },
  );
}

/** The ASDU type that the gateway's point list names for a control. */
export const controlType = (control: ControlPoint): string => CONTROL_TYPES[control.action.do].type;
