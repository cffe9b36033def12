/** `enerchain iec104 listen | command | scan`: what a field engineer reaches for. */
import { readFileSync } from 'node:fs';
import { type Asdu, Iec104Client, normalizedRaw, typeByName, typeSpec } from '@enerchain/iec60870';
import { EnerchainError } from '@enerchain/model';
import { type Connect, tlsConnect } from '@enerchain/transport';
import { objectLine, objectText } from '../iec104/json-lines.ts';
import { wholeNumber } from '../options.ts';
import { stopSignal } from '../supervisor/supervised.ts';

interface ConnectionOptions {
  readonly originator: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
}

/** How long a device may take to accept the connection and start data transfer, ms. */
const CONNECT_WITHIN = 10_000;

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const remark = (text: string): void => void process.stderr.write(`· ${text}\n`);

export async function listen(
  at: string,
  options: ConnectionOptions & { ca: string; interrogate: boolean; count?: string; for?: string; json?: boolean },
): Promise<void> {
  const ca = wholeNumber(options.ca, '--ca', 1, 65_535);
  const count = options.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber(options.count, '--count', 1, 1e9);
  const stop = stopSignal();
  const done = Promise.withResolvers<void>();
  let printed = 0;
  const onAsdu = (asdu: Asdu): void => {
    // Confirmations of our own interrogation carry no information; `M_EI_NA_1` (end of initialisation) does.
    if (!carriesInformation(asdu)) return;
    const now = Date.now();
    for (const object of asdu.objects) {
      if (printed >= count) return;
      const line = objectLine(asdu, object, now);
      print(options.json ? JSON.stringify(line) : objectText(line));
      printed += 1;
    }
    if (printed >= count) done.resolve();
  };
  const client = await connected(at, options, onAsdu, (reason) => remark(`${at}: ${reason}; connecting again`), true);
  stop.addEventListener('abort', () => done.resolve(), { once: true });
  if (options.for !== undefined) setTimeout(() => done.resolve(), wholeNumber(options.for, '--for', 1, 1e6) * 1000);
  try {
    if (options.interrogate) await Promise.race([client.interrogate(ca), done.promise]);
    await done.promise;
  } finally {
    await client.close();
    if (process.connected) process.disconnect();
  }
  process.exit();
}

export async function command(
  at: string,
  options: ConnectionOptions & {
    ca: string;
    ioa: string;
    type: string;
    value: string;
    select?: boolean;
    qualifier: string;
    json?: boolean;
  },
): Promise<void> {
  const spec = typeByName(options.type);
  if (!spec)
    throw new EnerchainError('caller', 'cli.option', `there is no type '${options.type}', for example C_SC_NA_1`);
  const client = await connected(
    at,
    options,
    () => {},
    () => {},
    false,
  );
  try {
    const outcome = await client.command({
      ca: wholeNumber(options.ca, '--ca', 1, 65_534),
      ioa: wholeNumber(options.ioa, '--ioa', 1, 2 ** 24 - 1),
      typeId: spec.id,
      value: commandValue(options.value, options.type),
      qualifier: wholeNumber(options.qualifier, '--qualifier', 0, 127),
      mode: options.select ? 'select-before-operate' : 'direct',
    });
    if (options.json) print(JSON.stringify(outcome));
    else print(outcomeText(outcome));
    if (outcome.kind !== 'confirmed') process.exitCode = 1;
  } finally {
    await client.close();
    if (process.connected) process.disconnect();
  }
}

export async function scan(
  at: string,
  options: ConnectionOptions & { ca: string; settle: string; json?: boolean },
): Promise<void> {
  const seen: Asdu[] = [];
  const client = await connected(
    at,
    options,
    (asdu) => void seen.push(asdu),
    () => {},
    false,
  );
  try {
    const result = await client.interrogate(wholeNumber(options.ca, '--ca', 1, 65_535));
    if (!result.terminated)
      remark('the device did not report the end of the interrogation; the list may be incomplete');
    await new Promise((wake) => setTimeout(wake, wholeNumber(options.settle, '--settle', 0, 3600) * 1000));
  } finally {
    await client.close();
    if (process.connected) process.disconnect();
  }
  if (options.json) {
    const now = Date.now();
    for (const asdu of seen.filter(carriesInformation)) {
      for (const object of asdu.objects) print(JSON.stringify(objectLine(asdu, object, now)));
    }
  } else {
    // Loaded here: the gateway is a large package, and the other tools start quicker without it.
    const { draftPointList } = await import('@enerchain/edge');
    process.stdout.write(draftPointList(seen));
  }
}

/** False for what answers requests of the system group (100 to 107): those have no information object of their own. */
function carriesInformation(asdu: Asdu): boolean {
  const group = typeSpec(asdu.typeId)?.group;
  return asdu.typeId === typeByName('M_EI_NA_1')?.id || (group !== 'system' && group !== 'file');
}

/** Connects and waits until data transfer runs. @throws EnerchainError with the reason when it does not come to that */
async function connected(
  at: string,
  options: ConnectionOptions,
  onAsdu: (asdu: Asdu) => void,
  onLost: (reason: string) => void,
  reconnect: boolean,
): Promise<Iec104Client> {
  const { host, port } = parseAddress(at);
  const started = Promise.withResolvers<void>();
  let running = false;
  let last = 'no answer';
  const client = new Iec104Client({
    host,
    port,
    ...transport(host, port, options),
    originator: wholeNumber(options.originator, '--originator', 0, 255),
    ...(reconnect ? {} : { reconnect: false as const }),
    onAsdu,
    onMalformed: (error) => remark(error.message),
    onState: (state, reason) => {
      if (state === 'started') {
        running = true;
        started.resolve();
      } else if (state === 'disconnected') {
        last = reason ?? last;
        if (running) onLost(last);
        else
          started.reject(new EnerchainError('environment', 'cli.iec104.connect', `${at} cannot be reached: ${last}`));
      }
    },
  });
  const timer = setTimeout(() => {
    started.reject(
      new EnerchainError(
        'peer',
        'cli.iec104.connect',
        `${at} did not start data transfer within ${CONNECT_WITHIN / 1000} s: ${last}`,
      ),
    );
  }, CONNECT_WITHIN);
  client.start();
  try {
    await started.promise;
    return client;
  } catch (error) {
    await client.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function transport(host: string, port: number, options: ConnectionOptions): { transport?: Connect } {
  if (!options.tlsCa) return {};
  const read = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : readFileSync(path, 'utf8');
  const [cert, key] = [read(options.tlsCert), read(options.tlsKey)];
  if (!cert || !key) {
    throw new EnerchainError(
      'caller',
      'cli.option',
      'IEC 62351-3 asks for certificates on both sides: add --tls-cert and --tls-key',
    );
  }
  return {
    transport: tlsConnect({
      host,
      port,
      tls: {
        ca: readFileSync(options.tlsCa, 'utf8'),
        cert,
        key,
        ...(options.tlsServerName ? { serverName: options.tlsServerName } : {}),
      },
    }),
  };
}

/** `host`, `host:port` or `[v6]:port`; 2404 is the port of IEC 104. */
export function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  if (!match) throw new EnerchainError('caller', 'cli.option', `'${text}' is not an address of the form host:port`);
  return { host: (match[1] ?? match[2])!, port: match[3] ? wholeNumber(match[3], 'the port', 1, 65_535) : 2404 };
}

/** `on` and `off` as the type means them; fractions for normalised set-points. */
export function commandValue(text: string, type: string): number {
  const double = /^C_(DC|RC)/.test(type);
  const words: Record<string, number> = { off: double ? 1 : 0, on: double ? 2 : 1, lower: 1, higher: 2 };
  const value = words[text.toLowerCase()] ?? Number(text);
  if (text.trim() === '' || Number.isNaN(value)) {
    throw new EnerchainError(
      'caller',
      'cli.option',
      `--value must be a number, on, off, lower or higher, not '${text}'`,
    );
  }
  return /^C_SE_[NT]A/.test(type) ? normalizedRaw(value) : value;
}

function outcomeText(outcome: Awaited<ReturnType<Iec104Client['command']>>): string {
  switch (outcome.kind) {
    case 'confirmed':
      return outcome.terminated
        ? 'confirmed and terminated'
        : 'confirmed; the device did not report the end of the execution';
    case 'negative':
      return outcome.text;
    case 'timeout':
      return outcome.text;
    case 'unknown':
      return `outcome unknown: ${outcome.reason}`;
  }
}
