import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cosign, isCosignedBy, isSignedBy, keyIdOf, parseCheckpoint, spkiPem, withCosignatures } from '../src/index.ts';
import { derSignature, parseNote, writeNote } from '../src/log/note.ts';
import { LogWorld, NOW, newFolder, newSigner, ORIGIN } from '../src/testing/world.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

async function witnessed() {
  const world = new LogWorld();
  const note = await world.grow(11);
  const witnesses = { 'edge-nord': newSigner(), 'edge-sued': newSigner() };
  const signed = parseCheckpoint(note);
  const cosignatures = await Promise.all(
    Object.entries(witnesses).map(([name, signer]) => cosign(signer, name, signed, NOW + 5n)),
  );
  return { world, witnesses, note: withCosignatures(signed, cosignatures) };
}

describe('a checkpoint', () => {
  it('says what it says in four lines, signed by the log and by witnesses', async () => {
    const { world, witnesses, note } = await witnessed();
    const root = Buffer.from(world.log.checkpoint!.root).toString('base64');
    expect(note.split('\n').slice(0, 5)).toEqual([ORIGIN, '11', root, `time ${NOW}`, '']);
    const signed = parseCheckpoint(note);
    expect(isSignedBy(signed, world.signer.publicKey)).toBe(true);
    expect(isSignedBy(signed, newSigner().publicKey)).toBe(false);
    expect(signed.cosignatures.map(({ witness, time }) => [witness, time])).toEqual([
      ['edge-nord', NOW + 5n],
      ['edge-sued', NOW + 5n],
    ]);
    for (const each of signed.cosignatures) {
      const own = witnesses[each.witness as keyof typeof witnesses].publicKey;
      expect(isCosignedBy(each, signed.text, own)).toBe(true);
      expect(isCosignedBy({ ...each, time: each.time + 1n }, signed.text, own)).toBe(false);
      expect(isCosignedBy(each, signed.text.replace('11\n', '12\n'), own)).toBe(false);
      expect(isCosignedBy(each, signed.text, world.signer.publicKey)).toBe(false);
    }
    expect(withCosignatures(signed, signed.cosignatures)).toBe(note);
  });

  it('with any character changed is refused, or some signature no longer fits', async () => {
    const { world, witnesses, note } = await witnessed();
    const holds = (text: string) => {
      const signed = parseCheckpoint(text);
      return (
        isSignedBy(signed, world.signer.publicKey) &&
        signed.cosignatures.length === 2 &&
        signed.cosignatures.every((each) => {
          const signer = witnesses[each.witness as keyof typeof witnesses];
          return signer && isCosignedBy(each, signed.text, signer.publicKey);
        })
      );
    };
    expect(holds(note)).toBe(true);
    const bytes = Buffer.from(note);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      let good = false;
      try {
        good = holds(changed.toString('utf8'));
      } catch (error) {
        expect(error).toBeInstanceOf(EnerchainError);
      }
      expect(good).toBe(false);
    }
    for (let end = 0; end < note.length; end++) {
      expect(() => {
        if (!holds(note.slice(0, end))) throw new EnerchainError('peer', 'x', 'x');
      }).toThrow(EnerchainError);
    }
  });

  it('is read from anything without a crash', () => {
    const line = fc.constantFrom(
      ORIGIN,
      '11',
      '',
      `time ${NOW}`,
      'time -1',
      '— a YWFhYWFh',
      `— ${ORIGIN} YWFhYWFh`,
      '=',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
        try {
          parseCheckpoint(`${lines.join('\n')}\n`);
        } catch (error) {
          expect(error).toBeInstanceOf(EnerchainError);
        }
      }),
    );
  });

  it('has signatures in the one form that DER allows', () => {
    const half = (first: number) => Buffer.concat([Buffer.from([first]), Buffer.alloc(31, 0x11)]);
    expect(derSignature(Buffer.concat([half(0x80), half(0x7f)])).toString('hex')).toMatch(/^3045022100801{60}1+0220/);
    expect(
      derSignature(Buffer.concat([Buffer.alloc(32), half(0)]))
        .subarray(0, 7)
        .toString('hex'),
    ).toBe('302402010002 1f'.replace(' ', ''));
    const note = writeNote({ text: 'a\n', signatures: [{ name: 'k', keyId: Buffer.alloc(4), blob: Buffer.alloc(3) }] });
    expect(parseNote(note).text).toBe('a\n');
    // The same octets spelled with other trailing bits are another note.
    expect(() => parseNote(note.replace('AAAAAAAAAA==', 'AAAAAAAAAB=='))).toThrow(EnerchainError);
  });

  it.skipIf(!hasOpenssl)('can be checked with openssl alone', async () => {
    const { world, witnesses, note } = await witnessed();
    const folder = newFolder();
    const file = (name: string, content: string | Uint8Array): string => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const [text = '', lines = ''] = note.split('\n\n');
    const blobOf = (name: string) => Buffer.from(new RegExp(`^— ${name} (.*)$`, 'm').exec(lines)![1]!, 'base64');
    const verified = (key: string, signature: Uint8Array, content: string) =>
      execFileSync(
        'openssl',
        ['dgst', '-sha256', '-verify', key, '-signature', file('s', signature), file('t', content)],
        {
          encoding: 'utf8',
        },
      );
    const logKey = file('log.pem', spkiPem(world.signer.publicKey));
    expect(verified(logKey, blobOf(ORIGIN).subarray(4), `${text}\n`)).toContain('Verified OK');
    const witness = file('witness.pem', spkiPem(witnesses['edge-nord'].publicKey));
    const blob = blobOf('edge-nord');
    const cosigned = `enerchain-cosignature/1\ntime ${blob.readBigUInt64BE(4)}\n${text}\n`;
    expect(verified(witness, blob.subarray(12), cosigned)).toContain('Verified OK');
    const der = execFileSync('openssl', ['pkey', '-pubin', '-in', logKey, '-outform', 'DER']);
    const digest = execFileSync('openssl', ['dgst', '-sha256', '-binary', file('der', der)]);
    expect(digest.subarray(0, 4)).toEqual(Buffer.from(keyIdOf(world.signer.publicKey)));
  });
});
