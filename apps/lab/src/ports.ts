/**
 * The ports of the lab's devices. They are chosen once and kept in the data folder: gateways that know a device by its
 * port find it again after the lab has been restarted.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EnerchainError } from '@enerchain/model';
import type { Logger } from 'pino';

/** Below the range from which operating systems take ports of outgoing connections. */
const FIRST = 20_000;
const LAST = 29_999;

/**
 * @param names of everything that listens
 * @param basePort the first name gets this one, the others those after it; 0 = choose
 */
export async function assignPorts(
  dataDir: string,
  names: readonly string[],
  host: string,
  basePort: number,
  logger: Logger,
): Promise<ReadonlyMap<string, number>> {
  if (basePort !== 0) return new Map(names.map((name, index) => [name, basePort + index]));
  const file = join(dataDir, 'ports.json');
  const kept = new Map<string, number>();
  for (const [name, port] of readKept(file)) {
    if (!names.includes(name)) continue;
    if (await becomesFree(port, host)) kept.set(name, port);
    else
      logger.warn(
        { name, port },
        'the port it had is taken by somebody else; it gets another one, restart its gateway',
      );
  }
  const taken = new Set(kept.values());
  // A start of its own for every folder keeps two labs on one machine apart.
  let next = FIRST + (createHash('sha256').update(dataDir).digest().readUInt16LE(0) % (LAST - FIRST - names.length));
  for (const name of names) {
    if (kept.has(name)) continue;
    for (let tries = 0; ; tries++) {
      if (tries > LAST - FIRST) {
        throw new EnerchainError('environment', 'lab.ports', `no free port from ${FIRST} to ${LAST} for ${name}`);
      }
      const port = next;
      next = next >= LAST ? FIRST : next + 1;
      if (!taken.has(port) && (await isFree(port, host))) {
        taken.add(port);
        kept.set(name, port);
        break;
      }
    }
  }
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`);
  return kept;
}

function readKept(file: string): [string, number][] {
  if (!existsSync(file)) return [];
  try {
    return Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>);
  } catch {
    return []; // damaged: chosen anew
  }
}

/** A lab that was just killed may hold it for a moment. */
async function becomesFree(port: number, host: string): Promise<boolean> {
  for (let tries = 0; tries < 10; tries++) {
    if (await isFree(port, host)) return true;
    await pause(200);
  }
  return false;
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, host, () => probe.close(() => done(true)));
  });
}
