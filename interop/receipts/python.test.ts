/**
 * The formats of receipts, checkpoints and batches are what their READMEs say: a verifier that shares no line with ours
 * (`verify_receipt.py`, Python's library and the openssl command) comes to the same verdict, also about changed ones.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readAnchor, verifyReceipt } from '../../platform/provenance/src/index.ts';
import { SECOND, System, site } from '../../platform/provenance/src/testing/system.ts';
import { NOW, newFolder } from '../../platform/provenance/src/testing/world.ts';

const PROGRAM = join(import.meta.dirname, 'verify_receipt.py');
const missing = [
  ['python3', '--version'],
  ['openssl', 'version'],
].find(([command, ...args]) => spawnSync(command!, args).status !== 0)?.[0];

interface Said {
  readonly ok: boolean;
  readonly link?: string;
  readonly text?: string;
  readonly value?: number;
}

/** What the program says of receipts. */
function ask(system: System, receipts: readonly Uint8Array[], change: object = {}): Said[] {
  const folder = newFolder();
  const anchor = join(folder, 'anchor.json');
  writeFileSync(anchor, JSON.stringify(system.anchor(change)));
  const files = receipts.map((receipt, i) => {
    const file = join(folder, `${i}.cbor`);
    writeFileSync(file, receipt);
    return file;
  });
  const args = [PROGRAM, '--anchor', anchor, ...files];
  const { stdout, stderr, status } = spawnSync('python3', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (stderr) throw new Error(stderr);
  const said = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Said);
  expect(status).toBe(said.every(({ ok }) => ok) ? 0 : 1);
  return said;
}

describe.skipIf(missing !== undefined)(`a verifier in Python${missing ? ` (there is no ${missing} here)` : ''}`, () => {
  let system: System;
  let everyday: Awaited<ReturnType<System['everyday']>>;

  beforeAll(async () => {
    system = await System.make();
    everyday = await system.everyday();
  });

  it('finds every link to hold that ours finds to hold', async () => {
    const deferred = await system.log('edge-nord', system.observations(NOW + 6n * SECOND), { defer: true });
    const closing = await system.log('edge-nord', system.observations(NOW + 7n * SECOND));
    const after = await system.attest('edge-nord', NOW + 16n * SECOND);
    const announced = await system.log('grid-state', {
      kind: 'site',
      document: { ...site('grid-state'), bindings: [] },
    });
    const reads = [{ first: 0, last: announced.index - 2 }];
    const estimated = await system.log('grid-state', system.observations(), { reads });
    const note = await system.checkpoint();
    const { parts } = everyday;
    const receipts = [
      everyday.receipt,
      system.receipt({
        ...parts,
        value: { ...deferred, covering: [closing.batch.signed] },
        sourceTime: NOW + 7n * SECOND,
        attestation: [parts.attestation[1]!, after],
        note,
      }),
      system.receipt({ ...parts, value: estimated, site: announced, attestation: [], neighbours: [], note }),
    ];
    const anchor = readAnchor(system.anchor());
    for (const receipt of receipts) expect(verifyReceipt(receipt, anchor)).toMatchObject({ ok: true });
    expect(ask(system, receipts)).toEqual([
      expect.objectContaining({ ok: true, value: 17.25, plain: true }),
      expect.objectContaining({ ok: true, value: 17.25 }),
      expect.objectContaining({ ok: true, source: 'grid-state' }),
    ]);
  });

  it('refuses what ours refuses', async () => {
    const { receipt, parts, note } = everyday;
    const provisional = system.receipt({ ...parts, attestation: parts.attestation.slice(0, 1), note });
    const unknown = system.receipt({ ...parts, attestation: [], note });
    const blind = system.receipt({ ...parts, site: undefined, note });
    expect(ask(system, [provisional, unknown, blind]).map(({ ok, link }) => [ok, link])).toEqual([
      [false, 'software'],
      [false, 'software'],
      [false, 'device'],
    ]);
    const [witness] = system.anchor().witnesses;
    const other = await System.make();
    for (const [change, link] of [
      [{ quorum: 3 }, 'witnesses'],
      [{ origin: 'enerchain/ff' }, 'log'],
      [{ logKey: witness!.key }, 'log'],
      [{ revoked: system.revoked('edge-nord', NOW) }, 'gateway'],
      [{ authorities: [other.ca.certificatePem] }, 'gateway'],
    ] as const) {
      expect(verifyReceipt(receipt, readAnchor(system.anchor(change as object))).ok).toBe(false);
      expect(ask(system, [receipt], change)).toMatchObject([{ ok: false, link }]);
    }
  });

  it('refuses a receipt with any octet changed', () => {
    const { receipt } = everyday;
    const changed: Uint8Array[] = [];
    for (let i = 0; i < receipt.length; i += 61) {
      const copy = Buffer.from(receipt);
      copy[i]! ^= 1 << (i % 8);
      changed.push(copy);
    }
    for (let end = 0; end < receipt.length; end += 997) changed.push(receipt.subarray(0, end));
    expect(ask(system, changed).filter(({ ok }) => ok)).toEqual([]);
  }, 120_000);

  it('shares nothing with ours', () => {
    const imports = execFileSync('grep', ['-E', '^(import|from)', PROGRAM], { encoding: 'utf8' });
    expect(imports).not.toMatch(/enerchain|node/);
  });
});
