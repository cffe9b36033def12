/** From ASDUs to the model: causes, qualities and values as tables and pure functions. Nothing here allocates. */
import { COT, type Element, TYPES } from '@enerchain/iec60870';
import { CAUSES, QUALITY, qualityFromBcr, qualityFromQds } from '@enerchain/model';

const cause = (name: (typeof CAUSES)[number]): number => CAUSES.indexOf(name);

/** Index into `CAUSES` by cause of transmission; what is not in the table counts as spontaneous. */
export const CAUSE_OF_COT: Uint8Array = (() => {
  const table = new Uint8Array(64).fill(cause('spontaneous'));
  table[COT.periodic] = cause('periodic');
  table[COT.background] = cause('background');
  table[COT.initialised] = cause('initialised');
  table[COT.request] = cause('requested');
  table[COT.returnRemote] = cause('returnInformation');
  table[COT.returnLocal] = cause('returnInformation');
  // 20: station interrogation, 21 to 36: groups; 37: general counter interrogation, 38 to 41: groups.
  table.fill(cause('interrogation'), 20, 37);
  table.fill(cause('counterInterrogation'), 37, 42);
  return table;
})();

/** End of initialisation: the station has started anew. */
export const M_EI_NA_1 = 70;

/** Type identifications that carry process information in monitor direction. */
export const IS_MONITORED: Uint8Array = (() => {
  const table = new Uint8Array(256);
  for (const type of TYPES) if (type.group === 'monitor' && type.id !== M_EI_NA_1) table[type.id] = 1;
  return table;
})();

const QDS_TABLE = Uint16Array.from({ length: 256 }, (_, qds) => qualityFromQds(qds));
const BCR_TABLE = Uint16Array.from({ length: 256 }, (_, flags) => qualityFromBcr(flags));

/** What the value of an element is before scaling; NaN for an element that is no process information. */
export function rawValueOf(element: Element): number {
  switch (element.kind) {
    case 'single':
    case 'double':
    case 'step':
    case 'bitstring':
    case 'scaled':
    case 'short':
    case 'integratedTotal':
    case 'securityTotal':
    case 'protectionEvent':
    case 'protectionStart':
    case 'protectionOutput':
    case 'packedSingle':
      return element.value;
    case 'normalized':
    case 'normalizedPlain':
      // The fraction of the nominal value; scaling brings it to engineering units.
      return element.raw / 32768;
    default:
      return Number.NaN;
  }
}

/**
 * Quality of an element. Lost: the running time of protection events, the sequence number of counters, which say
 * nothing about whether the value can be believed.
 */
export function qualityOf(element: Element): number {
  switch (element.kind) {
    case 'single':
    case 'double':
    case 'bitstring':
    case 'scaled':
    case 'short':
    case 'normalized':
    case 'protectionEvent':
    case 'protectionStart':
    case 'protectionOutput':
    case 'packedSingle':
      return QDS_TABLE[element.quality & 0xff]!;
    case 'step':
      // In transient state the position is on its way to another one.
      return QDS_TABLE[element.quality & 0xff]! | (element.transient ? QUALITY.questionable | QUALITY.inaccurate : 0);
    case 'integratedTotal':
    case 'securityTotal':
      return BCR_TABLE[element.flags & 0xff]!;
    default:
      return QUALITY.good;
  }
}
