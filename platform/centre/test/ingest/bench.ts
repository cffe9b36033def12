/** Sources and a log in memory for the tests of ingest. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Batch, batchToBytes, ChainWriter, type Column, type Content } from '@enerchain/link';
import { type Clock, newMrid, type SiteDocument } from '@enerchain/model';
import type { Signer } from '@enerchain/trust';
import { pino } from 'pino';
import { encodeCheckpoint, keptOf, restore } from '../../src/ingest/checkpoint.ts';
import { decodeLogged } from '../../src/ingest/decode.ts';
import { Findings } from '../../src/ingest/findings.ts';
import type { Sender } from '../../src/ingest/opened.ts';
import { CENTRE, OwnChain } from '../../src/ingest/own-chain.ts';
import { Directory, SiteFiles } from '../../src/ingest/points.ts';
import { SourceChain, type Taken } from '../../src/ingest/source-chain.ts';
import { IngestLog } from '../../src/log/log.ts';
import type { LogEntry, SourceRole } from '../../src/ports.ts';
import { MemoryFiles } from '../log/memory-files.ts';

export class TestClock implements Clock {
  millis = 1_800_000_000_000;
  now = () => BigInt(this.millis) * 1_000_000n;
  monotonic = () => this.millis;
}

/** A key pair with its identifier. */
export function newSigner(): { signer: Signer; kid: Uint8Array; key: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const signer: Signer = {
    algorithm: 'ES256',
    origin: 'file',
    publicKey,
    sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
  const kid = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
  return { signer, kid, key: publicKey };
}

/** A source that writes batches and keeps nothing. */
export class TestSource {
  readonly name: string;
  readonly points: readonly string[] = Array.from({ length: 3 }, newMrid);
  readonly keys = newSigner();
  chain: ChainWriter;

  constructor(name: string) {
    this.name = name;
    this.chain = this.newChain();
  }

  newChain(epoch = 0): ChainWriter {
    return new ChainWriter({ source: this.name, signer: this.keys.signer, kid: this.keys.kid, epoch });
  }

  site(version = 1, points = this.points): SiteDocument {
    return {
      source: this.name,
      site: { id: this.name, name: this.name },
      version,
      endpoints: [],
      points: points.map((mRID, index) => ({ mRID, name: `point ${index}`, kind: 'analog' })),
      bindings: [],
    };
  }

  next(content: Content): Promise<Batch> {
    return this.chain.next(content);
  }

  announce(version = 1, points = this.points): Promise<Batch> {
    return this.next({ kind: 'site', document: this.site(version, points) });
  }

  /** @param options.defer without a signature of its own */
  observe(
    value: number,
    points: readonly string[] = this.points,
    at = 1_800_000_000_000_000_000n,
    options: { readonly defer?: boolean } = {},
  ): Promise<Batch> {
    const columns = points.map((point): Column => {
      const time = BigInt64Array.of(at);
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
    return this.chain.next({ kind: 'observations', batch: { columns, count: columns.length } }, options);
  }
}

/** Ingest on a log in memory. */
export class Bench {
  readonly clock = new TestClock();
  files = new MemoryFiles();
  readonly own = newSigner();
  readonly known = new Map<string, KeyObject>();
  readonly chains = new Map<string, SourceChain>();
  points = new Directory();
  log!: IngestLog;
  ownChain!: OwnChain;

  async open(): Promise<this> {
    this.log = await IngestLog.open({ folder: '/log', decode: decodeLogged, files: this.files, clock: this.clock });
    this.points = new Directory();
    const sites = new SiteFiles(this.files, '/sites');
    await sites.load(this.points);
    const checkpoint = await restore(this.files, '/ingest.json', this.log, (source, document) => {
      this.points.announce(source, document);
    });
    this.ownChain = new OwnChain({ log: this.log, ...this.own, position: checkpoint.own });
    const findings = new Findings(this.ownChain, pino({ level: 'silent' }), this.clock);
    this.chains.clear();
    const { log, points, clock } = this;
    this.#context = { log, points, sites, own: this.ownChain, findings, clock };
    for (const kept of checkpoint.sources.values()) {
      this.chains.set(kept.source, new SourceChain(kept.source, this.#context, kept));
    }
    return this;
  }
  #context!: ConstructorParameters<typeof SourceChain>[1];

  chainOf(source: string): SourceChain {
    let chain = this.chains.get(source);
    if (!chain) {
      chain = new SourceChain(source, this.#context);
      this.chains.set(source, chain);
    }
    return chain;
  }

  source(name = 'edge-nord'): TestSource {
    const source = new TestSource(name);
    this.known.set(Buffer.from(source.keys.kid).toString('hex'), source.keys.key);
    return source;
  }

  /** What the link does with a batch. @param as the source of the session when it is not the sender */
  take(source: TestSource, batch: Batch | Uint8Array, role: SourceRole = 'edge', as = source.name): Promise<Taken> {
    const sender: Sender = { role, keyOf: (kid) => this.known.get(Buffer.from(kid).toString('hex')) };
    return this.chainOf(as).take(batch instanceof Uint8Array ? batch : batchToBytes(batch), sender);
  }

  checkpoint(): Promise<void> {
    const sources = new Map([...this.chains].map(([source, chain]) => [source, keptOf(chain, 'edge')]));
    const at = { next: this.log.bounds().next, own: this.ownChain.position, sources };
    return this.files.writeAll('/ingest.json', encodeCheckpoint(this.log.id, at));
  }

  /** Everything in the log; own records that are still being written are waited for. */
  async entries(): Promise<LogEntry[]> {
    await this.ownChain.append({ action: 'test.flush', actor: CENTRE, outcome: 'ok' });
    const stop = new AbortController();
    const { next } = this.log.bounds();
    const all: LogEntry[] = [];
    for await (const entries of this.log.read(0, stop.signal)) {
      all.push(...entries);
      if (all.length >= next) stop.abort();
    }
    return all.slice(0, -1);
  }

  /** The actions of audit records, and `gap reason` and `alarm key on|off`, in order; of the centre alone. */
  async told(): Promise<string[]> {
    return (await this.entries())
      .filter(({ source }) => source === CENTRE)
      .map(({ content }) => {
        if (content.kind === 'audit') return content.record.action;
        if (content.kind === 'gap') return `gap ${content.gap.reason}`;
        if (content.kind === 'alarmRaised') return `alarm ${content.alarm.key} ${content.alarm.active ? 'on' : 'off'}`;
        return content.kind;
      })
      .filter((action) => action !== 'test.flush');
  }

  /** Values that consumers see, per point. */
  async seen(): Promise<number[]> {
    return (await this.entries()).flatMap(({ content }) =>
      content.kind === 'observations' ? content.batch.columns.map(({ value }) => value[0] as number) : [],
    );
  }
}
