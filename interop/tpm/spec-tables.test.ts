/** Our tables of the specification beside what a TPM says of itself and tpm2-tools call things. */
import { ALGORITHM_IDS, COMMANDS, CURVES, responseCode } from '@enerchain/tpm2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingPeers, offline, TestTpm } from './tools.ts';

const missing = await missingPeers();
if (missing !== undefined) it.skip(`tables of the specification: ${missing}`, () => {});

describe.skipIf(missing !== undefined)('the tables of the specification', () => {
  let tpm: TestTpm;
  beforeAll(async () => {
    tpm = await TestTpm.start();
  });
  afterAll(() => tpm?.stop());

  it('have the codes of every command that the TPM knows', async () => {
    const listed = (await tpm.tool('getcap', 'commands')).matchAll(
      /TPM2_CC_(\w+):\n\s+value:[^\n]*\n\s+commandIndex: 0x([0-9a-f]+)/g,
    );
    const theirs = [...listed].map(([, name, index]) => [name, Number.parseInt(index!, 16)] as const);
    expect(theirs.length).toBeGreaterThan(90);
    // The tools write some names in their own way.
    const ours = new Map(
      Object.entries(COMMANDS).map(([name, code]) => [name.toLowerCase().replaceAll('_', ''), code]),
    );
    for (const [name, code] of theirs)
      expect([name, ours.get(name!.toLowerCase().replaceAll('_', ''))]).toEqual([name, code]);
  });

  it('have the ids of every algorithm and curve that the TPM knows', async () => {
    const algorithms = (await tpm.tool('getcap', 'algorithms')).matchAll(/^(\w+):\n\s+value:\s+0x([0-9a-f]+)/gim);
    const theirs = [...algorithms].map(([, name, id]) => [name!, Number.parseInt(id!, 16)] as const);
    expect(theirs.length).toBeGreaterThan(20);
    const ids = new Map<string, number>(Object.entries(ALGORITHM_IDS));
    for (const [name, id] of theirs) expect([name, ids.get(name)]).toEqual([name, id]);
    const curves = (await tpm.tool('getcap', 'ecc-curves')).matchAll(/TPM2_ECC_(\w+): 0x([0-9a-f]+)/g);
    for (const [, name, id] of curves) {
      expect([name, CURVES[name!.toLowerCase() as keyof typeof CURVES]?.id]).toEqual([name, Number.parseInt(id!, 16)]);
    }
  });

  it('say of a response code what it is about, as tpm2_rc_decode does', () => {
    const codes = [
      0x084, 0x184, 0x1c4, 0x2d2, 0x5d5, 0x5df, 0x88e, 0x98e, 0xa9d, 0xf84, 0x18b, 0x28b, 0x78b, 0x100, 0x101, 0x12f,
      0x14a, 0x902, 0x903, 0x908, 0x90a, 0x910, 0x921, 0x922, 0x923,
    ];
    for (const code of codes) {
      const said = offline('rc_decode', `0x${code.toString(16)}`);
      const [, kind, number] = /^tpm:(parameter|session|handle)\((\w+)\)/.exec(said) ?? [];
      const nth = Number(number);
      const { about, name } = responseCode(code);
      const expected = kind === undefined || !(nth > 0) ? undefined : { kind, number: nth };
      expect({ code, about }).toEqual({ code, about: expected });
      expect(name).not.toContain('0x');
    }
  });
});
