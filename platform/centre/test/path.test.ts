import {
  DEVELOPMENT_POLICY,
  type NodeTrust,
  PRODUCTION_POLICY,
  type TrustPolicy,
  type TrustPort,
} from '@enerchain/attestation';
import { describe, expect, it } from 'vitest';
import type { CommandCheckInput } from '../src/commands/checks.ts';
import { pathCheck } from '../src/commands/path.ts';
import type { PointInfo } from '../src/ports.ts';
import { mRID, SECOND, T0, TestClock } from './doubles.ts';

const clock = new TestClock();
const node = (name: string, fields: Partial<NodeTrust> = {}): NodeTrust => ({
  node: name,
  role: name.startsWith('net') ? 'network' : 'edge',
  tier: 'tpm',
  status: 'affirming',
  trustedUntil: T0 + 20n * SECOND,
  reaction: 'none',
  reason: 'fresh evidence, as it should be',
  since: T0,
  neighbours: [],
  ...fields,
});
const point = { mRID: mRID(1), name: 'Q0', source: 'edge-nord', endpoint: 'rtu-1' } as PointInfo;
const verdict = (path: NodeTrust[], policy: TrustPolicy | undefined = PRODUCTION_POLICY) => {
  const trust: TrustPort = {
    policy,
    all: () => path,
    get: () => undefined,
    pathTo: () => path,
    onChange: () => () => {},
  };
  return pathCheck(trust, clock).check({ point } as CommandCheckInput);
};
const software = { tier: 'software', status: 'warning' } as const;

describe('the check of the path', () => {
  it('passes when every node on the way has a fresh good result of the tier that is asked for', () => {
    expect(verdict([node('net-1'), node('edge-nord')])).toEqual({
      ok: true,
      text: 'Every node on the way is attested: net-1 → edge-nord.',
      hops: [
        { node: 'net-1', role: 'network', ok: true, text: 'net-1 is attested (tpm), good for another 20 s.' },
        { node: 'edge-nord', role: 'edge', ok: true, text: 'edge-nord is attested (tpm), good for another 20 s.' },
      ],
    });
  });

  it('takes software for good only under a policy that says so', () => {
    const path = [node('edge-nord', software)];
    expect(verdict(path, DEVELOPMENT_POLICY)).toMatchObject({ ok: true });
    expect(verdict(path)).toMatchObject({
      ok: false,
      text: /edge-nord is attested by software only.*production-1 asks for a TPM/,
    });
  });

  it.each<[string, Partial<NodeTrust>, RegExp]>([
    [
      'is contraindicated',
      { status: 'contraindicated', trustedUntil: undefined, reason: 'its firmware changed' },
      /net-1 is not trusted \(contraindicated\): its firmware changed/,
    ],
    [
      'has no result',
      { tier: undefined, status: 'none', trustedUntil: undefined, reason: 'not attested yet' },
      /net-1 is not attested: not attested yet/,
    ],
    [
      'has a result that ran out',
      { trustedUntil: T0 },
      /The last good result about net-1 ran out at 2027-01-15T08:00:00/,
    ],
    [
      'is in quarantine, good as it may be',
      { reaction: 'quarantine', reason: 'by an operator' },
      /net-1 is in quarantine: by an operator/,
    ],
    [
      'is restricted',
      { reaction: 'restrict', reason: 'silent to edge-sued' },
      /net-1 is restricted to the monitoring direction/,
    ],
  ])('says which node %s, and why', (_name, fields, text) => {
    const result = verdict([node('net-1', fields), node('edge-nord')]);
    expect(result).toMatchObject({
      ok: false,
      text,
      hops: [
        { node: 'net-1', ok: false },
        { node: 'edge-nord', ok: true },
      ],
    });
  });

  it('knows no way, no good: neither without a path nor without a policy', () => {
    expect(verdict([])).toMatchObject({ ok: false, text: 'No attested way to edge-nord is known.' });
    const trust = { policy: undefined, pathTo: () => [node('edge-nord')] } as unknown as TrustPort;
    expect(pathCheck(trust, clock).check({ point } as CommandCheckInput)).toMatchObject({
      ok: false,
      text: /no policy/,
    });
  });

  it.each(['Q0', 'endpoint:rtu-1', mRID(1)])(
    'leaves essential functions in reach, and still says what is wrong: %s',
    (entry) => {
      const policy = { ...PRODUCTION_POLICY, essential: [entry] };
      const bad = node('edge-nord', {
        status: 'contraindicated',
        trustedUntil: undefined,
        reason: 'its firmware changed',
      });
      expect(verdict([bad], policy)).toMatchObject({
        ok: true,
        text: /stays in reach.*its firmware changed/,
        hops: [{ ok: false }],
      });
      expect(verdict([], policy)).toMatchObject({ ok: true, text: /No way to edge-nord is known/ });
      expect(verdict([bad], { ...policy, essential: ['other'] })).toMatchObject({ ok: false });
    },
  );
});
