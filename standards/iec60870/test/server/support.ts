import { connect, createServer } from 'node:net';
import { type Clock, memoryPair, socketTransport, systemClock, type Transport } from '@enerchain/transport';
import { until } from '@enerchain/transport/testing';
import type { Asdu } from '../../src/codec/asdu.ts';
import type { Iec104Error } from '../../src/errors.ts';
import { Iec104Server, type Iec104ServerOptions } from '../../src/server/server.ts';
import { Connection, type Receipt } from '../../src/session/connection.ts';
import { completeParameters, type Parameters } from '../../src/spec/parameters.ts';

/** A clock moved by hand. */
export class VirtualClock implements Clock {
  #at = 1_000_000;
  #timers: { at: number; callback: () => void }[] = [];
  monotonic(): number {
    return this.#at;
  }
  now(): number {
    return 1_800_000_000_000 + this.#at;
  }
  schedule(delayMillis: number, callback: () => void): () => void {
    const timer = { at: this.#at + delayMillis, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  }
  get pending(): number {
    return this.#timers.length;
  }
  async advance(millis: number): Promise<void> {
    const until = this.#at + millis;
    for (;;) {
      const next = this.#timers.filter((t) => t.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((t) => t !== next);
      this.#at = Math.max(this.#at, next.at);
      next.callback();
      await turn();
    }
    this.#at = until;
    await turn();
  }
}

/** Lets everything that is on its way in memory arrive. */
export async function turn(times = 3): Promise<void> {
  for (let i = 0; i < times; i++) await new Promise((resolve) => setImmediate(resolve));
}

export { until };

/** A controlling station reduced to what it hears. */
export class Master {
  readonly asdus: Asdu[] = [];
  readonly receipts: Receipt[] = [];
  readonly connection: Connection;
  closed: { error: Iec104Error | undefined } | undefined;

  constructor(transport: Transport, clock: Clock, parameters: Partial<Parameters> = {}, manual = false) {
    this.connection = new Connection({
      role: 'controlling',
      transport,
      parameters: completeParameters(parameters),
      clock,
      acknowledge: manual ? 'manual' : 'automatic',
      handler: {
        onAsdu: (asdu, receipt) => {
          this.asdus.push(asdu);
          this.receipts.push(receipt);
        },
        onClose: (error) => {
          this.closed = { error };
        },
      },
    });
  }

  /** Information object addresses of everything of a cause, in order; spontaneous by default. */
  addresses(cause = 3): number[] {
    return this.asdus.filter((a) => a.cause === cause).flatMap((a) => a.objects.map((o) => o.address));
  }
}

export interface World {
  readonly server: Iec104Server;
  readonly clock: Clock;
  /** Connects and starts a controlling station. */
  connect(options?: {
    parameters?: Partial<Parameters>;
    manual?: boolean;
    start?: boolean;
    from?: string;
  }): Promise<Master>;
  /** Lets what is under way arrive. */
  settle(condition: () => boolean, what: string): Promise<void>;
  close(): Promise<void>;
}

/** The same server over memory (virtual time) and over TCP. */
export const worlds = {
  async memory(options: Iec104ServerOptions): Promise<World & { clock: VirtualClock }> {
    const clock = new VirtualClock();
    const server = new Iec104Server({ clock, ...options });
    return {
      server,
      clock,
      async connect({ parameters, manual, start = true, from } = {}) {
        const [left, right] = memoryPair();
        if (from !== undefined) Object.defineProperty(right, 'remote', { value: `${from}:1` });
        const master = new Master(left, clock, parameters ?? options.parameters, manual);
        server.attach(right);
        if (start) master.connection.start();
        await turn();
        return master;
      },
      async settle(condition, what) {
        for (let i = 0; i < 200 && !condition(); i++) await turn(1);
        if (!condition()) throw new Error(`did not happen: ${what}`);
      },
      close: () => server.close(),
    };
  },
  async tcp(options: Iec104ServerOptions): Promise<World> {
    const server = new Iec104Server({ port: 0, ...options });
    const { host, port } = await server.listen();
    const masters: Master[] = [];
    return {
      server,
      clock: systemClock,
      async connect({ parameters, manual, start = true } = {}) {
        const socket = connect({ host, port });
        await new Promise<void>((resolve, reject) => {
          socket.once('connect', resolve);
          socket.once('error', reject);
        });
        const master = new Master(socketTransport(socket), systemClock, parameters ?? options.parameters, manual);
        masters.push(master);
        if (start) {
          master.connection.start();
          await until(() => master.connection.transfer === 'started' || master.closed !== undefined, 'STARTDT con');
        }
        return master;
      },
      settle: until,
      async close() {
        for (const master of masters) master.connection.close();
        await server.close();
      },
    };
  },
} as const;

/** A port on loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
