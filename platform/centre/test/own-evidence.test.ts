/** The centre as an attester of its gateways, in virtual time. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bindingOf, decodeEvidence, evidenceQuestion, readEvidenceAnswer } from '@enerchain/attestation';
import { DevelopmentCa, obtainIdentity } from '@enerchain/trust';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OwnEvidence } from '../src/trust/own-evidence.ts';
import type { AttestedPeer } from '../src/trust/peer.ts';
import { Source, settle, Time } from './trust-world.ts';

let dir: string;
let time: Time;
let own: OwnEvidence;
let quotes: number;
let change: () => void;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'enerchain-own-evidence-'));
  time = new Time();
  const ca = await DevelopmentCa.open(join(dir, 'ca'), { clock: time.clock });
  const identity = await obtainIdentity(join(dir, 'centre'), { name: 'centre', role: 'centre' }, async (request) => ({
    certificate: await ca.issue(request, { name: 'centre', role: 'centre' }),
    ca: ca.certificatePem,
  }));
  const { attester } = await Source.open(identity, dir, time.clock);
  quotes = 0;
  own = new OwnEvidence({
    attester: Promise.resolve({
      node: attester.node,
      tier: attester.tier,
      onChange: (listener) => attester.onChange(listener),
      evidence: (bindings, since) => {
        quotes++;
        return attester.evidence(bindings, since);
      },
    }),
    onChange: (listener) => {
      change = listener;
      return () => undefined;
    },
    clock: time.clock,
    after: time.after,
  });
});
afterEach(() => {
  own.close();
  rmSync(dir, { recursive: true, force: true });
});

function peer(source: string, through = source): AttestedPeer & { readonly channel: Uint8Array } {
  const channel = randomBytes(32);
  return {
    source,
    holder: { name: through, role: through === source ? 'edge' : 'relay' },
    exporter: () => channel,
    request: async () => null,
    channel,
  };
}

async function ask(from: AttestedPeer, nonce: Uint8Array) {
  const answer = own.answer(from, evidenceQuestion(nonce, undefined));
  answer.catch(() => undefined);
  await time.pass(60);
  return decodeEvidence(readEvidenceAnswer(await answer).evidence).claims.bindings;
}

it('is bound to the connection on which it was asked for, whatever is asked', async () => {
  const nord = peer('edge-nord');
  const nonce = randomBytes(32);
  const bindingFor = (channel: Uint8Array) =>
    bindingOf({ nonce, exporter: channel, verifier: 'edge-nord', node: 'centre' });
  expect(await ask(nord, nonce)).toEqual([Uint8Array.from(bindingFor(nord.channel))]);
  // Who stands between a gateway and its centre, and passes the question on over a connection of its own.
  const [relayed] = await ask(peer('edge-sued'), nonce);
  expect(Buffer.compare(relayed!, bindingFor(nord.channel))).not.toBe(0);
  // And nobody says himself what it is bound to.
  await expect(own.answer(nord, { bindings: [bindingFor(nord.channel)] })).rejects.toMatchObject({
    code: 'attestation.request',
    fault: 'peer',
  });
  await expect(own.answer(nord, evidenceQuestion(randomBytes(8), undefined))).rejects.toThrow('no nonce of 16');
  await expect(own.answer(peer('edge-nord', 'relay-1'), evidenceQuestion(nonce, undefined))).rejects.toMatchObject({
    code: 'attestation.relay',
  });
});

it('answers many gateways that ask at once with one quote, and nobody without end', async () => {
  const gateways = Array.from({ length: 40 }, (_, i) => peer(`edge-${i}`));
  const answers = gateways.map((each) => own.answer(each, evidenceQuestion(randomBytes(32), undefined)));
  await time.pass(60);
  await Promise.all(answers);
  expect(quotes).toBe(1);
  const greedy = gateways[0]!;
  const many = await Promise.allSettled(
    Array.from({ length: 30 }, () => {
      const answer = own.answer(greedy, evidenceQuestion(randomBytes(32), undefined));
      void time.pass(0);
      return Promise.race([answer, settle().then(() => 'under way')]);
    }),
  );
  const refused = many.filter(({ status }) => status === 'rejected');
  expect(refused.length).toBe(21);
  expect(refused[0]).toMatchObject({ reason: { code: 'attestation.busy' } });
  expect(own.counters.refused).toBe(21);
});

it('tells once of many changes in a moment', async () => {
  let told = 0;
  const unsubscribe = own.onChange(() => told++);
  for (let i = 0; i < 5; i++) change();
  await time.pass(200);
  expect(told).toBe(1);
  change();
  unsubscribe();
  await time.pass(200);
  expect(told).toBe(1);
});
