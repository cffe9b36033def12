/** A gateway that attests its centre, in virtual time. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Attester,
  bindingOf,
  DEVELOPMENT_POLICY,
  EVIDENCE_METHOD,
  hopRefusal,
  type NodeTrust,
  ReferenceValues,
  readEvidenceQuestion,
  signManifest,
  type TrustPolicy,
  Verifier,
} from '@enerchain/attestation';
import { type CborValue, DevelopmentCa, obtainIdentity } from '@enerchain/trust';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CentreWatch } from '../src/trust/centre-watch.ts';
import { SOFTWARE, Software } from './trusted.ts';

/** Passes when told; what falls due happens in order, with all that follows from it. */
class Time {
  #at = 0;
  #timers: { readonly due: number; readonly act: () => void }[] = [];
  readonly clock = {
    now: () => 1_800_000_000_000_000_000n + BigInt(Math.round(this.#at * 1e6)),
    monotonic: () => this.#at,
  };
  readonly after = (milliseconds: number, act: () => void) => {
    const timer = { due: this.#at + milliseconds, act };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  };

  async run(milliseconds: number): Promise<void> {
    const end = this.#at + milliseconds;
    for (;;) {
      const next = this.#timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#at = Math.max(this.#at, next.due);
      next.act();
      for (let i = 0; i < 15; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#at = end;
  }
}

const POLICY: TrustPolicy = { ...DEVELOPMENT_POLICY, appraisal: {} };
const channel = randomBytes(32);
let dir: string;
let time: Time;
let software: Software;
let attester: Attester;
let watch: CentreWatch;
let policy: TrustPolicy | undefined;
let changes: NodeTrust[];
/** The exporter of the connection at whose end the centre answers. */
let answersOn: Uint8Array;
/** Instead of the centre. */
let answer: ((params: CborValue) => Promise<CborValue>) | undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'enerchain-watch-'));
  time = new Time();
  const { clock, after } = time;
  const ca = await DevelopmentCa.open(join(dir, 'ca'), { clock });
  const identityOf = (name: string, role: 'centre' | 'edge') =>
    obtainIdentity(join(dir, name), { name, role }, async (request) => ({
      certificate: await ca.issue(request, { name, role }),
      ca: ca.certificatePem,
    }));
  const [centre, edge] = [await identityOf('centre', 'centre'), await identityOf('edge-test', 'edge')];
  software = new Software();
  attester = await software.attester(centre);
  const references = new ReferenceValues();
  const manifest = { id: 'test', version: 1, signer: 'test', notBefore: 0n, notAfter: 2n ** 62n, registers: [] };
  references.add(await signManifest({ ...manifest, components: SOFTWARE }, centre.signer, centre.kid));
  policy = POLICY;
  changes = [];
  answersOn = channel;
  answer = undefined;
  watch = new CentreWatch({
    self: 'edge-test',
    verifier: new Verifier({
      name: 'edge-test',
      signer: edge.signer,
      kid: () => edge.kid,
      clock,
      policy: () => policy,
      references,
      caPem: ca.certificatePem,
    }),
    policy: () => policy,
    ask: async (method, params) => {
      expect(method).toBe(EVIDENCE_METHOD);
      if (answer) return answer(params);
      const { nonce, since } = readEvidenceQuestion(params);
      const binding = bindingOf({ nonce, exporter: answersOn, verifier: 'edge-test', node: 'centre' });
      return { evidence: await attester.evidence([binding], since) };
    },
    exporter: () => channel,
    clock,
    after,
    onChange: (trust) => changes.push(trust),
  });
});
afterEach(() => {
  watch.close();
  rmSync(dir, { recursive: true, force: true });
});

const refusal = () => hopRefusal(watch.trust, policy, time.clock.now());

test('is good from the first answer on, and asked again each period', async () => {
  expect(refusal()).toBe('centre is not attested: not attested yet.');
  await time.run(60_000);
  expect(watch.counters.asked).toBe(0);
  watch.connected();
  await time.run(100);
  expect(refusal()).toBeUndefined();
  expect(watch.trust).toMatchObject({ node: 'centre', role: 'centre', tier: 'software', status: 'warning' });
  await time.run(59_000);
  expect(watch.counters.asked).toBe(6);
});

test('knows no good centre without a policy', async () => {
  policy = undefined;
  watch.connected();
  await time.run(10_000);
  expect(watch.counters.asked).toBe(0);
  policy = POLICY;
  watch.soon();
  await time.run(1_000);
  expect(refusal()).toBeUndefined();
});

test('that has changed is no hop for commands any more, until it shows that it is good', async () => {
  watch.connected();
  await time.run(100);
  software.change('main.ts', 'with a back door');
  watch.soon();
  await time.run(200);
  expect(refusal()).toMatch(/^centre is restricted to the monitoring direction: main\.ts is .{12} instead of .{12}\.$/);
  expect(changes.at(-1)).toMatchObject({ reaction: 'restrict', status: 'contraindicated' });
  // A start with what was released.
  software.restart();
  watch.connected();
  await time.run(200);
  expect(refusal()).toBeUndefined();
});

test('whose evidence was made for another connection is somebody in the middle', async () => {
  answersOn = randomBytes(32);
  watch.connected();
  await time.run(100);
  expect(refusal()).toMatch(/does not answer this challenge on this channel/);
});

test('that does not answer is good until its last result runs out, and asked less and less often', async () => {
  watch.connected();
  await time.run(100);
  answer = () => Promise.reject(new Error('busy'));
  await time.run(29_000);
  expect(refusal()).toBeUndefined();
  await time.run(3_000);
  expect(refusal()).toMatch(/^centre is .*it gives no evidence: busy\.$/);
  const { asked } = watch.counters;
  await time.run(60_000);
  expect(watch.counters.asked - asked).toBeLessThanOrEqual(7);
  expect(watch.trust.reaction).toBe('restrict');
  answer = async () => ({ evidence: randomBytes(100) });
  await time.run(30_000);
  expect(refusal()).toBeDefined();
  answer = undefined;
  await time.run(20_000);
  expect(refusal()).toBeUndefined();
  // Nobody is asked who is not there.
  watch.left();
  const before = watch.counters.asked;
  await time.run(60_000);
  expect(watch.counters.asked).toBe(before);
  expect(refusal()).toMatch(/^centre is not /);
});
