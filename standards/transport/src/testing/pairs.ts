import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { memoryPair } from '../memory.ts';
import { socketTransport, tcpConnect } from '../tcp.ts';
import type { Transport } from '../transport.ts';

/** Two connected transports; every session test runs on each kind. */
export interface Pair {
  readonly name: string;
  open(): Promise<{ left: Transport; right: Transport; shutdown(): Promise<void> }>;
}

export const PAIRS: readonly Pair[] = [
  {
    name: 'memory',
    async open() {
      const [left, right] = memoryPair();
      return { left, right, shutdown: async () => {} };
    },
  },
  {
    name: 'TCP',
    async open() {
      const server = createServer({ pauseOnConnect: true });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const port = (server.address() as { port: number }).port;
      const accepted = once(server, 'connection') as Promise<[Socket]>;
      const left = await tcpConnect('127.0.0.1', port)(new AbortController().signal);
      const right = socketTransport((await accepted)[0]);
      return {
        left,
        right,
        async shutdown() {
          left.destroy();
          right.destroy();
          server.close();
          await once(server, 'close');
        },
      };
    },
  },
];
