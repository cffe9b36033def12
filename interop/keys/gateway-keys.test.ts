/** A whole gateway whose key lies in a TPM (swtpm) or in an HSM (SoftHSM): enrolled, sending, stopped and started again. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findSwtpm, TpmFleet } from '@enerchain/lab';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EdgeHandle, runEdge } from '../../platform/edge/src/edge.ts';
import { TestCentre, until } from '../../platform/edge/test/centre.ts';
import { silent } from '../../platform/edge/test/helpers.ts';
import { TestStation } from '../../platform/edge/test/station.ts';
import { pkcs11Engine, startSoftHsm, whyNoSoftHsm } from '../hsm/softhsm.ts';

const noHsm = whyNoSoftHsm();
const engine = pkcs11Engine();
const noTpm = (await findSwtpm()).installed ? undefined : 'swtpm is not installed';
for (const reason of [noHsm, noTpm, 'missing' in engine && engine.missing])
  if (reason) console.log(`skipped: ${reason}`);

let centre: TestCentre;
let station: TestStation;
let edge: EdgeHandle | undefined;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keys-'));
  centre = await TestCentre.open();
  station = new TestStation();
  await station.open();
});
afterEach(async () => {
  await edge?.close();
  edge = undefined;
  await station.close();
  await centre.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(trust: string): Promise<void> {
  edge = await runEdge({
    siteFile: station.write('', `trust: ${trust}`),
    dataDir: join(folder, 'edge'),
    centre: { url: centre.url, token: await centre.token('edge-test') },
    logger: silent,
  });
}

const values = () => centre.observations().filter(({ point }) => point === station.mrid('ca=1 ioa=2')).length;

/** What both must show: values arrive, signed by a key that is in no file, before and after a restart. */
async function sends(trust: string): Promise<string[]> {
  await start(trust);
  station.produce(100);
  await until(() => values() >= 100, 'the values');
  await edge!.close();
  await start(trust);
  station.produce(100);
  await until(() => values() >= 200, 'the values after the restart');
  // Another key in the same place, while values come; after a restart it is the present one.
  await until(() => centre.online, 'the link');
  const before = new Set(centre.kids).size;
  station.produce(50);
  await edge!.rotateKey();
  station.produce(50);
  await until(() => values() >= 300, 'the values of both keys');
  await edge!.close();
  await start(trust);
  station.produce(100);
  await until(() => values() >= 400, 'the values of the next key after a restart');
  expect(new Set(centre.kids).size).toBeGreaterThan(before);
  expect(readFileSync(join(folder, 'edge', 'identity', 'key-number'), 'utf8').trim()).toBe('2');
  expect(centre.problems).toEqual([]);
  expect(readdirSync(join(folder, 'edge', 'identity'))).not.toContain('key.pem');
  return readdirSync(join(folder, 'edge', 'identity'));
}

describe.skipIf(noTpm)('a gateway whose key lies in its TPM', () => {
  it('sends what that key has signed, before and after a restart', async () => {
    const fleet = await TpmFleet.start({ folder: join(folder, 'tpm'), nodes: ['edge-test'] });
    try {
      expect(await sends(`{ tpm: ${fleet.get('edge-test')!.socket} }`)).toContain('tls-key.pem');
      await edge!.close();
    } finally {
      await fleet.close();
    }
  });
});

describe.skipIf(noHsm)('a gateway whose key lies in an HSM', () => {
  it('makes the key at the first start, and sends what it has signed, before and after a restart', async () => {
    const hsm = startSoftHsm();
    try {
      hsm.addToken('gateway');
      const pinFile = join(folder, 'pin');
      writeFileSync(pinFile, `${hsm.pin}\n`, { mode: 0o600 });
      const files = await sends(`{ key: { library: ${hsm.library}, token: gateway, pinFile: ${pinFile} } }`);
      expect(files).toContain('tls-key.pem');
      await edge!.close();
    } finally {
      hsm.remove();
    }
  });

  it('does not start with a PIN that others can read', async () => {
    const hsm = startSoftHsm();
    try {
      hsm.addToken('gateway');
      const pinFile = join(folder, 'pin');
      writeFileSync(pinFile, hsm.pin, { mode: 0o644 });
      const trust = `{ key: { library: ${hsm.library}, token: gateway, pinFile: ${pinFile} } }`;
      await expect(start(trust)).rejects.toThrow('can be read by others');
    } finally {
      hsm.remove();
    }
  });

  // The engine keeps the library for itself until the process ends: nothing comes behind this.
  it.skipIf('missing' in engine)(
    'makes its connections with a key there too, where the site file demands it',
    async () => {
      const hsm = startSoftHsm();
      process.env.OPENSSL_ENGINES = 'folder' in engine ? engine.folder : '';
      try {
        hsm.addToken('gateway');
        const pinFile = join(folder, 'pin');
        writeFileSync(pinFile, hsm.pin, { mode: 0o600 });
        const key = `{ library: ${hsm.library}, token: gateway, pinFile: ${pinFile} }`;
        const files = await sends(`{ key: ${key}, tls: hsm }`);
        // No private key of any kind lies on the disk.
        expect(files.filter((name) => name.includes('key.pem'))).toEqual([]);
        expect(files).toContain('tls-certificate.pem');
        await edge!.close();
      } finally {
        hsm.remove();
      }
    },
  );
});
