/**
 * What an information object holds, as plain facts. `quality` is the quality octet as on the wire with the value bits
 * removed (see `QUALITY`); IV, NT, SB, BL stay where the standard puts them. Numbers keep the ranges of the standard;
 * encoding one that is out of range is the caller's error.
 */
import type { Cp56Time } from './time.ts';

export type Element =
  | { readonly kind: 'none' }
  /** SIQ: value 0 or 1. */
  | { readonly kind: 'single'; readonly value: number; readonly quality: number }
  /** DIQ: value 0 intermediate, 1 off, 2 on, 3 indeterminate. */
  | { readonly kind: 'double'; readonly value: number; readonly quality: number }
  /** VTI: value -64 to 63; `transient` while the equipment moves. */
  | { readonly kind: 'step'; readonly value: number; readonly transient: boolean; readonly quality: number }
  /** BSI: unsigned 32 bits. */
  | { readonly kind: 'bitstring'; readonly value: number; readonly quality: number }
  /** NVA: `raw` is the int16 of the wire; see `normalizedValue`. */
  | { readonly kind: 'normalized'; readonly raw: number; readonly quality: number }
  /** SVA: int16. */
  | { readonly kind: 'scaled'; readonly value: number; readonly quality: number }
  /** IEEE STD 754 short float. */
  | { readonly kind: 'short'; readonly value: number; readonly quality: number }
  /** BCR: int32, sequence number 0 to 31, flags CY, CA, IV as on the wire (see `COUNTER`). */
  | { readonly kind: 'integratedTotal'; readonly value: number; readonly sequence: number; readonly flags: number }
  /** BCR with the association (AID) whose security statistics it counts. */
  | {
      readonly kind: 'securityTotal';
      readonly association: number;
      readonly value: number;
      readonly sequence: number;
      readonly flags: number;
    }
  /** SEP: value 0 indeterminate, 1 off, 2 on, 3 indeterminate; `elapsed` CP16Time2a in milliseconds. */
  | { readonly kind: 'protectionEvent'; readonly value: number; readonly quality: number; readonly elapsed: number }
  /** SPE: start events as bits; `elapsed` is the relay duration time, milliseconds. */
  | { readonly kind: 'protectionStart'; readonly value: number; readonly quality: number; readonly elapsed: number }
  /** OCI: output circuits as bits; `elapsed` is the relay operating time, milliseconds. */
  | { readonly kind: 'protectionOutput'; readonly value: number; readonly quality: number; readonly elapsed: number }
  /** SCD: 16 states (bit 0 is the first) and 16 change bits. */
  | { readonly kind: 'packedSingle'; readonly value: number; readonly changes: number; readonly quality: number }
  | { readonly kind: 'normalizedPlain'; readonly raw: number }
  /** SCO: value 0 or 1; qualifier QU 0 to 31; `select` is S/E. */
  | { readonly kind: 'singleCommand'; readonly value: number; readonly qualifier: number; readonly select: boolean }
  /** DCO: value 1 off, 2 on (0 and 3 are not permitted, but can be received). */
  | { readonly kind: 'doubleCommand'; readonly value: number; readonly qualifier: number; readonly select: boolean }
  /** RCO: value 1 lower, 2 higher (0 and 3 are not permitted, but can be received). */
  | { readonly kind: 'stepCommand'; readonly value: number; readonly qualifier: number; readonly select: boolean }
  /** NVA with QOS: qualifier QL 0 to 127. */
  | { readonly kind: 'setpointNormalized'; readonly raw: number; readonly qualifier: number; readonly select: boolean }
  | { readonly kind: 'setpointScaled'; readonly value: number; readonly qualifier: number; readonly select: boolean }
  | { readonly kind: 'setpointShort'; readonly value: number; readonly qualifier: number; readonly select: boolean }
  | { readonly kind: 'bitstringCommand'; readonly value: number }
  /** COI: cause 0 to 127, and whether local parameters were changed. */
  | { readonly kind: 'endOfInitialization'; readonly cause: number; readonly parametersChanged: boolean }
  /** QOI: 20 station, 21 to 36 groups. */
  | { readonly kind: 'interrogation'; readonly qualifier: number }
  /** QCC: `request` RQT 0 to 63, `freeze` FRZ 0 to 3. */
  | { readonly kind: 'counterInterrogation'; readonly request: number; readonly freeze: number }
  /** FBP of C_TS_NA_1 (0x55AA), or the test sequence counter TSC of C_TS_TA_1. */
  | { readonly kind: 'test'; readonly pattern: number }
  /** QRP. */
  | { readonly kind: 'resetProcess'; readonly qualifier: number }
  /** CP16Time2a, milliseconds 0 to 59999. */
  | { readonly kind: 'delayAcquisition'; readonly milliseconds: number }
  /** `qualifier` is QPM as on the wire: KPA in bits 0 to 5, LPC 0x40, POP 0x80. */
  | { readonly kind: 'parameterNormalized'; readonly raw: number; readonly qualifier: number }
  | { readonly kind: 'parameterScaled'; readonly value: number; readonly qualifier: number }
  | { readonly kind: 'parameterShort'; readonly value: number; readonly qualifier: number }
  /** QPA. */
  | { readonly kind: 'parameterActivation'; readonly qualifier: number }
  /** `file` is the name of file NOF, `length` in octets, `qualifier` FRQ (0x80 = negative). */
  | { readonly kind: 'fileReady'; readonly file: number; readonly length: number; readonly qualifier: number }
  /** `section` is the name of section NOS, `qualifier` SRQ (0x80 = not ready). */
  | {
      readonly kind: 'sectionReady';
      readonly file: number;
      readonly section: number;
      readonly length: number;
      readonly qualifier: number;
    }
  /** SCQ: 1 select file, 2 request file, 3 deactivate file, 4 delete file, 5 to 7 the same for sections. */
  | { readonly kind: 'fileCall'; readonly file: number; readonly section: number; readonly qualifier: number }
  /** LSQ and the checksum CHS: arithmetic sum of all octets modulo 256. */
  | {
      readonly kind: 'lastSection';
      readonly file: number;
      readonly section: number;
      readonly qualifier: number;
      readonly checksum: number;
    }
  /** AFQ. */
  | { readonly kind: 'fileAcknowledge'; readonly file: number; readonly section: number; readonly qualifier: number }
  /** Octets of a section; at most 255, and as many as the ASDU has room for. */
  | { readonly kind: 'segment'; readonly file: number; readonly section: number; readonly data: Uint8Array }
  /** `status` SOF: 0 to 4 reserved, 0x20 last file of the directory, 0x40 name is a subdirectory, 0x80 transfer active. */
  | { readonly kind: 'directory'; readonly file: number; readonly length: number; readonly status: number }
  | { readonly kind: 'queryLog'; readonly file: number; readonly from: Cp56Time; readonly to: Cp56Time };

export type ElementKind = Element['kind'];
export type ElementOf<K extends ElementKind> = Extract<Element, { readonly kind: K }>;

/**
 * A normalised value as a fraction: raw / 2¹⁵, -1 to 1 - 2⁻¹⁵ (5-101 § 7.2.6.6). Other stacks scale slightly
 * differently, which is why `raw` is what is kept.
 */
export function normalizedValue(raw: number): number {
  return raw / 32768;
}

/** The int16 nearest to a fraction, clamped to the range of the wire. */
export function normalizedRaw(value: number): number {
  return Math.max(-32768, Math.min(32767, Math.round(value * 32768)));
}
