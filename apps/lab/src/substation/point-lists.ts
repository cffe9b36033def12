/**
 * What an engineer says of the IEDs' points beyond what is in the SCD: names for people, alarms, scaling. Object, type and
 * equipment are in the file.
 */
import { configuredValue, type LogicalNode } from '@enerchain/iec61850';
import type { ListColumns } from '../rtu/point-list.ts';
import type { Ied } from './ied.ts';

interface Rule {
  /** Class of the logical node and data object. */
  readonly of: string;
  readonly name: (node: LogicalNode) => string;
  readonly attribute: string;
  readonly columns?: ListColumns;
}

const alarm = (aliases: string, priority: number, consequence: string, action: string): ListColumns => ({
  aliases,
  normal: 0,
  alarmPriority: priority,
  consequence,
  action,
});
const POSITION = '0=moving|1=open|2=closed|3=faulty';
const prefixed =
  (what: string) =>
  ({ ln }: LogicalNode): string =>
    `${ln.prefix} ${what}`;
const plain = (what: string) => (): string => what;
const numbered =
  (what: string) =>
  ({ ln }: LogicalNode): string =>
    `${ln.lnClass}${ln.inst} ${what}`;
const megawatts = { k: 1e-6, multiplier: 'M' };
const kilovolts = { k: 1e-3, multiplier: 'k' };
const PHASES = ['phsA', 'phsB', 'phsC'];
const phases = (object: string, label: string, columns: ListColumns = {}): Rule[] =>
  (object === 'PPV' ? ['phsAB', 'phsBC', 'phsCA'] : PHASES).map((phase) => ({
    of: `MMXU.${object}.${phase}`,
    name: plain(`${label} ${phase.slice(3)}`),
    attribute: 'cVal.mag.f',
    columns,
  }));

const MONITORED: readonly Rule[] = [
  { of: 'XCBR.Pos', name: prefixed('position'), attribute: 'stVal', columns: { aliases: POSITION } },
  { of: 'XSWI.Pos', name: prefixed('position'), attribute: 'stVal', columns: { aliases: POSITION } },
  { of: 'CSWI.Pos', name: prefixed('position at the control'), attribute: 'stVal', columns: { aliases: POSITION } },
  {
    of: 'CILO.EnaOpn',
    name: prefixed('opening released'),
    attribute: 'stVal',
    columns: { aliases: '0=interlocked|1=released' },
  },
  {
    of: 'CILO.EnaCls',
    name: prefixed('closing released'),
    attribute: 'stVal',
    columns: { aliases: '0=interlocked|1=released' },
  },
  { of: 'PTOC.Str', name: numbered('start'), attribute: 'general', columns: { aliases: '0=normal|1=started' } },
  { of: 'PTOC.Op', name: numbered('operate'), attribute: 'general', columns: { aliases: '0=normal|1=operated' } },
  {
    of: 'PTRC.Tr',
    name: plain('Protection trip'),
    attribute: 'general',
    columns: alarm('0=normal|1=tripped', 1, 'What lies behind is without supply.', 'Find the fault before closing.'),
  },
  {
    of: 'RBRF.OpEx',
    name: plain('Breaker failure'),
    attribute: 'general',
    columns: alarm(
      '0=normal|1=failed',
      1,
      'The breakers around it have tripped in its place.',
      'Isolate the breaker by hand.',
    ),
  },
  {
    of: 'PTUV.Op',
    name: plain('Undervoltage'),
    attribute: 'general',
    columns: alarm('0=normal|1=too low', 2, 'Customers are outside EN 50160.', 'Look upstream.'),
  },
  {
    of: 'LLN0.Beh',
    name: plain('Behaviour'),
    attribute: 'stVal',
    columns: {
      normal: 1,
      alarmPriority: 3,
      consequence: 'Protection or control may be without effect.',
      action: 'Set Mod to on.',
    },
  },
  {
    of: 'LGOS.St',
    name: ({ ln }) => `${ln.desc}`,
    attribute: 'stVal',
    columns: {
      aliases: '0=not heard|1=heard',
      normal: 1,
      alarmPriority: 2,
      consequence: 'Interlocking and blocking that rest on it are out of service.',
      action: 'Check the station bus.',
    },
  },
  { of: 'ATCC.TapChg', name: plain('Tap position'), attribute: 'valWTr.posVal' },
  {
    of: 'ATCC.Auto',
    name: plain('Voltage regulator automatic'),
    attribute: 'stVal',
    columns: { aliases: '0=manual|1=automatic' },
  },
  {
    of: 'ATCC.LTCBlk',
    name: plain('Tap changer blocked'),
    attribute: 'stVal',
    columns: { aliases: '0=released|1=blocked' },
  },
  { of: 'ATCC.CtlV', name: plain('Regulated voltage'), attribute: 'mag.f', columns: kilovolts },
  { of: 'ATCC.LodA', name: plain('Load current'), attribute: 'mag.f' },
  {
    of: 'STMP.Tmp',
    name: plain('Winding temperature'),
    attribute: 'mag.f',
    columns: { measurementType: 'Temperature', unit: 'degC' },
  },
  {
    of: 'SIML.GasInsAlm',
    name: plain('Buchholz warning'),
    attribute: 'stVal',
    columns: { aliases: '0=normal|1=warning' },
  },
  { of: 'MMXU.TotW', name: plain('Active power'), attribute: 'mag.f', columns: megawatts },
  { of: 'MMXU.TotVAr', name: plain('Reactive power'), attribute: 'mag.f', columns: megawatts },
  { of: 'MMXU.TotVA', name: plain('Apparent power'), attribute: 'mag.f', columns: megawatts },
  { of: 'MMXU.TotPF', name: plain('Power factor'), attribute: 'mag.f' },
  { of: 'MMXU.Hz', name: plain('Frequency'), attribute: 'mag.f' },
  ...phases('PPV', 'Voltage', kilovolts),
  ...phases('PhV', 'Voltage', kilovolts),
  ...phases('A', 'Current'),
];

interface Command {
  readonly of: string;
  readonly name: (node: LogicalNode) => string;
  readonly columns: ListColumns;
}

const COMMANDS: readonly Command[] = [
  { of: 'CSWI.Pos', name: prefixed('command'), columns: { aliases: '1=open|2=close', min: 1, max: 2 } },
  { of: 'ATCC.TapChg', name: plain('Tap command'), columns: { aliases: '1=lower|2=higher', min: 1, max: 2 } },
  {
    of: 'ATCC.LTCBlk',
    name: plain('Tap changer blocking'),
    columns: { aliases: '0=released|1=blocked', min: 0, max: 1 },
  },
  {
    of: 'ATCC.Auto',
    name: plain('Voltage regulator command'),
    columns: { aliases: '0=manual|1=automatic', min: 0, max: 1 },
  },
];

/** Rows for the gateway, each for a point that it finds in the SCD by itself. @param label what its names begin with */
export function iedRows(ied: Ied, label: string): ListColumns[] {
  const rows: ListColumns[] = [];
  const monitored = new Map<string, string>();
  const held = new Set(
    ied.model.devices.flatMap(({ nodes }) =>
      nodes.flatMap(({ ln }) =>
        ln.dataSets.flatMap(({ fcdas }) =>
          fcdas.map(
            ({ ldInst, prefix, lnClass, lnInst, doName }) => `${ldInst}/${prefix}${lnClass}${lnInst}.${doName}`,
          ),
        ),
      ),
    ),
  );
  for (const { inst, nodes } of ied.model.devices) {
    for (const node of nodes) {
      const { lnClass } = node.ln;
      const rules = MONITORED.filter(({ of }) => of.startsWith(`${lnClass}.`));
      for (const { of, name, attribute, columns } of rules) {
        const object = `${inst}/${node.name}.${of.slice(lnClass.length + 1)}`;
        if (!held.has(object)) continue;
        // Several logical devices have one of it.
        const where = lnClass === 'LLN0' ? ` ${inst}` : '';
        const full = `${label}${where} ${name(node)}`;
        monitored.set(object, full);
        rows.push({ object: ied.reference(object), attribute, name: full, ...columns });
      }
      if (lnClass === 'GGIO') rows.push(...indications(ied, label, inst, node));
      for (const { of, name, columns } of COMMANDS.filter((each) => each.of.startsWith(`${lnClass}.`))) {
        const object = `${inst}/${node.name}.${of.slice(lnClass.length + 1)}`;
        const feedback = monitored.get(object);
        if (!ied.has(object) || feedback === undefined) continue;
        rows.push({ object: ied.reference(object), name: `${label} ${name(node)}`, feedback, ...columns });
      }
    }
  }
  return rows;
}

/** What an indication is for stands in the file. */
function indications(ied: Ied, label: string, inst: string, node: LogicalNode): ListColumns[] {
  return (node.type?.objects ?? []).flatMap(({ name, cdc }) => {
    const text = cdc === 'SPS' ? configuredValue(node, [name, 'd']) : undefined;
    if (!text || text.startsWith('Spare')) return [];
    const object = ied.reference(`${inst}/${node.name}.${name}`);
    return [{ object, attribute: 'stVal', name: `${label} ${text}`, aliases: '0=normal|1=standing' }];
  });
}
