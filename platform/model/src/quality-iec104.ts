/**
 * Quality between IEC 60870-5-101/104 and IEC 61850-7-3, as a table with its losses.
 *
 * | 104 (QDS/SIQ/DIQ, 5-101 § 7.2.6.3) | here | back |
 * |---|---|---|
 * | IV invalid         | validity invalid                    | validity invalid → IV |
 * | NT not topical     | questionable + oldData              | oldData → NT |
 * | SB substituted     | source substituted                  | substituted, defaulted or estimated → SB |
 * | BL blocked         | questionable + operatorBlocked      | operatorBlocked → BL |
 * | OV overflow        | questionable + overflow             | overflow or outOfRange → OV |
 * | BCR CY carry       | overflow of the counter: overflow   | overflow → CY |
 * | BCR CA adjusted    | inconsistent (counter was set)      | inconsistent → CA |
 *
 * Lost on the way from 61850 to 104: badReference, oscillatory, failure, inconsistent, inaccurate; they become IV when
 * the validity is invalid, and NT when it is questionable and no flag of 104 says why. `test` travels in the cause of
 * transmission (T bit), not in the quality. Nothing is lost on the way from 104 to 61850 and back.
 */
import { QUALITY, type Quality, validity } from './quality.ts';

/** The quality descriptor of IEC 60870-5-101 § 7.2.6.3, bits as on the wire; `OV` only for measured values. */
export const QDS = { OV: 0x01, EI: 0x08, BL: 0x10, SB: 0x20, NT: 0x40, IV: 0x80 } as const;

/** Flags of a binary counter reading (5-101 § 7.2.6.9), bits as on the wire. */
export const BCR = { CY: 0x20, CA: 0x40, IV: 0x80 } as const;

/** @param qds quality octet as on the wire (value bits of SIQ/DIQ already removed) */
export function qualityFromQds(qds: number): Quality {
  let quality = 0;
  if (qds & QDS.NT) quality |= QUALITY.oldData | QUALITY.questionable;
  if (qds & QDS.BL) quality |= QUALITY.operatorBlocked | QUALITY.questionable;
  if (qds & QDS.OV) quality |= QUALITY.overflow | QUALITY.questionable;
  if (qds & QDS.SB) quality |= QUALITY.substituted;
  if (qds & QDS.IV) quality = (quality & ~0b11) | QUALITY.invalid;
  return quality;
}

/** @returns quality octet as on the wire */
export function qualityToQds(quality: Quality): number {
  let qds = 0;
  if (quality & QUALITY.oldData) qds |= QDS.NT;
  if (quality & QUALITY.operatorBlocked) qds |= QDS.BL;
  if (quality & (QUALITY.overflow | QUALITY.outOfRange)) qds |= QDS.OV;
  if (quality & (QUALITY.substituted | QUALITY.defaulted | QUALITY.estimated)) qds |= QDS.SB;
  if (validity(quality) === 'invalid') qds |= QDS.IV;
  if (validity(quality) === 'questionable' && (qds & (QDS.NT | QDS.BL | QDS.OV)) === 0) qds |= QDS.NT;
  return qds;
}

/** @param flags CY, CA and IV of a counter reading, as on the wire */
export function qualityFromBcr(flags: number): Quality {
  let quality = 0;
  if (flags & BCR.CY) quality |= QUALITY.overflow | QUALITY.questionable;
  if (flags & BCR.CA) quality |= QUALITY.inconsistent | QUALITY.questionable;
  if (flags & BCR.IV) quality = (quality & ~0b11) | QUALITY.invalid;
  return quality;
}

/** @returns CY, CA and IV of a counter reading, as on the wire */
export function qualityToBcr(quality: Quality): number {
  let flags = 0;
  if (quality & QUALITY.overflow) flags |= BCR.CY;
  if (quality & QUALITY.inconsistent) flags |= BCR.CA;
  if (validity(quality) === 'invalid') flags |= BCR.IV;
  return flags;
}
