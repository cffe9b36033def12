/** A station with one breaker that can be switched, and a measured value each second: `node examples/server.ts port`. */
import { cp56FromEpochMillis, Iec104Server } from '@enerchain/iec60870';

let breaker = 0;
const server = new Iec104Server({
  port: Number(process.argv[2] ?? 2404),
  commonAddresses: [1],
  handlers: {
    interrogation: () => [
      { typeId: 1, objects: [{ address: 1, element: { kind: 'single', value: breaker, quality: 0 } }] },
    ],
    command(_context, { address, phase, value }) {
      if (address !== 100) return { refuse: 'unknown object address' };
      if (phase === 'execute') breaker = value;
      return 'accept';
    },
  },
});
const { host, port } = await server.listen();
console.log(`listening on ${host}:${port}`);
setInterval(() => {
  const element = { kind: 'short', value: 20 + Math.random(), quality: 0 } as const;
  const time = cp56FromEpochMillis(Date.now());
  server.enqueue({ typeId: 36, commonAddress: 1, objects: [{ address: 200, element, time }] });
}, 1000);
