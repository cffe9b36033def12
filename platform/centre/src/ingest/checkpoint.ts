/**
 * Where every source stands, on disk, so that a start reads only the end of the log. What happened after the checkpoint
 * is taken from the log itself, which is always right; a checkpoint that is lost or belongs to another log costs time.
 */
import { type ChainPosition, type ChainState, ChainVerifier, decodeBatch, kidOf, siteOf } from '@enerchain/link';
import type { GapRecord, SiteDocument } from '@enerchain/model';
import { decodeCbor } from '@enerchain/trust';
import type { LogFiles } from '../log/files.ts';
import type { IngestLog } from '../log/log.ts';
import { rawRecords } from '../log/reader.ts';
import type { SourceRole } from '../ports.ts';
import { noCounters, type SourceCounters } from './counters.ts';
import { type KeyEra, KeyEras } from './key-eras.ts';
import { CENTRE } from './own-chain.ts';
import type { Quarantine, SourceChain } from './source-chain.ts';

const VERSION = 1;
/** Fields that JSON cannot hold as they are. */
const OCTETS: ReadonlySet<string> = new Set(['hash', 'lastHash']);
const INSTANTS: ReadonlySet<string> = new Set(['since', 'lastAt']);

/** What is kept of one source. */
export interface KeptSource {
  readonly source: string;
  role: SourceRole;
  chain: ChainVerifier;
  counters: SourceCounters;
  quarantine: Quarantine | undefined;
  lastAt: bigint;
  keys: KeyEras;
}

export interface Checkpoint {
  /** Everything before this offset is in it. */
  next: number;
  readonly sources: Map<string, KeptSource>;
  /** Last batch of the centre's own chain. */
  own: ChainPosition | undefined;
}

/** What a checkpoint keeps of a source: where its chain is durable. */
export function keptOf(chain: SourceChain, role: SourceRole): KeptSource {
  const { source, durable, counters, quarantine, lastAt, keys } = chain;
  return { source, role, chain: durable, counters, quarantine, lastAt, keys };
}

/** The checkpoint as it is written; octets as hex, instants as decimal text. */
export function encodeCheckpoint(log: string, at: Checkpoint): Buffer {
  const sources = [...at.sources.values()].map(({ chain, keys, ...rest }) => ({
    ...rest,
    chain: chain.state(),
    keys: keys.all(),
  }));
  const json = JSON.stringify({ version: VERSION, log, next: at.next, own: at.own, sources }, (_, value) => {
    if (typeof value === 'bigint') return value.toString();
    if (value?.type === 'Buffer') return Buffer.from(value.data).toString('hex');
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  });
  return Buffer.from(json);
}

/** Reads the checkpoint and what the log holds beyond it. */
export async function restore(
  files: LogFiles,
  path: string,
  log: IngestLog,
  announce: (source: string, document: SiteDocument) => void,
): Promise<Checkpoint> {
  const checkpoint = (await readCheckpoint(files, path, log)) ?? { next: 0, sources: new Map(), own: undefined };
  for await (const { offset, record } of rawRecords(log, checkpoint.next)) {
    replay(checkpoint, record.batch, record.rejected, announce);
    checkpoint.next = offset + 1;
  }
  checkpoint.next = log.bounds().next;
  return checkpoint;
}

async function readCheckpoint(files: LogFiles, path: string, log: IngestLog): Promise<Checkpoint | undefined> {
  const text = (await files.readAll(path))?.toString('utf8');
  if (!text) return undefined;
  try {
    const json = JSON.parse(text, (key, value) => {
      if (OCTETS.has(key)) return Buffer.from(value, 'hex');
      return INSTANTS.has(key) ? BigInt(value) : value;
    });
    const { next } = log.bounds();
    if (json.version !== VERSION || json.log !== log.id || json.next > next) return undefined;
    const sources = new Map<string, KeptSource>();
    type Written = Omit<KeptSource, 'chain' | 'keys'> & { chain: ChainState; keys?: KeyEra[] };
    for (const { chain, keys, ...kept } of json.sources as Written[]) {
      const more = { quarantine: kept.quarantine, chain: new ChainVerifier(chain), keys: new KeyEras(keys) };
      sources.set(kept.source, { ...kept, ...more });
    }
    return { next: json.next, sources, own: json.own };
  } catch {
    return undefined;
  }
}

/** One record of the log: its source's chain moves on, as it did when the record was taken. */
function replay(
  checkpoint: Checkpoint,
  bytes: Uint8Array,
  rejected: readonly number[],
  announce: (source: string, document: SiteDocument) => void,
): void {
  let batch: ReturnType<typeof decodeBatch>;
  try {
    batch = decodeBatch(bytes);
  } catch {
    return; // a reader of the log says so in its place
  }
  const { source, epoch, sequence, kind, count } = batch.header;
  if (source === CENTRE) {
    checkpoint.own = { epoch, sequence, hash: Buffer.from(batch.hash) };
    return;
  }
  let kept = checkpoint.sources.get(source);
  if (!kept) {
    kept = {
      source,
      role: 'edge',
      chain: new ChainVerifier(),
      counters: noCounters(),
      quarantine: undefined,
      lastAt: 0n,
      keys: new KeyEras(),
    };
    checkpoint.sources.set(source, kept);
  }
  kept.chain.accept(batch);
  if (!batch.deferred) kept.keys.note(kidOf(batch), batch.header);
  kept.quarantine = undefined;
  kept.counters.batches++;
  kept.counters.bytes += bytes.length;
  if (kind === 'observations') {
    kept.counters.observations += count;
    if (batch.header.baseTime > kept.lastAt) kept.lastAt = batch.header.baseTime;
  } else if (kind === 'gap') {
    kept.counters.gaps++;
    kept.chain.acceptGap(decodeCbor(batch.columns[0]!) as unknown as GapRecord);
  } else if (kind === 'site' && rejected.length === 0) {
    try {
      announce(source, siteOf(batch.columns, source));
    } catch {
      // as above
    }
  }
}
