/** What the ASDU types of IEC 60870-5-101 § 7.3 mean in the model: kind and common data class of a bound point. */
import type { PointKind } from '@enerchain/model';

export interface ObjectType {
  readonly direction: 'monitor' | 'control';
  readonly kind: PointKind;
  readonly cdc: string;
  /** Control direction: the type identification that is sent. */
  readonly typeId?: number;
  /** Control direction: has a CP56Time2a (types 58 to 64). */
  readonly timed?: boolean;
}

const monitor = (kind: PointKind, cdc: string, names: readonly string[]): [string, ObjectType][] =>
  names.map((name) => [name, { direction: 'monitor', kind, cdc }]);
const control = (kind: PointKind, cdc: string, name: string, typeId: number, timed = false): [string, ObjectType] => [
  name,
  { direction: 'control', kind, cdc, typeId, timed },
];

/** By reference name; a monitored point accepts every time form of its family, whichever of them the list names. */
export const OBJECT_TYPES: ReadonlyMap<string, ObjectType> = new Map([
  ...monitor('discrete', 'SPS', ['M_SP_NA_1', 'M_SP_TA_1', 'M_SP_TB_1']),
  ...monitor('discrete', 'DPS', ['M_DP_NA_1', 'M_DP_TA_1', 'M_DP_TB_1']),
  ...monitor('discrete', 'INS', ['M_ST_NA_1', 'M_ST_TA_1', 'M_ST_TB_1']),
  ...monitor('discrete', 'INS', ['M_BO_NA_1', 'M_BO_TA_1', 'M_BO_TB_1', 'M_PS_NA_1']),
  ...monitor('analog', 'MV', ['M_ME_NA_1', 'M_ME_TA_1', 'M_ME_ND_1', 'M_ME_TD_1']),
  ...monitor('analog', 'MV', ['M_ME_NB_1', 'M_ME_TB_1', 'M_ME_TE_1', 'M_ME_NC_1', 'M_ME_TC_1', 'M_ME_TF_1']),
  ...monitor('accumulator', 'BCR', ['M_IT_NA_1', 'M_IT_TA_1', 'M_IT_TB_1', 'S_IT_TC_1']),
  ...monitor('discrete', 'ACD', ['M_EP_TA_1', 'M_EP_TB_1', 'M_EP_TC_1', 'M_EP_TD_1', 'M_EP_TE_1', 'M_EP_TF_1']),
  control('command', 'SPC', 'C_SC_NA_1', 45),
  control('command', 'DPC', 'C_DC_NA_1', 46),
  control('command', 'BSC', 'C_RC_NA_1', 47),
  control('setpoint', 'APC', 'C_SE_NA_1', 48),
  control('setpoint', 'APC', 'C_SE_NB_1', 49),
  control('setpoint', 'APC', 'C_SE_NC_1', 50),
  control('setpoint', 'ISC', 'C_BO_NA_1', 51),
  control('command', 'SPC', 'C_SC_TA_1', 58, true),
  control('command', 'DPC', 'C_DC_TA_1', 59, true),
  control('command', 'BSC', 'C_RC_TA_1', 60, true),
  control('setpoint', 'APC', 'C_SE_TA_1', 61, true),
  control('setpoint', 'APC', 'C_SE_TB_1', 62, true),
  control('setpoint', 'APC', 'C_SE_TC_1', 63, true),
  control('setpoint', 'ISC', 'C_BO_TA_1', 64, true),
]);
