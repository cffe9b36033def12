/**
 * The ASDU types of the companion standard as data: IEC 60870-5-101:2003 § 7.3, IEC 60870-5-104:2006 § 7 (time tag
 * CP56Time2a in control direction, 127) and IEC 60870-5-7 (41). Codec, client, server and tools read this table and
 * nothing else.
 */
import type { ElementKind } from '../codec/elements.ts';

export type TimeForm = 'none' | 'CP24' | 'CP56';

/** `monitor`: process information upwards; `control`: commands; `system`; `parameter`; `file`. */
export type TypeGroup = 'monitor' | 'control' | 'system' | 'parameter' | 'file';

export interface TypeSpec {
  /** Type identification, 1 to 127. */
  readonly id: number;
  /** Reference name of the standard, `M_SP_NA_1`. */
  readonly name: string;
  readonly text: string;
  /** Clause of IEC 60870-5-101 (5-104 where the type exists there only). */
  readonly clause: string;
  readonly group: TypeGroup;
  /** What one information object holds, before its time tag. */
  readonly element: ElementKind;
  readonly time: TimeForm;
  /** Whether the standard allows SQ = 1 (one address, consecutive elements). */
  readonly sequence: boolean;
  /** Causes that are legal from the controlling to the controlled station. */
  readonly controlCauses: readonly number[];
  /** Causes that are legal from the controlled to the controlling station. */
  readonly monitorCauses: readonly number[];
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

const INTERROGATED = range(20, 36);
const UNKNOWN = range(44, 47);
const STATE = [2, 3, 5, 11, 12, ...INTERROGATED];
const STATE_TIMED = [3, 5, 11, 12];
const BITS = [2, 3, 5, ...INTERROGATED];
const MEASURED = [1, 2, 3, 5, ...INTERROGATED];
const REQUESTED = [3, 5];
const TOTALS = [3, ...range(37, 41)];
const COMMAND_DOWN = [6, 8];
const COMMAND_UP = [7, 9, 10, ...UNKNOWN];
const ACT = [6];
const ACTCON = [7, ...UNKNOWN];

type Row = readonly [
  id: number,
  name: string,
  text: string,
  clause: string,
  element: ElementKind,
  time: TimeForm,
  sequence: 0 | 1,
  controlCauses: readonly number[],
  monitorCauses: readonly number[],
];

// biome-ignore format: a table reads best as a table
const ROWS: readonly Row[] = [
  [1, 'M_SP_NA_1', 'single-point information', '7.3.1.1', 'single', 'none', 1, [], STATE],
  [2, 'M_SP_TA_1', 'single-point information with time tag CP24', '7.3.1.2', 'single', 'CP24', 0, [], STATE_TIMED],
  [3, 'M_DP_NA_1', 'double-point information', '7.3.1.3', 'double', 'none', 1, [], STATE],
  [4, 'M_DP_TA_1', 'double-point information with time tag CP24', '7.3.1.4', 'double', 'CP24', 0, [], STATE_TIMED],
  [5, 'M_ST_NA_1', 'step position information', '7.3.1.5', 'step', 'none', 1, [], STATE],
  [6, 'M_ST_TA_1', 'step position information with time tag CP24', '7.3.1.6', 'step', 'CP24', 0, [], STATE_TIMED],
  [7, 'M_BO_NA_1', 'bitstring of 32 bit', '7.3.1.7', 'bitstring', 'none', 1, [], BITS],
  [8, 'M_BO_TA_1', 'bitstring of 32 bit with time tag CP24', '7.3.1.8', 'bitstring', 'CP24', 0, [], REQUESTED],
  [9, 'M_ME_NA_1', 'measured value, normalized', '7.3.1.9', 'normalized', 'none', 1, [], MEASURED],
  [10, 'M_ME_TA_1', 'measured value, normalized, with time tag CP24', '7.3.1.10', 'normalized', 'CP24', 0, [], REQUESTED],
  [11, 'M_ME_NB_1', 'measured value, scaled', '7.3.1.11', 'scaled', 'none', 1, [], MEASURED],
  [12, 'M_ME_TB_1', 'measured value, scaled, with time tag CP24', '7.3.1.12', 'scaled', 'CP24', 0, [], REQUESTED],
  [13, 'M_ME_NC_1', 'measured value, short floating point', '7.3.1.13', 'short', 'none', 1, [], MEASURED],
  [14, 'M_ME_TC_1', 'measured value, short floating point, with time tag CP24', '7.3.1.14', 'short', 'CP24', 0, [], REQUESTED],
  [15, 'M_IT_NA_1', 'integrated totals', '7.3.1.15', 'integratedTotal', 'none', 1, [], TOTALS],
  [16, 'M_IT_TA_1', 'integrated totals with time tag CP24', '7.3.1.16', 'integratedTotal', 'CP24', 0, [], TOTALS],
  [17, 'M_EP_TA_1', 'event of protection equipment with time tag CP24', '7.3.1.17', 'protectionEvent', 'CP24', 0, [], [3]],
  [18, 'M_EP_TB_1', 'packed start events of protection equipment with time tag CP24', '7.3.1.18', 'protectionStart', 'CP24', 0, [], [3]],
  [19, 'M_EP_TC_1', 'packed output circuit information of protection equipment with time tag CP24', '7.3.1.19', 'protectionOutput', 'CP24', 0, [], [3]],
  [20, 'M_PS_NA_1', 'packed single-point information with status change detection', '7.3.1.20', 'packedSingle', 'none', 1, [], STATE],
  [21, 'M_ME_ND_1', 'measured value, normalized, without quality descriptor', '7.3.1.21', 'normalizedPlain', 'none', 1, [], MEASURED],
  [30, 'M_SP_TB_1', 'single-point information with time tag CP56', '7.3.1.22', 'single', 'CP56', 0, [], STATE_TIMED],
  [31, 'M_DP_TB_1', 'double-point information with time tag CP56', '7.3.1.23', 'double', 'CP56', 0, [], STATE_TIMED],
  [32, 'M_ST_TB_1', 'step position information with time tag CP56', '7.3.1.24', 'step', 'CP56', 0, [], STATE_TIMED],
  [33, 'M_BO_TB_1', 'bitstring of 32 bit with time tag CP56', '7.3.1.25', 'bitstring', 'CP56', 0, [], REQUESTED],
  [34, 'M_ME_TD_1', 'measured value, normalized, with time tag CP56', '7.3.1.26', 'normalized', 'CP56', 0, [], REQUESTED],
  [35, 'M_ME_TE_1', 'measured value, scaled, with time tag CP56', '7.3.1.27', 'scaled', 'CP56', 0, [], REQUESTED],
  [36, 'M_ME_TF_1', 'measured value, short floating point, with time tag CP56', '7.3.1.28', 'short', 'CP56', 0, [], REQUESTED],
  [37, 'M_IT_TB_1', 'integrated totals with time tag CP56', '7.3.1.29', 'integratedTotal', 'CP56', 0, [], TOTALS],
  [38, 'M_EP_TD_1', 'event of protection equipment with time tag CP56', '7.3.1.30', 'protectionEvent', 'CP56', 0, [], [3]],
  [39, 'M_EP_TE_1', 'packed start events of protection equipment with time tag CP56', '7.3.1.31', 'protectionStart', 'CP56', 0, [], [3]],
  [40, 'M_EP_TF_1', 'packed output circuit information of protection equipment with time tag CP56', '7.3.1.32', 'protectionOutput', 'CP56', 0, [], [3]],
  [41, 'S_IT_TC_1', 'integrated totals of security statistics with time tag CP56', '5-7', 'securityTotal', 'CP56', 0, [], TOTALS],
  [45, 'C_SC_NA_1', 'single command', '7.3.2.1', 'singleCommand', 'none', 0, COMMAND_DOWN, COMMAND_UP],
  [46, 'C_DC_NA_1', 'double command', '7.3.2.2', 'doubleCommand', 'none', 0, COMMAND_DOWN, COMMAND_UP],
  [47, 'C_RC_NA_1', 'regulating step command', '7.3.2.3', 'stepCommand', 'none', 0, COMMAND_DOWN, COMMAND_UP],
  [48, 'C_SE_NA_1', 'set-point command, normalized', '7.3.2.4', 'setpointNormalized', 'none', 0, COMMAND_DOWN, COMMAND_UP],
  [49, 'C_SE_NB_1', 'set-point command, scaled', '7.3.2.5', 'setpointScaled', 'none', 0, COMMAND_DOWN, COMMAND_UP],
  [50, 'C_SE_NC_1', 'set-point command, short floating point', '7.3.2.6', 'setpointShort', 'none', 0, COMMAND_DOWN, COMMAND_UP],
  [51, 'C_BO_NA_1', 'bitstring of 32 bit command', '7.3.2.7', 'bitstringCommand', 'none', 0, COMMAND_DOWN, COMMAND_UP],
  [58, 'C_SC_TA_1', 'single command with time tag CP56', '5-104 § 8.1', 'singleCommand', 'CP56', 0, COMMAND_DOWN, COMMAND_UP],
  [59, 'C_DC_TA_1', 'double command with time tag CP56', '5-104 § 8.2', 'doubleCommand', 'CP56', 0, COMMAND_DOWN, COMMAND_UP],
  [60, 'C_RC_TA_1', 'regulating step command with time tag CP56', '5-104 § 8.3', 'stepCommand', 'CP56', 0, COMMAND_DOWN, COMMAND_UP],
  [61, 'C_SE_TA_1', 'set-point command, normalized, with time tag CP56', '5-104 § 8.4', 'setpointNormalized', 'CP56', 0, COMMAND_DOWN, COMMAND_UP],
  [62, 'C_SE_TB_1', 'set-point command, scaled, with time tag CP56', '5-104 § 8.5', 'setpointScaled', 'CP56', 0, COMMAND_DOWN, COMMAND_UP],
  [63, 'C_SE_TC_1', 'set-point command, short floating point, with time tag CP56', '5-104 § 8.6', 'setpointShort', 'CP56', 0, COMMAND_DOWN, COMMAND_UP],
  [64, 'C_BO_TA_1', 'bitstring of 32 bit command with time tag CP56', '5-104 § 8.7', 'bitstringCommand', 'CP56', 0, COMMAND_DOWN, COMMAND_UP],
  [70, 'M_EI_NA_1', 'end of initialization', '7.3.3.1', 'endOfInitialization', 'none', 0, [], [4]],
  [100, 'C_IC_NA_1', 'interrogation command', '7.3.4.1', 'interrogation', 'none', 0, COMMAND_DOWN, COMMAND_UP],
  [101, 'C_CI_NA_1', 'counter interrogation command', '7.3.4.2', 'counterInterrogation', 'none', 0, COMMAND_DOWN, COMMAND_UP],
  [102, 'C_RD_NA_1', 'read command', '7.3.4.3', 'none', 'none', 0, [5], UNKNOWN],
  [103, 'C_CS_NA_1', 'clock synchronization command', '7.3.4.4', 'none', 'CP56', 0, ACT, [3, ...ACTCON]],
  [104, 'C_TS_NA_1', 'test command', '7.3.4.5', 'test', 'none', 0, ACT, ACTCON],
  [105, 'C_RP_NA_1', 'reset process command', '7.3.4.6', 'resetProcess', 'none', 0, ACT, ACTCON],
  [106, 'C_CD_NA_1', 'delay acquisition command', '7.3.4.7', 'delayAcquisition', 'none', 0, [3, 6], ACTCON],
  [107, 'C_TS_TA_1', 'test command with time tag CP56', '5-104 § 8.8', 'test', 'CP56', 0, ACT, ACTCON],
  [110, 'P_ME_NA_1', 'parameter of measured value, normalized', '7.3.5.1', 'parameterNormalized', 'none', 0, ACT, [7, ...INTERROGATED, ...UNKNOWN]],
  [111, 'P_ME_NB_1', 'parameter of measured value, scaled', '7.3.5.2', 'parameterScaled', 'none', 0, ACT, [7, ...INTERROGATED, ...UNKNOWN]],
  [112, 'P_ME_NC_1', 'parameter of measured value, short floating point', '7.3.5.3', 'parameterShort', 'none', 0, ACT, [7, ...INTERROGATED, ...UNKNOWN]],
  [113, 'P_AC_NA_1', 'parameter activation', '7.3.5.4', 'parameterActivation', 'none', 0, COMMAND_DOWN, [7, 9, ...UNKNOWN]],
  [120, 'F_FR_NA_1', 'file ready', '7.3.6.1', 'fileReady', 'none', 0, [13], [13, ...UNKNOWN]],
  [121, 'F_SR_NA_1', 'section ready', '7.3.6.2', 'sectionReady', 'none', 0, [13], [13, ...UNKNOWN]],
  [122, 'F_SC_NA_1', 'call directory, select file, call file, call section', '7.3.6.3', 'fileCall', 'none', 0, [5, 13], [13, ...UNKNOWN]],
  [123, 'F_LS_NA_1', 'last section, last segment', '7.3.6.4', 'lastSection', 'none', 0, [13], [13, ...UNKNOWN]],
  [124, 'F_AF_NA_1', 'acknowledge file, acknowledge section', '7.3.6.5', 'fileAcknowledge', 'none', 0, [13], [13, ...UNKNOWN]],
  [125, 'F_SG_NA_1', 'segment', '7.3.6.6', 'segment', 'none', 0, [13], [13, ...UNKNOWN]],
  [126, 'F_DR_TA_1', 'directory', '7.3.6.7', 'directory', 'CP56', 1, [], [3, 5]],
  [127, 'F_SC_NB_1', 'query log, request archive file', '5-104 § 8.9', 'queryLog', 'none', 0, [5, 13], [13, ...UNKNOWN]],
];

function groupOf(id: number): TypeGroup {
  if (id >= 45 && id <= 64) return 'control';
  if (id >= 100 && id <= 107) return 'system';
  if (id >= 110 && id <= 113) return 'parameter';
  if (id >= 120) return 'file';
  return 'monitor';
}

/** Every type of the companion standard, ascending by type identification. */
export const TYPES: readonly TypeSpec[] = ROWS.map(
  ([id, name, text, clause, element, time, sequence, controlCauses, monitorCauses]) => ({
    id,
    name,
    text,
    clause,
    group: groupOf(id),
    element,
    time,
    sequence: sequence === 1,
    controlCauses,
    monitorCauses,
  }),
);

const byId: (TypeSpec | undefined)[] = Array.from({ length: 256 }, () => undefined);
const byName = new Map<string, TypeSpec>();
for (const spec of TYPES) {
  byId[spec.id] = spec;
  byName.set(spec.name, spec);
}

/** The row of a type, undefined for one that the companion standard does not define. */
export function typeSpec(id: number): TypeSpec | undefined {
  return byId[id];
}

/** The row of a type by its reference name (`M_ME_NC_1`). */
export function typeByName(name: string): TypeSpec | undefined {
  return byName.get(name);
}

/** `M_ME_NC_1`, or `type 99` where there is none. */
export function typeName(id: number): string {
  return byId[id]?.name ?? `type ${id}`;
}
