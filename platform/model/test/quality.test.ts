import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fromQualityObject,
  QDS,
  QUALITY,
  qualityFromBcr,
  qualityFromQds,
  qualityToBcr,
  qualityToQds,
  toQualityObject,
  validity,
} from '../src/index.ts';

const ALL_QDS = QDS.OV | QDS.BL | QDS.SB | QDS.NT | QDS.IV;

describe('quality between IEC 104 and IEC 61850-7-3', () => {
  it('loses nothing from 104 to 61850 and back, for every quality descriptor', () => {
    for (let qds = 0; qds < 256; qds++) {
      if ((qds & ~ALL_QDS) !== 0) continue;
      expect(qualityToQds(qualityFromQds(qds)), `QDS 0x${qds.toString(16)}`).toBe(qds);
    }
  });

  it('loses nothing of a counter reading', () => {
    for (const flags of [0, 0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0, 0xe0]) {
      expect(qualityToBcr(qualityFromBcr(flags))).toBe(flags);
    }
  });

  it('never makes a bad value look good to a 104 master', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7fff }), (quality) => {
        const qds = qualityToQds(quality);
        if (validity(quality) === 'invalid') expect(qds & QDS.IV).not.toBe(0);
        if (validity(quality) === 'questionable') expect(qds & (QDS.NT | QDS.BL | QDS.OV | QDS.IV)).not.toBe(0);
      }),
    );
  });

  it('turns IV into invalid whatever else is set', () => {
    expect(validity(qualityFromQds(QDS.IV | QDS.NT | QDS.BL))).toBe('invalid');
    expect(validity(qualityFromQds(QDS.NT))).toBe('questionable');
    expect(validity(qualityFromQds(QDS.SB))).toBe('good');
  });
});

describe('quality as an object', () => {
  it('comes back the same when the source is one of four', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x1fff }),
        fc.constantFrom(0, QUALITY.defaulted, QUALITY.estimated, QUALITY.substituted),
        (bits, source) => {
          const quality = (bits & ~QUALITY.substituted) | source;
          expect(fromQualityObject(toQualityObject(quality))).toBe(quality);
        },
      ),
    );
  });
});
