/** What a witness is asked over the link, and its memory on disk. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import { type CborValue, DevelopmentCa, makeIdentity, requestFor } from '@enerchain/trust';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isCosignedBy,
  isSignedBy,
  keyIdOf,
  parseCheckpoint,
  readWitnessRequest,
  type WitnessEvent,
  witnessAnswers,
  witnessFile,
} from '../src/index.ts';
import { LogWorld, newFolder, newSigner, StillClock } from '../src/testing/world.ts';

describe('a request to cosign', () => {
  it('is read or refused, never a crash', () => {
    const some = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.uint8Array(), fc.array(fc.uint8Array()));
    const any = fc.oneof(some, fc.record({ note: some, from: some, proof: some, key: some }));
    fc.assert(
      fc.property(any, (params) => {
        try {
          readWitnessRequest(params as CborValue);
        } catch (error) {
          expect(error).toMatchObject({ code: 'provenance.witness.request', fault: 'peer' });
        }
      }),
    );
    const request = { note: 'n', from: 0, proof: [Buffer.alloc(32)], key: 'k' };
    expect(readWitnessRequest(request)).toEqual(request);
    for (const wrong of [{ from: -1 }, { from: 0.5 }, { proof: [Buffer.alloc(31)] }, { note: 'n'.repeat(40_000) }]) {
      expect(() => readWitnessRequest({ ...request, ...wrong })).toThrow(EnerchainError);
    }
  });

  it('is answered by a node that keeps its memory in a file, and by none that has lost it', async () => {
    const [world, ca] = [new LogWorld(), await DevelopmentCa.open(newFolder())];
    const holder = { name: 'edge-nord', role: 'edge' } as const;
    const identityOf = async (signer = newSigner()) => {
      const certificatePem = await ca.issue(await requestFor(holder, signer), holder);
      const keyPem = String(signer.privateKey.export({ type: 'pkcs8', format: 'pem' }));
      return makeIdentity({ certificatePem, caPem: ca.certificatePem, signer, keyPem });
    };
    let identity = await identityOf();
    const [dataDir, events]: [string, WitnessEvent[]] = [newFolder(), []];
    const open = () =>
      witnessAnswers({
        dataDir,
        identity: () => identity,
        clock: new StillClock(),
        onEvent: (event) => events.push(event),
      });
    let answers = open();
    const ask = (note: string, from = 0) => answers(world.request(note, from) as unknown as CborValue);
    const first = await world.grow(5);
    expect(await ask(first)).toMatchObject({ kind: 'cosigned' });
    answers = open();
    const second = await world.grow(9);
    expect(await ask(second)).toEqual({ kind: 'from', size: 5 });
    expect(await ask(second, 5)).toMatchObject({ kind: 'cosigned' });
    expect(witnessFile(join(dataDir, 'witness', 'memory.json')).load()).toMatchObject({ note: second });

    // Another key of the same node goes on where the first one stood.
    identity = await identityOf();
    const third = await world.grow(12);
    const answer = (await ask(third, 9)) as { time: bigint; signature: Uint8Array };
    const signed = parseCheckpoint(third);
    const { publicKey } = identity.signer;
    expect(isCosignedBy({ ...answer, witness: 'edge-nord', keyId: keyIdOf(publicKey) }, signed.text, publicKey)).toBe(
      true,
    );

    const file = join(dataDir, 'witness', 'memory.json');
    const kept = readFileSync(file, 'utf8');
    for (const damaged of ['{', '{}', kept.replace(/"note": ".*"/, '"note": "x"')]) {
      writeFileSync(file, damaged);
      answers = open();
      await expect(ask(third, 12)).rejects.toMatchObject({ code: 'provenance.witness.memory' });
    }
    expect(events.map(({ code }) => code)).toEqual(Array(3).fill('provenance.witness.memory'));
    events.length = 0;
    writeFileSync(file, kept);
    expect(await ask(third, 12)).toMatchObject({ kind: 'cosigned' });

    // A log that forks is told once, and both of its notes are kept, each under its own signature.
    const fork = new LogWorld();
    Object.assign(fork, { signer: world.signer });
    fork.open();
    for (const size of [12, 13]) {
      const note = await fork.grow(size, 'x');
      const asked = fork.request(note, size === 12 ? 0 : 12) as unknown as CborValue;
      for (let turn = 0; turn < 3; turn++) expect(await answers(asked)).toMatchObject({ kind: 'refused' });
    }
    expect(events.map(({ code }) => code)).toEqual(['provenance.fork', 'provenance.inconsistent']);
    const evidence = readdirSync(join(dataDir, 'witness')).filter((name) => name.startsWith('evidence-'));
    expect(evidence).toHaveLength(2);
    const { notes } = JSON.parse(readFileSync(join(dataDir, 'witness', evidence[0]!), 'utf8'));
    expect(notes[0]).toBe(third);
    for (const each of notes) expect(isSignedBy(parseCheckpoint(each), world.signer.publicKey)).toBe(true);
  });
});
