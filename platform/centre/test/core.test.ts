import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import {
  batchToBytes,
  ChainWriter,
  type Column,
  type Content,
  decodeBatch,
  kidOf,
  LinkClient,
  type LinkClientOptions,
  MemoryBatchStore,
  readCentreLog,
  readSites,
} from '@enerchain/link';
import { type CommandOrder, newMrid, systemClock } from '@enerchain/model';
import { type Certificate, certificateFromPem, FileKeySigner, parseCrl, thumbprint } from '@enerchain/pki';
import {
  CommandGuard,
  coseParse1,
  decodeCbor,
  enrol,
  type Identity,
  renew,
  requestFor,
  SESSION_METHOD,
} from '@enerchain/trust';
import { pino } from 'pino';
import { afterAll, describe, expect, it } from 'vitest';
import { type Core, openCore } from '../src/core.ts';
import type { RecordEntry } from '../src/log/entries.ts';
import { until } from './until.ts';

const logger = pino({ level: 'silent' });
const folders: string[] = [];
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'centre-core-'));
  folders.push(folder);
  return folder;
};
const open = (dataDir: string, port = 0): Promise<Core> =>
  openCore({
    dataDir,
    link: { host: '127.0.0.1', port },
    relays: new Map([['relay-1', new Set(['edge-behind'])]]),
    logger,
    signal: new AbortController().signal,
  });

/** The revocation list of an issuing key, from the link port. */
async function crlOf(core: Core, issuer: Certificate): Promise<ReturnType<typeof parseCrl>> {
  const id = Buffer.from(issuer.extensions.subjectKeyIdentifier!).toString('hex');
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const options = { ca: core.ca.certificatePem, agent: false };
    get(`${core.linkUrl}/crl/${id}.crl`, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks)));
    }).on('error', reject);
  });
  return parseCrl(bytes, { issuer });
}

/** A source as an edge or service is one: identity by enrolment, chain, link. */
class Source {
  readonly identity: Identity;
  readonly store = new MemoryBatchStore();
  readonly chain: ChainWriter;
  readonly client: LinkClient;
  readonly points = Array.from({ length: 4 }, newMrid);
  readonly commands: Uint8Array[] = [];
  state = '';
  onReject: NonNullable<LinkClientOptions['onReject']> = () => undefined;

  private constructor(identity: Identity, url: string, more: Partial<LinkClientOptions>) {
    this.identity = identity;
    this.chain = new ChainWriter({ source: identity.name, signer: identity.signer, kid: identity.kid });
    this.client = new LinkClient({
      url,
      identity,
      software: 'test',
      store: this.store,
      backoff: { initial: 20, maximum: 200 },
      onCommand: (bytes) => this.commands.push(bytes),
      onReject: (rejection) => this.onReject(rejection),
      onState: (state, reason) => {
        this.state = `${state} ${reason ?? ''}`;
      },
      ...more,
    });
  }

  static async enrol(
    core: Core,
    name: string,
    role: 'edge' | 'service' = 'edge',
    more: Partial<LinkClientOptions> = {},
  ) {
    const token = await core.ca.createToken({ name, role, address: core.linkUrl, validFor: 60_000 });
    return new Source(await enrol({ dir: newFolder(), token }), core.linkUrl, more);
  }

  async put(content: Content): Promise<void> {
    const batch = await this.chain.next(content);
    this.store.append(batch.header, batchToBytes(batch));
    this.client.send();
  }

  announce(): Promise<void> {
    return this.put({
      kind: 'site',
      document: {
        source: this.identity.name,
        site: { id: 'site', name: 'Site' },
        version: 1,
        endpoints: [],
        points: this.points.map((mRID, i) => ({ mRID, name: `point ${i}`, kind: 'analog' })),
        bindings: [],
      },
    });
  }

  /** One observation per point. */
  observe(value: number): Promise<void> {
    return this.put(this.values(value));
  }

  values(value: number): Content {
    const columns = this.points.map((point): Column => {
      const time = BigInt64Array.of(1_790_000_000_000_000_000n + BigInt(value) * 1_000_000_000n);
      return {
        point,
        sourceTime: time,
        receiveTime: time,
        value: Float64Array.of(value),
        quality: new Uint16Array(1),
        timeQuality: new Uint16Array(1),
        cause: new Uint8Array(1),
      };
    });
    return { kind: 'observations', batch: { columns, count: columns.length } };
  }

  async online(): Promise<this> {
    this.client.start();
    await until(`${this.identity.name} online`, () => this.client.state === 'online');
    return this;
  }

  acknowledged(): Promise<void> {
    return until('all acknowledged', () => this.store.count === 0);
  }
}

const values = async (core: Core, point: string) =>
  (await core.historian.range({ point, from: 0n, to: 2n ** 62n })).value as number[];
const count = (n: number) => Array.from({ length: n }, (_, i) => i);

const orderFor = (target: string): CommandOrder => ({
  id: newMrid(),
  point: newMrid(),
  action: 'operate',
  value: 1,
  validFor: 5000,
  issuedAt: systemClock.now().toString(),
  origin: { orCat: 'remoteControl', orIdent: 'test' },
  target,
});

describe('the core of the centre', () => {
  const homes: string[] = [];
  afterAll(() => {
    for (const folder of folders) {
      try {
        homes.push(JSON.parse(readFileSync(join(folder, 'database', 'location.json'), 'utf8')).home);
      } catch {
        // A folder without a database.
      }
    }
    for (const folder of [...folders, ...homes]) rmSync(folder, { recursive: true, force: true });
  });

  it('takes what an enrolled source sends, from its link to live state and history, and goes on after a restart', async () => {
    const dataDir = newFolder();
    let core = await open(dataDir);
    const { port } = core.link.address;
    const edge = await (await Source.enrol(core, 'edge-nord')).online();
    await edge.announce();
    for (const value of count(20)) await edge.observe(value);
    await edge.acknowledged();
    await until('live', () => core.live.get(edge.points[0]!)?.value === 19);
    expect(core.points.get(edge.points[0]!)).toMatchObject({ source: 'edge-nord', name: 'point 0' });
    expect(core.sources.status()).toMatchObject([
      { source: 'edge-nord', connected: true, sequence: 20, observations: 80 },
    ]);

    await core.close();
    await edge.observe(20);
    core = await open(dataDir, port);
    expect(core.live.get(edge.points[1]!)?.value).toBe(19);
    await edge.acknowledged();
    await until('live again', () => core.live.get(edge.points[1]!)?.value === 20);
    await until('history', async () => (await values(core, edge.points[1]!)).length === 21);
    expect(await values(core, edge.points[1]!)).toEqual(count(21));
    await expect(open(dataDir)).rejects.toMatchObject({ code: 'host.folder.in-use' });
    await edge.client.close();
    await core.close();
  });

  it('has every acknowledged observation once after it was killed in the middle of it, and leaves nothing running', async () => {
    const dataDir = newFolder();
    const first = await open(dataDir);
    const edge = await Source.enrol(first, 'edge-nord');
    const { port } = first.link.address;
    await first.close();
    let acknowledged = 0;
    await edge.announce();
    for (let round = 0; round < 2; round++) {
      const child = fork(new URL('./core-child.ts', import.meta.url), [dataDir, String(port)], {
        execArgv: ['--disable-warning=ExperimentalWarning'],
      });
      await new Promise((resolve) => child.once('message', resolve));
      edge.client.start();
      for (let i = 0; i < 150; i++) await edge.observe(round * 150 + i);
      await until('some acknowledged', () => edge.store.count < 100);
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      acknowledged = 301 - edge.store.count;
    }
    const core = await open(dataDir, port);
    const before = core.sources.status()[0]!;
    expect(before.batches).toBeGreaterThanOrEqual(Math.min(acknowledged, 151));
    await edge.acknowledged();
    await until('history', async () => (await values(core, edge.points[2]!)).length >= 300);
    for (const point of edge.points) expect(await values(core, point)).toEqual(count(300));
    expect(core.sources.status()).toMatchObject([{ batches: 301, chainBreaks: 0, gaps: 0 }]);
    await edge.client.close();
    await core.close();
  });

  describe('with sources and services', () => {
    let core: Core;
    const start = async () => {
      core ??= await open(newFolder());
      return core;
    };
    afterAll(() => core?.close());

    it('delivers a signed command to the source it is for, and says when that is away', async () => {
      await start();
      const edge = await (await Source.enrol(core, 'edge-command')).online();
      const command = orderFor('edge-command');
      const keyOf = (kid: Uint8Array) => edge.client.centreKeyOf(kid);
      const send = () => core.sources.sendCommand('edge-command', command);
      await expect(send()).rejects.toMatchObject({ code: 'centre.source.unsigned' });
      const guard = new CommandGuard({ source: 'edge-command', clock: systemClock, keyOf });
      await edge.client.request(SESSION_METHOD, { challenge: guard.challenge() });
      await Promise.all([send(), send()]);
      await until('commands', () => edge.commands.length === 2);
      const [first, second] = edge.commands.map((bytes) => decodeCbor(coseParse1(bytes).payload));
      expect([first, second]).toMatchObject([{ counter: 1 }, { counter: 2 }]);
      // As it was sent it stands in the log, before it was sent.
      const { next } = core.log.bounds();
      const logged: Uint8Array[] = [];
      for await (const entries of core.log.read(0, AbortSignal.timeout(60_000))) {
        for (const { content } of entries) if (content.kind === 'command') logged.push(content.record.command);
        if (entries.at(-1)!.offset >= next - 1) break;
      }
      expect(logged.map((bytes) => Buffer.from(bytes))).toEqual(edge.commands.map((bytes) => Buffer.from(bytes)));
      expect(guard.accept(edge.commands[0]!).command).toMatchObject(command);
      const strict = new CommandGuard({ source: 'edge-other', clock: systemClock, keyOf });
      expect(() => strict.accept(edge.commands[0]!)).toThrow(/is for edge-command/);
      await edge.client.close();
      await until('away', () =>
        core.sources.status().some(({ source, connected }) => source === 'edge-command' && !connected),
      );
      await expect(core.sources.sendCommand('edge-command', command)).rejects.toMatchObject({
        code: 'centre.source.away',
      });
    });

    it('gets another key while it runs: sources come again and take what that signs, and its own chain goes on', async () => {
      await start();
      const edge = await (await Source.enrol(core, 'edge-rekeyed')).online();
      const before = core.identity;
      await core.link.rotateOwnKey();
      const after = core.identity;
      expect(after.signer.publicKey.equals(before.signer.publicKey)).toBe(false);
      await until('the new key known', () => edge.client.centreKeyOf(after.kid) !== undefined);
      await edge.announce();
      await edge.acknowledged();
      const guard = new CommandGuard({
        source: 'edge-rekeyed',
        clock: systemClock,
        keyOf: (kid) => edge.client.centreKeyOf(kid),
      });
      await edge.client.request(SESSION_METHOD, { challenge: guard.challenge() });
      const order = orderFor('edge-rekeyed');
      await core.sources.sendCommand('edge-rekeyed', order);
      await until('the command', () => edge.commands.length === 1);
      expect(guard.accept(edge.commands[0]!).command).toMatchObject(order);
      expect(Buffer.from(coseParse1(edge.commands[0]!).kid)).toEqual(Buffer.from(after.kid));
      const offset = await core.log.append({ action: 'test.rekeyed', actor: 'test', outcome: 'ok' });
      for await (const entries of core.log.read(offset, AbortSignal.timeout(60_000))) {
        const { record } = entries[0] as RecordEntry;
        expect(Buffer.from(kidOf(decodeBatch(record.batch)))).toEqual(Buffer.from(after.kid));
        break;
      }
      await edge.client.close();
    });

    it('shuts out a revoked certificate at once', async () => {
      await start();
      const edge = await (await Source.enrol(core, 'edge-revoked')).online();
      const fingerprint = Buffer.from(edge.identity.kid).toString('hex');
      const order = { reason: 'stolen' };
      await expect(core.link.revoke('edge-other', { ...order, fingerprint })).rejects.toMatchObject({
        code: 'centre.certificate.unknown',
      });
      expect(await core.link.revoke('edge-revoked', order)).toEqual([fingerprint]);
      await until('ended', () => edge.client.state !== 'online');
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(core.sources.status().find(({ source }) => source === 'edge-revoked')?.connected).toBe(false);
      const renewing = renew({ dir: newFolder(), identity: edge.identity, url: core.linkUrl });
      await expect(renewing).rejects.toThrow(/was revoked/);
      await expect(core.link.revoke('edge-revoked', order)).rejects.toThrow(/nothing was revoked/);
      await edge.client.close();
      // Issue and revocation stand in the log, and in the list of the authority for whoever checks later.
      const records: { name: string; revoked?: { reason?: string } | undefined; der: Buffer }[] = [];
      const ours = () => records.filter(({ name }) => name === 'edge-revoked');
      for await (const entries of core.log.read(0, AbortSignal.timeout(60_000))) {
        for (const { content } of entries) {
          if (content.kind !== 'certificate') continue;
          const { name, revoked, certificate } = content.record;
          records.push({ name, revoked, der: Buffer.from(certificate) });
        }
        if (ours().length === 2) break;
      }
      expect(records.map(({ name }) => name)).toContain('centre');
      expect(ours().map(({ revoked }) => revoked?.reason)).toEqual([undefined, 'stolen']);
      expect(ours().every(({ der }) => der.equals(edge.identity.certificate.der))).toBe(true);
      const [issuer] = core.ca.bundle.issuing;
      const list = await crlOf(core, issuer!);
      expect(list.find(edge.identity.certificate.serialNumber)?.revokedAt.getTime()).toBeGreaterThan(0);
      const other = await Source.enrol(core, 'edge-listed');
      expect(list.find(other.identity.certificate.serialNumber)).toBeUndefined();
      await core.link.revoke('edge-listed', order);
      const later = await crlOf(core, issuer!);
      expect(later.find(other.identity.certificate.serialNumber)).toBeDefined();
      expect(later.number).toBeGreaterThan(list.number!);
    });

    it('lets a relay stand in for the sources that it is named with, and for no other', async () => {
      await start();
      const through = async (relay: string, source: string) => {
        const token = await core.ca.createToken({
          name: relay,
          role: 'relay',
          address: core.linkUrl,
          validFor: 60_000,
        });
        const identity = await enrol({ dir: newFolder(), token });
        const options = { url: core.linkUrl, identity, software: 'relay', store: new MemoryBatchStore(), source };
        return new Promise<string>((resolve) => {
          const client: LinkClient = new LinkClient({
            ...options,
            onState: (state, reason) => {
              if (state !== 'online' && state !== 'waiting') return;
              resolve(reason ?? state);
              void client.close();
            },
          });
          client.start();
        });
      };
      expect(await through('relay-1', 'edge-behind')).toBe('online');
      expect(await through('relay-1', 'edge-nord')).toContain('relay relay-1 may not speak for edge-nord');
      expect(await through('relay-2', 'edge-behind')).toContain('relay relay-2 may not speak for edge-behind');
      expect(core.sources.status().map(({ source }) => source)).not.toContain('edge-nord');
    });

    it('takes nothing under a key that has given way to a newer one, but what comes late from before', async () => {
      await start();
      const edge = await (await Source.enrol(core, 'edge-rotated')).online();
      const old = edge.identity;
      const holder = { name: 'edge-rotated', role: 'edge' } as const;
      await edge.announce();
      await edge.observe(1);
      await edge.acknowledged();
      // Two batches that wait while another key takes over in the next epoch.
      const late = [await edge.chain.next(edge.values(2)), await edge.chain.next(edge.values(3))];
      const signer = await FileKeySigner.create(join(newFolder(), 'key.pem'));
      const pem = await core.ca.issue(await requestFor(holder, signer), holder);
      edge.chain.renewed(thumbprint(certificateFromPem(pem)), signer);
      edge.chain.newEpoch();
      await edge.observe(4);
      await edge.acknowledged();
      for (const batch of late) edge.store.append(batch.header, batchToBytes(batch));
      edge.client.send();
      await edge.acknowledged();
      await until('late values', async () => (await values(core, edge.points[0]!)).length === 4);
      // Whoever has the old key writes on with it.
      const { position } = edge.chain;
      const thief = new ChainWriter({ source: holder.name, signer: old.signer, kid: old.kid, position });
      const rejections: { code: string; text: string }[] = [];
      edge.onReject = (rejection) => rejections.push(rejection);
      const forged = await thief.next(edge.values(666));
      edge.store.append(forged.header, batchToBytes(forged));
      edge.client.send();
      await until('a rejection', () => rejections.length > 0);
      expect(rejections[0]).toMatchObject({
        code: 'ingest.superseded-key',
        text: expect.stringMatching(
          /batch 1\/1 of edge-rotated is signed with a key that gave way to a newer one at 1\/0/,
        ),
      });
      expect(await values(core, edge.points[0]!)).toEqual([1, 2, 3, 4]);
      await edge.client.close();
    });

    it('audits by name whom TLS turned away', async () => {
      await start();
      const from = core.log.bounds().next;
      const { port } = core.link.address;
      const socket = connectTls({ host: '127.0.0.1', port, maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' });
      socket.on('error', () => undefined);
      const stop = new AbortController();
      for await (const entries of core.log.read(from, stop.signal)) {
        const told = entries.flatMap(({ content }) => (content.kind === 'audit' ? [content.record] : []));
        const found = told.find(({ action }) => action === 'tls.version-too-low');
        if (!found) continue;
        expect(found).toMatchObject({ actor: '127.0.0.1', outcome: 'refused' });
        stop.abort();
      }
    });

    it('keeps one of two gateways with the same identity, refuses the other, and raises an alarm', async () => {
      await start();
      const edge = await (await Source.enrol(core, 'edge-twin')).online();
      const options = { url: core.linkUrl, identity: edge.identity, software: 'twin', store: new MemoryBatchStore() };
      const twin = new LinkClient({ ...options, backoff: { initial: 20, maximum: 20 }, random: () => 0 });
      twin.start();
      const stop = new AbortController();
      const from = core.log.bounds().first;
      let raised = false;
      for await (const entries of core.log.read(from, stop.signal)) {
        raised ||= entries.some(
          ({ content }) => content.kind === 'alarmRaised' && content.alarm.key === 'source.duplicate.edge-twin',
        );
        if (raised) stop.abort();
      }
      expect(core.sources.status().find(({ source }) => source === 'edge-twin')?.connected).toBe(true);
      await twin.close();
      await edge.client.close();
    });

    it('lets a service read the log, publish points of its own, add routes and pages, and nothing more than it may', async () => {
      await start();
      const edge = await (await Source.enrol(core, 'edge-data')).online();
      await edge.announce();
      await edge.observe(1);
      await edge.acknowledged();
      const service = await (
        await Source.enrol(core, 'grid-state', 'service', {
          onRequest: (method, params) => ({
            status: 200,
            headers: { 'content-type': 'text/plain' },
            body: Buffer.from(`${method} ${(params as { path: string }).path}`),
          }),
        })
      ).online();

      const seen: number[] = [];
      for await (const { content, source } of readCentreLog(service.client, 0)) {
        if (content.kind !== 'observations' || source !== 'edge-data') continue;
        seen.push(...content.batch.columns.map(({ value }) => value[0] as number));
        break;
      }
      expect(seen).toEqual([1, 1, 1, 1]);
      expect((await readSites(service.client)).map(({ source }) => source)).toContain('edge-data');

      await service.announce();
      await service.observe(5);
      await until('live', () => core.live.get(service.points[0]!)?.value === 5);

      await service.client.request('routes.register', { prefix: '/grid-state' });
      await service.client.request('page.register', {
        id: 'grid',
        title: 'Grid',
        icon: 'grid',
        module: '/grid-state/page.js',
      });
      expect(core.services.pages()).toMatchObject([{ id: 'grid' }]);
      const user = { name: 'admin', rights: [] };
      const answer = await core.services.request({ method: 'GET', path: '/grid-state/islands?x=1', headers: {}, user });
      expect(Buffer.from(answer!.body).toString()).toBe('http /grid-state/islands?x=1');
      expect(core.services.request({ method: 'GET', path: '/grid-stately', headers: {}, user })).toBeUndefined();

      await expect(service.client.request('grid.get', {})).rejects.toMatchObject({ code: 'centre.starting' });
      core.services.attach({
        grid: async () => undefined,
        mayCommand: (name) => name === 'somebody-else',
        prepare: async () => ({}),
        step: async () => ({}),
      });
      expect(await service.client.request('grid.get', {})).toBeNull();
      await expect(service.client.request('command.prepare', { point: newMrid(), value: 1 })).rejects.toMatchObject({
        code: 'service.right',
      });
      await expect(service.client.request('routes.register', { prefix: '../x' })).rejects.toMatchObject({
        fault: 'peer',
      });
      await expect(edge.client.request('points.get', {})).rejects.toMatchObject({ code: 'service.role' });

      await service.client.close();
      await until('gone', () => core.services.pages().length === 0);
      await edge.client.close();
    });
  });
});
