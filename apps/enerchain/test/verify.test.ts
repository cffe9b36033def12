/** `enerchain verify`: what an auditor sees, and the exit status that scripts go by. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder, System } from '@enerchain/provenance/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { enerchain } from './enerchain.ts';

describe('enerchain verify', () => {
  let receipt: string;
  let anchor: string;

  beforeAll(async () => {
    const system = await System.make();
    const { receipt: bytes } = await system.everyday();
    const folder = newFolder();
    receipt = join(folder, 'value.cbor');
    anchor = join(folder, 'anchor.json');
    writeFileSync(receipt, bytes);
    writeFileSync(anchor, JSON.stringify(system.anchor()));
  });

  it('prints every link and ends with 0 when all of them hold', async () => {
    const { status, stdout } = await enerchain(['verify', receipt, '--anchor', anchor]);
    expect(stdout).toContain('P17: 17.25 kW, good');
    expect(stdout).toContain('attested: its source was found in order before and after (software only, no TPM)');
    for (const line of [
      'weak      Device',
      'ok        Gateway',
      'ok        Signature',
      'ok        Log',
      'ok        Witnesses',
    ]) {
      expect(stdout).toContain(line);
    }
    expect(stdout).toContain('every link holds');
    expect(
      Math.max(
        ...stdout
          .split('\n')
          .slice(3)
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(110);
    expect(status).toBe(0);
  });

  it('says which link does not hold and ends with 1', async () => {
    const changed = `${receipt}.changed`;
    const bytes = readFileSync(receipt);
    bytes[bytes.indexOf('time ') + 8]! ^= 1;
    writeFileSync(changed, bytes);
    const { status, stdout } = await enerchain(['verify', changed, '--anchor', anchor]);
    expect(status).toBe(1);
    expect(stdout).toContain('bad       Log (receipt.checkpoint.signature)');
    expect(stdout).toContain('does NOT hold');
    writeFileSync(changed, bytes.subarray(0, 1000));
    const cut = await enerchain(['verify', changed, '--anchor', anchor, '--json']);
    expect(cut.status).toBe(1);
    expect(JSON.parse(cut.stdout)).toMatchObject({ ok: false, value: null, findings: [{ code: 'receipt.malformed' }] });
  });

  it('gives programs the same in JSON', async () => {
    const { status, stdout } = await enerchain(['verify', receipt, '--anchor', anchor, '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      trust: 'attested',
      tier: 'software',
      value: { value: 17.25, name: 'P17', quality: { validity: 'good' }, sourceTime: expect.stringMatching(/Z$/) },
    });
  });

  it('says what it cannot read', async () => {
    const missing = await enerchain(['verify', `${receipt}.none`, '--anchor', anchor]);
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('cannot be read')]);
    const wrong = await enerchain(['verify', receipt, '--anchor', receipt]);
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining('the anchor is no JSON')]);
  });
});
