/** A first point list for a station nobody has a list of: what a general interrogation brings, as CSV. */
import { type Asdu, Iec104Client, typeName } from '@enerchain/iec60870';
import { EnerchainError } from '@enerchain/model';
import { csvCell } from '../../site/csv.ts';
import { IS_MONITORED, rawValueOf } from './mapping.ts';
import { OBJECT_TYPES } from './object-types.ts';

/**
 * A point list in the form `loadSite` reads, one row per object, ordered by address; the last value seen stands in the
 * description, so that the engineer can tell the points apart.
 */
export function draftPointList(asdus: Iterable<Asdu>): string {
  const rows = new Map<string, { ca: number; ioa: number; type: string; value: number }>();
  for (const asdu of asdus) {
    if (IS_MONITORED[asdu.typeId] !== 1) continue;
    const ca = asdu.commonAddress;
    for (const { address: ioa, element } of asdu.objects) {
      rows.set(`${ca}/${ioa}`, { ca, ioa, type: typeName(asdu.typeId), value: rawValueOf(element) });
    }
  }
  const sorted = [...rows.values()].sort((a, b) => a.ca - b.ca || a.ioa - b.ioa);
  const lines = ['name;ca;ioa;type;kind;unit;multiplier;k;d;description'];
  for (const { ca, ioa, type, value } of sorted) {
    const kind = OBJECT_TYPES.get(type)?.kind ?? '';
    const seen = Number.isInteger(value) ? String(value) : value.toPrecision(6);
    lines.push([`CA ${ca} IOA ${ioa}`, ca, ioa, type, kind, '', '', '', '', csvCell(`seen: ${seen}`)].join(';'));
  }
  return `${lines.join('\n')}\n`;
}

export interface ScanOptions {
  readonly host: string;
  readonly port?: number;
  /** Default 65535: every station behind the address. */
  readonly commonAddress?: number;
  /** Seconds to wait for the connection and for each step of the interrogation. */
  readonly timeoutSeconds?: number;
}

/**
 * Interrogates a station once.
 * @returns the draft, and whether the station said that the interrogation was complete
 * @throws EnerchainError `edge.scan.connect` when there is no connection, and what the client throws
 */
export async function scanIec104(options: ScanOptions): Promise<{ readonly csv: string; readonly complete: boolean }> {
  const seconds = options.timeoutSeconds ?? 10;
  const seen: Asdu[] = [];
  const started = Promise.withResolvers<void>();
  const where = `${options.host}:${options.port ?? 2404}`;
  const fail = (reason: string): void =>
    started.reject(new EnerchainError('environment', 'edge.scan.connect', `no connection to ${where}: ${reason}`));
  const client = new Iec104Client({
    host: options.host,
    ...(options.port === undefined ? {} : { port: options.port }),
    reconnect: false,
    onAsdu: (asdu) => void seen.push(asdu),
    onState: (state, reason) => {
      if (state === 'started') started.resolve();
      else if (state === 'disconnected') fail(reason ?? 'the connection was closed');
    },
  });
  const timer = setTimeout(() => fail(`not started within ${seconds} s`), seconds * 1000);
  try {
    client.start();
    await started.promise;
    const result = await client.interrogate(options.commonAddress ?? 0xffff, 20, { actcon: seconds, actterm: seconds });
    return { csv: draftPointList(seen), complete: result.terminated };
  } finally {
    clearTimeout(timer);
    await client.close();
  }
}
