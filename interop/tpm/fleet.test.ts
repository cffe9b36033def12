import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findSwtpm, type LabTpm, type TpmEvent, TpmFleet } from '@enerchain/lab';
import {
  HANDLE_TYPES,
  openAttestationKey,
  openEndorsementKey,
  parseEventLog,
  replayEventLog,
  TpmClient,
  verifyQuote,
} from '@enerchain/tpm2';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

const tools = await findSwtpm();
if (!tools.installed) it.skip(`the lab’s TPMs: ${tools.reason}`, () => {});

const folders: string[] = [];
const newFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'lab-tpm-'));
  folders.push(path);
  return path;
};
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

/** Waits for something of a process; a bail-out, not a measurement. */
async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`a minute without: ${what}`);
    await pause(20);
  }
}

const SELECTION = [{ hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }] as const;
const PCRS_OF_THE_LOG = (tpm: LabTpm) => replayEventLog(parseEventLog(readFileSync(tpm.eventLog)));
const sha256Of = (tpm: LabTpm) => PCRS_OF_THE_LOG(tpm).pcrs.filter(({ hash }) => hash === 'sha256');

describe.skipIf(!tools.installed)('the lab’s TPMs', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  async function start(nodes: readonly string[], folder = newFolder()) {
    const events: TpmEvent[] = [];
    const fleet = await TpmFleet.start({ folder, nodes, onEvent: (event) => events.push(event) });
    closing.push(() => fleet.close());
    return { fleet, events, folder };
  }
  function connect(tpm: LabTpm): TpmClient {
    const client = new TpmClient({ path: tpm.socket });
    closing.push(() => client.close());
    return client;
  }

  it('have endorsement keys that lead to one authority, and a boot that was measured', async () => {
    const { fleet, events } = await start(['edge-a', 'edge-b']);
    expect(events.map(({ kind }) => kind)).toEqual(['manufactured', 'manufactured', 'started', 'started']);
    const keys: string[] = [];
    for (const tpm of fleet.nodes) {
      const client = connect(tpm);
      const { certificate, key } = await openEndorsementKey(client);
      const [issuer, root] = readFileSync(tpm.ekAuthority, 'utf8')
        .split(/(?<=-----END CERTIFICATE-----\n)/)
        .map((pem) => new X509Certificate(pem));
      const ek = new X509Certificate(certificate!);
      expect(ek.publicKey.equals(key.publicKey)).toBe(true);
      expect(ek.verify(issuer!.publicKey) && issuer!.verify(root!.publicKey) && root!.verify(root!.publicKey)).toBe(
        true,
      );
      keys.push(ek.fingerprint256);
      const ak = await openAttestationKey(client);
      const nonce = Buffer.from(tpm.node);
      const quote = await client.quote(ak, nonce, SELECTION);
      const expected = { ...quote, akPublic: ak.public, qualifyingData: nonce, pcrs: sha256Of(tpm) };
      expect(verifyQuote(expected)).toMatchObject({ ok: true, problems: [] });
      expect(PCRS_OF_THE_LOG(tpm).mismatches).toEqual([]);
    }
    expect(new Set(keys).size).toBe(2);
  });

  it('are the same TPMs after the lab was ended and started again, with a safe clock', async () => {
    const { fleet, folder } = await start(['edge-a']);
    const first = await openAttestationKey(connect(fleet.get('edge-a')!));
    for (const close of closing.splice(0).reverse()) await close();
    const again = await start(['edge-a'], folder);
    const client = connect(again.fleet.get('edge-a')!);
    expect(again.events.map(({ kind }) => kind)).toEqual(['started']);
    expect((await openAttestationKey(client)).name).toEqual(first.name);
    expect((await client.readClock()).clockInfo.safe).toBe(true);
  });

  it('changed firmware shows in the quote, and is gone after a boot as before', async () => {
    const { fleet } = await start(['edge-a']);
    const tpm = fleet.get('edge-a')!;
    const approved = sha256Of(tpm);
    const client = connect(tpm);
    const ak = await openAttestationKey(client);
    const nonce = Buffer.from('nonce');
    /** What is wrong when the approved boot is expected, and when what the machine logs is. */
    async function verdicts(): Promise<[string[], string[]]> {
      const quote = await client.quote(ak, nonce, SELECTION);
      const codes = (pcrs: typeof approved) =>
        verifyQuote({ ...quote, akPublic: ak.public, qualifyingData: nonce, pcrs }).problems.map(({ code }) => code);
      return [codes(approved), codes(sha256Of(tpm))];
    }
    expect(await verdicts()).toEqual([[], []]);
    await fleet.changeFirmware('edge-a');
    // The connection ended with the machine; the key is found again by the next command but one at the latest.
    await client.readClock().catch(() => {});
    expect(await verdicts()).toEqual([['pcrDigest'], []]);
    await fleet.reboot('edge-a');
    await client.readClock().catch(() => {});
    expect(await verdicts()).toEqual([[], []]);
    await fleet.extend('edge-a', 4, 'an implant');
    // In no log: now the log does not fit either.
    expect(await verdicts()).toEqual([['pcrDigest'], ['pcrDigest']]);
  });

  it('take several programs at once', async () => {
    const { fleet } = await start(['edge-a']);
    const clients = [1, 2, 3].map(() => connect(fleet.get('edge-a')!));
    const random = await Promise.all(
      clients.flatMap((client) => Array.from({ length: 20 }, () => client.getRandom(32))),
    );
    expect(new Set(random.map((each) => Buffer.from(each).toString('hex'))).size).toBe(60);
  });

  it('one that falls boots again', async () => {
    const { fleet, events, folder } = await start(['edge-a']);
    const tpm = fleet.get('edge-a')!;
    const client = connect(tpm);
    await client.readClock();
    const [pid] = swtpmsOf(folder);
    process.kill(pid!, 'SIGKILL');
    await until('a restart', () => events.some(({ kind }) => kind === 'restarted'));
    expect(events.map(({ kind }) => kind)).toContain('ended');
    await client.readClock().catch(() => {});
    expect(await client.pcrRead(SELECTION)).toEqual(sha256Of(tpm));
  });

  it('end when the lab is killed', async () => {
    const folder = newFolder();
    const script = `
      import { TpmFleet } from '@enerchain/lab';
      await TpmFleet.start({ folder: ${JSON.stringify(folder)}, nodes: ['edge-a'] });
      process.stdout.write('started');
      setInterval(() => {}, 1000);`;
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '-e', script],
      {
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(swtpmsOf(folder)).toHaveLength(1);
    child.kill('SIGKILL');
    await until('the TPM ends', () => swtpmsOf(folder).length === 0);
  });

  it('with a data folder that lies deep have sockets elsewhere', async () => {
    const deep = join(newFolder(), 'a'.repeat(60), 'b'.repeat(60));
    const { fleet } = await start(['edge-a'], deep);
    const tpm = fleet.get('edge-a')!;
    expect(tpm.socket.length).toBeLessThan(104);
    expect(await connect(tpm).handles(HANDLE_TYPES.persistent)).toHaveLength(2);
    rmSync(join(tpm.socket, '..'), { recursive: true, force: true });
  });

  it.each(['../x', '', 'a b'])('refuse %j as the name of a node', async (node) => {
    await expect(start([node])).rejects.toMatchObject({ code: 'lab.tpm.name', fault: 'caller' });
  });
});

/** Processes whose command line names the folder and that are swtpm itself. */
function swtpmsOf(folder: string): number[] {
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [program, ...rest] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return program === 'swtpm' && rest.some((each) => each.includes(folder));
      } catch {
        return false; // it ended meanwhile
      }
    })
    .map(Number);
}
