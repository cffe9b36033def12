/** The transparency log in a running centre: receipts, witnesses, and what happens when somebody changes the log. */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttestationResult, DEVELOPMENT_POLICY, signResult } from '@enerchain/attestation';
import { batchToBytes, ChainWriter, type Column, type Content, LinkClient, MemoryBatchStore } from '@enerchain/link';
import { newMrid, systemClock } from '@enerchain/model';
import { FileKeySigner } from '@enerchain/pki';
import {
  LogMonitor,
  type LogSource,
  parseCheckpoint,
  readAnchor,
  signCheckpoint,
  verifyReceipt,
  WITNESS_METHOD,
  type WitnessEvent,
  witnessAnswers,
} from '@enerchain/provenance';
import { enrol, type Identity } from '@enerchain/trust';
import { pino } from 'pino';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type Core, openCore } from '../src/core.ts';
import type { Findings } from '../src/ingest/findings.ts';
import type { TransparencyKeeper } from '../src/transparency/keeper.ts';
import { WitnessRounds } from '../src/transparency/witnesses.ts';
import { until } from './until.ts';

const logger = pino({ level: 'silent' });
const folders: string[] = [];
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'centre-transparency-'));
  folders.push(folder);
  return folder;
};
let open: Core | undefined;
const start = async (dataDir: string, witnesses = 1): Promise<Core> => {
  open = await openCore({
    dataDir,
    link: { host: '127.0.0.1', port: 0 },
    // No database: what is asked of it here is nothing.
    databaseUrl: 'postgres://nobody@127.0.0.1:9/none',
    logger,
    signal: new AbortController().signal,
    trust: { policy: { ...DEVELOPMENT_POLICY, witnesses } },
  });
  return open;
};
const stop = async () => {
  await open?.close();
  open = undefined;
};

/** A gateway that witnesses. */
class Gateway {
  readonly identity: Identity;
  readonly store = new MemoryBatchStore();
  readonly chain: ChainWriter;
  readonly points = Array.from({ length: 20 }, newMrid);
  readonly events: WitnessEvent[] = [];
  readonly folder = newFolder();
  client!: LinkClient;

  private constructor(identity: Identity) {
    this.identity = identity;
    this.chain = new ChainWriter({ source: identity.name, signer: identity.signer, kid: identity.kid });
  }

  static async enrol(core: Core, name: string): Promise<Gateway> {
    const token = await core.ca.createToken({ name, role: 'edge', address: core.linkUrl, validFor: 60_000 });
    const gateway = new Gateway(await enrol({ dir: newFolder(), token }));
    await gateway.connect(core);
    return gateway;
  }

  async connect(core: Core): Promise<void> {
    const { identity, store, folder } = this;
    const cosign = witnessAnswers({
      dataDir: folder,
      identity: () => identity,
      clock: systemClock,
      onEvent: (event) => this.events.push(event),
    });
    this.client = new LinkClient({
      url: core.linkUrl,
      identity,
      software: 'test',
      store,
      backoff: { initial: 20, maximum: 200 },
      onRequest: (method, params) => {
        if (method === WITNESS_METHOD) return cosign(params);
        throw new Error(method);
      },
    });
    this.client.start();
    await until('online', () => this.client.state === 'online');
  }

  async put(content: Content): Promise<void> {
    const batch = await this.chain.next(content);
    this.store.append(batch.header, batchToBytes(batch));
    this.client.send();
    await until('acknowledged', () => this.store.count === 0);
  }

  announce(version = 1): Promise<void> {
    const document = {
      source: this.identity.name,
      site: { id: 'site', name: 'Site' },
      version,
      endpoints: [{ id: 'rtu', protocol: 'iec104' }],
      points: this.points.map((mRID, i) => ({ mRID, name: `point ${i}`, kind: 'analog' as const })),
      bindings: this.points.map((point, i) => {
        return { point, endpoint: 'rtu', address: `ca=1 ioa=${i}`, access: 'read' as const };
      }),
    };
    return this.put({ kind: 'site', document });
  }

  observe(value: number, at: bigint): Promise<void> {
    const columns = this.points.map((point): Column => {
      return {
        point,
        sourceTime: BigInt64Array.of(at),
        receiveTime: BigInt64Array.of(at + 1_000_000n),
        value: Float64Array.of(value),
        quality: new Uint16Array(1),
        timeQuality: new Uint16Array(1),
        cause: new Uint8Array(1),
      };
    });
    return this.put({ kind: 'observations', batch: { columns, count: columns.length } });
  }
}

const sequences = new Map<string, number>();
async function attest(core: Core, node: string, change: Partial<AttestationResult> = {}): Promise<void> {
  const { identity } = core;
  const at = systemClock.now();
  const sequence = (sequences.get(node) ?? 0) + 1;
  sequences.set(node, sequence);
  const evidence = createHash('sha256').update(`${node} ${sequence}`).digest();
  const result: AttestationResult = {
    node,
    verifier: 'centre',
    tier: 'software',
    status: 'warning',
    vector: { executables: 2, hardware: 32 },
    reasons: [],
    binding: Buffer.alloc(32, 1),
    evidence,
    policy: 'development-1',
    issuedAt: at,
    validUntil: at + 30_000_000_000n,
    sequence,
    boot: 'boot',
    ...change,
  };
  const { bytes } = await signResult(result, identity.signer, identity.kid);
  await core.log.publish({ kind: 'attestation', record: { node, verifier: 'centre', result: bytes, evidence } });
}

const states = (verdict: ReturnType<typeof verifyReceipt>) =>
  Object.fromEntries(verdict.findings.map(({ link, state }) => [link, state]));
const sourceOf = ({ transparency }: Core): LogSource => ({
  checkpoint: async () => (await transparency.rounds.round())!,
  consistency: async (from, to) => transparency.keeper.log.consistency(from, to),
});

afterEach(stop);
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('a note over a record', () => {
  it('is there although a checkpoint that began before the record was under way', async () => {
    const signer = await FileKeySigner.create(join(newFolder(), 'log.key'));
    const noteOf = (size: number) =>
      signCheckpoint(signer, { origin: 'enerchain/0', size, root: new Uint8Array(32), time: systemClock.now() });
    const signed: number[] = [];
    const keeper = {
      log: { cosigned: undefined, takeCosignatures: async (note: string) => note },
      // Record 5 came while the checkpoint over five records was being written.
      checkpoint: async () => {
        signed.push(signed.length === 0 ? 5 : 6);
        return noteOf(signed.at(-1)!);
      },
    } as unknown as TransparencyKeeper;
    const rounds = new WitnessRounds({
      keeper,
      peers: () => [],
      keyOf: () => undefined,
      quorum: () => 0,
      clock: systemClock,
      findings: {} as Findings,
      onError: (error) => {
        throw error;
      },
    });
    expect(parseCheckpoint((await rounds.noteOver(5))!).checkpoint.size).toBe(6);
    expect(signed).toEqual([5, 6]);
    expect(await rounds.noteOver(99)).toBeUndefined();
  });
});

describe('a centre', () => {
  it('gives receipts that anybody can check, over restarts, and its witnesses follow it', async () => {
    const dataDir = newFolder();
    let core = await start(dataDir, 2);
    const [nord, sued] = [await Gateway.enrol(core, 'edge-nord'), await Gateway.enrol(core, 'edge-sued')];
    await nord.announce();
    await attest(core, 'edge-nord');
    const t0 = systemClock.now();
    await nord.observe(1, t0);
    await attest(core, 'edge-nord');
    const [point] = nord.points;
    const made = await core.transparency.receipts.make(point!);
    expect(made.verdict).toMatchObject({ ok: true, trust: 'attested', value: { value: 1, name: 'point 0' } });
    const anchor = core.transparency.anchor();
    expect(anchor.witnesses.map(({ name }) => name)).toEqual(['edge-nord', 'edge-sued']);
    const verdict = verifyReceipt(made.bytes, readAnchor(JSON.parse(JSON.stringify(anchor))));
    expect(states(verdict)).toEqual({
      device: 'weak',
      gateway: 'ok',
      software: 'weak',
      neighbours: 'weak',
      signature: 'ok',
      log: 'ok',
      witnesses: 'ok',
    });
    expect(verdict.findings.find(({ link }) => link === 'witnesses')?.text).toContain('edge-nord, edge-sued');

    // Another value: the newest is provisional, the one before is found by its time.
    const t1 = systemClock.now();
    await nord.observe(2, t1);
    expect((await core.transparency.receipts.make(point!)).verdict).toMatchObject({ trust: 'provisional', ok: false });
    expect((await core.transparency.receipts.make(point!, t1 - 1n)).verdict).toMatchObject({
      value: { value: 1 },
      ok: true,
    });
    await expect(core.transparency.receipts.make(point!, t0 - 1n)).rejects.toMatchObject({ code: 'receipt.not-found' });
    await expect(core.transparency.receipts.make(newMrid())).rejects.toMatchObject({ code: 'receipt.point' });
    const before = await core.transparency.rounds.round();
    const monitor = new LogMonitor({
      origin: anchor.origin,
      key: readAnchor(anchor).logKey,
      witnesses: readAnchor(anchor).witnesses,
    });
    expect(await monitor.look(sourceOf(core))).toMatchObject({ kind: 'grown', witnesses: ['edge-nord', 'edge-sued'] });
    for (const each of [nord, sued]) await each.client.close();
    await stop();

    core = await start(dataDir, 2);
    for (const each of [nord, sued]) await each.connect(core);
    await attest(core, 'edge-nord');
    const again = await core.transparency.receipts.make(point!);
    expect(again.verdict).toMatchObject({ ok: true, value: { value: 2 } });
    expect(core.transparency.anchor().logKey).toBe(anchor.logKey);
    expect(verifyReceipt(made.bytes, readAnchor(core.transparency.anchor())).ok).toBe(true);
    expect(await monitor.look(sourceOf(core))).toMatchObject({ kind: 'grown' });
    const size = (note: string | undefined) => parseCheckpoint(note!).checkpoint.size;
    expect(size(await core.transparency.rounds.round())).toBeGreaterThan(size(before));
    expect([...nord.events, ...sued.events]).toEqual([]);
    // Every certificate that was accepted has its place in the log, once.
    await core.transparency.look();
    const certificates: string[] = [];
    const abort = new AbortController();
    for await (const entries of core.log.read(0, abort.signal)) {
      for (const { content } of entries) {
        if (content.kind === 'certificate') certificates.push(`${content.record.use} ${content.record.name}`);
      }
      if (entries.at(-1)!.offset + 1 >= core.log.bounds().next) break;
    }
    expect(certificates.sort()).toEqual(
      ['authority authority', 'identity centre', 'identity edge-nord', 'identity edge-sued'].sort(),
    );
    for (const each of [nord, sued]) await each.client.close();
  });

  it('keeps each announcement of a source beside the log, for receipts of old values', async () => {
    const core = await start(newFolder());
    const nord = await Gateway.enrol(core, 'edge-nord');
    await nord.announce();
    for (let value = 0; value < 5; value++) await nord.observe(value, systemClock.now());
    const { keeper } = core.transparency;
    await keeper.reached(core.log.bounds().next, AbortSignal.timeout(60_000));
    expect(keeper.size).toBeGreaterThanOrEqual(6);
    const site = await keeper.sites.inForce('edge-nord', keeper.size);
    expect(site?.batch.header).toMatchObject({ kind: 'site', source: 'edge-nord' });
    // The same said again is not kept again, another version is.
    await nord.announce();
    await nord.announce(2);
    await keeper.reached(core.log.bounds().next, AbortSignal.timeout(60_000));
    expect((await keeper.sites.inForce('edge-nord', keeper.size))!.index).toBeGreaterThan(site!.index);
    await nord.client.close();
  });

  it('whose tree was cut short, extended or changed builds it again from the log', async () => {
    const dataDir = newFolder();
    let core = await start(dataDir);
    const nord = await Gateway.enrol(core, 'edge-nord');
    await nord.announce();
    for (let value = 0; value < 20; value++) await nord.observe(value, systemClock.now());
    await core.transparency.rounds.round();
    const tree = join(dataDir, 'transparency', 'tree');
    for (const damage of [
      () => truncateSync(tree, 200),
      () => appendFileSync(tree, Buffer.alloc(640, 7)),
      () => rmSync(tree),
      () => rmSync(join(dataDir, 'transparency', 'records')),
    ]) {
      await nord.client.close();
      const { root } = core.transparency.keeper.log.checkpoint!;
      await stop();
      damage();
      core = await start(dataDir);
      expect(core.transparency.keeper.log.trouble).toBeUndefined();
      expect(core.transparency.keeper.log.checkpoint!.size).toBeGreaterThan(20);
      expect(root).toHaveLength(32);
      await nord.connect(core);
      expect((await core.transparency.receipts.make(nord.points[3]!)).verdict.value).toMatchObject({ value: 19 });
    }
    // Deep inside it is found by comparison with the records, or by whoever needs it: nothing wrong is given out.
    await nord.client.close();
    await stop();
    const bytes = readFileSync(tree);
    bytes.fill(0xee, 32 + 32 * 4, 32 + 32 * 8);
    writeFileSync(tree, bytes);
    core = await start(dataDir);
    await nord.connect(core);
    expect((await core.transparency.receipts.make(nord.points[3]!)).verdict.value).toMatchObject({ value: 19 });
    // Also while it runs.
    writeFileSync(tree, bytes);
    await expect(core.transparency.receipts.make(nord.points[3]!)).rejects.toMatchObject({
      code: 'provenance.tree.damaged',
    });
    expect(core.troubles().join()).toContain('damaged');
    await nord.client.close();
    await stop();
    core = await start(dataDir);
    await nord.connect(core);
    expect((await core.transparency.receipts.make(nord.points[3]!)).verdict.value).toMatchObject({ value: 19 });
    expect(nord.events).toEqual([]);
    await nord.client.close();
  });

  it('whose log was restored from an older copy signs nothing any more, and says so', async () => {
    const dataDir = newFolder();
    let core = await start(dataDir);
    const nord = await Gateway.enrol(core, 'edge-nord');
    await nord.announce();
    await nord.client.close();
    await stop();
    const copy = newFolder();
    cpSync(join(dataDir, 'log'), copy, { recursive: true });
    core = await start(dataDir);
    await nord.connect(core);
    for (let value = 0; value < 9; value++) await nord.observe(value, systemClock.now());
    await core.transparency.rounds.round();
    await nord.client.close();
    await stop();
    rmSync(join(dataDir, 'log'), { recursive: true });
    cpSync(copy, join(dataDir, 'log'), { recursive: true });
    for (const derived of ['ingest.json', 'live.jsonl']) rmSync(join(dataDir, derived), { force: true });
    core = await start(dataDir);
    expect(core.transparency.keeper.log.trouble?.code).toBe('provenance.log.shrunk');
    expect(core.troubles().join()).toContain('cut short or restored');
    expect(await core.transparency.rounds.round()).toBeUndefined();
    await expect(core.transparency.receipts.make(nord.points[0]!)).rejects.toMatchObject({ code: 'receipt.log' });
  });

  it('whose records were exchanged is found out at its start', async () => {
    const dataDir = newFolder();
    let core = await start(dataDir);
    const nord = await Gateway.enrol(core, 'edge-nord');
    await nord.announce();
    for (let value = 0; value < 9; value++) await nord.observe(value, systemClock.now());
    await core.transparency.rounds.round();
    await nord.client.close();
    await stop();
    rewriteLog(join(dataDir, 'log'));
    core = await start(dataDir);
    expect(core.transparency.keeper.log.trouble?.code).toBe('provenance.log.rewritten');
  });

  it('that was restored as a whole cannot fool its witnesses or a monitor', async () => {
    const dataDir = newFolder();
    let core = await start(dataDir);
    const nord = await Gateway.enrol(core, 'edge-nord');
    await nord.announce();
    await nord.observe(1, systemClock.now());
    await core.transparency.rounds.round();
    await nord.client.close();
    await stop();
    const copy = newFolder();
    for (const part of ['log', 'transparency']) cpSync(join(dataDir, part), join(copy, part), { recursive: true });
    core = await start(dataDir);
    await nord.connect(core);
    for (let value = 0; value < 60; value++) await nord.observe(value, systemClock.now());
    const anchor = readAnchor(core.transparency.anchor());
    const monitor = new LogMonitor({ origin: anchor.origin, key: anchor.logKey, witnesses: anchor.witnesses });
    expect(await monitor.look(sourceOf(core))).toMatchObject({ kind: 'grown' });
    await nord.client.close();
    await stop();
    for (const part of ['log', 'transparency']) {
      rmSync(join(dataDir, part), { recursive: true });
      cpSync(join(copy, part), join(dataDir, part), { recursive: true });
    }
    for (const derived of ['ingest.json', 'live.jsonl']) rmSync(join(dataDir, derived), { force: true });
    core = await start(dataDir);
    // From the inside everything fits together again; only those outside know better.
    expect(core.transparency.keeper.log.trouble).toBeUndefined();
    await nord.connect(core);
    const note = await core.transparency.rounds.round();
    expect(parseCheckpoint(note!).cosignatures).toEqual([]);
    expect(nord.events.map(({ code }) => code)).toContain('provenance.shrunk');
    expect(core.transparency.rounds.counters.refusals).toBeGreaterThan(0);
    expect(await monitor.look(sourceOf(core))).toMatchObject({ kind: 'bad', code: 'provenance.shrunk' });
    await nord.client.close();
  });
});

/** Exchanges two records of a segment: all checksums fit, the order does not. */
function rewriteLog(folder: string): void {
  const name = readdirSync(folder).find((each) => each.endsWith('.log'))!;
  const path = join(folder, name);
  const bytes = readFileSync(path);
  const records: Buffer[] = [];
  for (let at = 32; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at);
    records.push(bytes.subarray(at, end));
    at = end;
  }
  [records[3], records[4]] = [records[4]!, records[3]!];
  writeFileSync(path, Buffer.concat([bytes.subarray(0, 32), ...records]));
}
