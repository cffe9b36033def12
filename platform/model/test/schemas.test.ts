import { describe, expect, it } from 'vitest';
import { derivedMrid, Point, SiteDocument, uuidFromBytes, uuidToBytes, uuidV5, validator } from '../src/index.ts';

describe('identity', () => {
  it('derives UUIDv5 as RFC 9562 appendix A.4 does', () => {
    expect(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
      '2ed6657d-e927-568b-95e1-2665a8aea6a2',
    );
  });

  it('keeps points of different addresses apart, even with separators in the names', () => {
    expect(derivedMrid('a|b', 'c', 'd')).not.toBe(derivedMrid('a', 'b|c', 'd'));
    expect(derivedMrid('a', 'b', 'c')).toBe(derivedMrid('a', 'b', 'c'));
  });

  it('packs a UUID into 16 octets and back', () => {
    const mrid = derivedMrid('s', 'e', 'ca=1 ioa=2');
    expect(uuidFromBytes(uuidToBytes(mrid))).toBe(mrid);
    expect(() => uuidToBytes('nonsense')).toThrow(RangeError);
  });
});

describe('schemas', () => {
  const point = { mRID: derivedMrid('s', 'e', 'a'), name: 'T1 P', kind: 'analog' };

  it('accept what is right', () => {
    expect(validator(Point).is(point)).toBe(true);
    const site = {
      source: 'edge-a',
      site: { id: 's', name: 'S' },
      version: 1,
      endpoints: [],
      points: [point],
      bindings: [],
    };
    expect(validator(SiteDocument).findings(site)).toEqual([]);
  });

  it('say where data is wrong', () => {
    const findings = validator(Point).findings({
      ...point,
      kind: 'analogue',
      limits: [{ kind: 'high', value: 'x', priority: 1 }],
    });
    expect(findings.map((finding) => finding.path)).toEqual(expect.arrayContaining(['/kind', '/limits/0/value']));
    expect(() => validator(Point).parse({}, 'the point list')).toThrow(/^the point list is not valid/);
  });
});
