/** What is watched of each GOOSE control block, as points: LGOS of IEC 61850-7-4, seen from the gateway. */
import type { GooseControl } from '@enerchain/iec61850';
import type { PointKind } from '@enerchain/model';

/** What the supervision says; each is a point of its control block. */
export type Supervised = 'alive' | 'stNum' | 'sqNum' | 'test' | 'ndsCom' | 'confRevMismatch' | 'lastChange';

export const SUPERVISED: readonly {
  readonly attribute: Supervised;
  readonly kind: Exclude<PointKind, 'command' | 'setpoint'>;
  readonly cdc: string;
  readonly about: string;
  readonly words?: string;
}[] = [
  { attribute: 'alive', kind: 'discrete', cdc: 'SPS', about: 'frames come in time', words: '0=lost|1=alive' },
  { attribute: 'stNum', kind: 'accumulator', cdc: 'INS', about: 'number of the state' },
  { attribute: 'sqNum', kind: 'accumulator', cdc: 'INS', about: 'number of the repetition' },
  { attribute: 'test', kind: 'discrete', cdc: 'SPS', about: 'test or simulation', words: '0=live|1=test' },
  {
    attribute: 'ndsCom',
    kind: 'discrete',
    cdc: 'SPS',
    about: 'the publisher needs commissioning',
    words: '0=no|1=yes',
  },
  {
    attribute: 'confRevMismatch',
    kind: 'discrete',
    cdc: 'SPS',
    about: 'configuration is not that of the SCL',
    words: '0=no|1=yes',
  },
  { attribute: 'lastChange', kind: 'string', cdc: 'VSS', about: 'time of the last change' },
];

/** `BCU1CTRL/LLN0$GO$gcb01` as a reference: `BCU1CTRL/LLN0.GO.gcb01`. */
export const blockReference = ({ gocbRef }: Pick<GooseControl, 'gocbRef'>): string => gocbRef.replaceAll('$', '.');
