/** `enerchain attest`: manifests made, shown, and evidence appraised from files. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeRecord, MeasurementList, openSoftwareAttester, readManifest, sha256 } from '@enerchain/attestation';
import { systemClock } from '@enerchain/model';
import { DevelopmentCa, obtainIdentity } from '@enerchain/trust';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enerchain } from './enerchain.ts';

describe('enerchain attest', { timeout: 120_000 }, () => {
  let dir: string;
  const run = (...args: string[]) => enerchain(['attest', ...args]);
  const put = (name: string, content: string | Uint8Array) => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  };
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'enerchain-attest-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('makes a manifest of one node, says what stands in it, and appraises evidence by it', async () => {
    const site = put('site.yaml', 'source: edge-nord\n');
    const program = put('main.ts', 'export {};\n');
    const made = await run(
      ...['manifest', '--key', join(dir, 'authority.key'), '--out', dir, '--node', 'edge-nord', '--signer', 'ours'],
      ...['--file', `config:site=${site}`, `main.ts=${program}`],
    );
    expect(made).toMatchObject({ status: 0, stderr: '' });
    const [file] = readdirSync(dir).filter((name) => name.endsWith('.corim'));
    expect(made.stdout).toContain(`${file}: 2 components of edge-nord`);
    const manifest = join(dir, file as string);
    const shown = await run('show', manifest, '--json');
    expect(JSON.parse(shown.stdout)).toMatchObject({
      kind: 'manifest',
      digest: (file as string).replace('.corim', ''),
      signer: 'ours',
      node: 'edge-nord',
      components: [
        { name: 'config:site', digest: Buffer.from(sha256(Buffer.from('source: edge-nord\n'))).toString('hex') },
        { name: 'main.ts' },
      ],
    });
    expect(existsSync(join(dir, 'ours.pem'))).toBe(true);

    const ca = await DevelopmentCa.open(join(dir, 'ca'));
    const holder = { name: 'edge-nord', role: 'edge' } as const;
    const identity = await obtainIdentity(join(dir, 'identity'), holder, async (request) => ({
      certificate: await ca.issue(request, holder),
      ca: ca.certificatePem,
    }));
    const list = new MeasurementList(randomBytes(16).toString('hex'));
    const of = (name: string, content: string) => ({ name, digest: sha256(Buffer.from(content)) });
    const components = [of('config:site', 'source: edge-nord\n'), of('main.ts', 'export {};\n')];
    list.append({ kind: 'start', at: systemClock.now(), components });
    const attester = await openSoftwareAttester({
      identity: () => identity,
      secretFile: join(dir, 'uds'),
      measurements: { list, rescan: async () => undefined, onChange: () => () => undefined },
    });
    const binding = randomBytes(32);
    const evidence = put('evidence', await attester.evidence([binding]));
    const appraise = (path: string, ...more: string[]) =>
      run(
        ...['appraise', path, '--node', 'edge-nord', '--ca', put('ca.pem', ca.certificatePem), '--manifest', manifest],
        ...['--authority', join(dir, 'ours.pem'), '--policy', 'development', '--json', ...more],
      );
    const good = await appraise(evidence, '--binding', binding.toString('hex'));
    expect(JSON.parse(good.stdout)).toMatchObject({ status: 'warning', tier: 'software', reasons: [] });
    expect(good.status).toBe(0);
    expect((await appraise(evidence, '--binding', 'ab'.repeat(32))).status).toBe(1);
    list.append({ kind: 'more', at: systemClock.now(), components: [of('main.ts', 'a back door')] });
    const changed = put('changed', await attester.evidence([binding]));
    const bad = await appraise(changed);
    expect(bad.status).toBe(1);
    expect(JSON.parse(bad.stdout).reasons[0]).toContain('main.ts is');
    const seen = JSON.parse((await run('show', changed, '--json')).stdout);
    expect(seen).toMatchObject({ kind: 'evidence', tier: 'software', node: 'edge-nord', count: 2 });
    expect(decodeRecord(list.records[1] as Uint8Array).components[0]?.name).toBe(seen.records[1].components[0].name);
  });

  it('refuses what it cannot read, in one sentence', async () => {
    const nothing = await run('show', put('nothing', 'nothing'));
    expect(nothing).toMatchObject({ status: 1, stdout: '' });
    expect(nothing.stderr).toMatch(/^this is no manifest, no evidence and no result/);
    expect((await run('manifest', '--key', join(dir, 'k'), '--node', 'edge-nord')).stderr).toContain(
      '--file or --site',
    );
    expect(() => readManifest(new Uint8Array(3), () => undefined)).toThrow();
  });
});
