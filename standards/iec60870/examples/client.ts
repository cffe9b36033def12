/** Connects to a station, interrogates it, prints every value, switches one breaker: `node examples/client.ts host port`. */
import { Iec104Client, typeName } from '@enerchain/iec60870';

const client = new Iec104Client({
  host: process.argv[2] ?? '127.0.0.1',
  port: Number(process.argv[3] ?? 2404),
  onAsdu: ({ typeId, commonAddress, objects }) => {
    for (const { address, element } of objects)
      console.log(typeName(typeId), commonAddress, address, JSON.stringify(element));
  },
  onState: async (state, reason) => {
    console.log(state, reason ?? '');
    if (state !== 'started') return;
    console.log('interrogation', await client.interrogate(1));
    console.log(
      'command',
      await client.command({ ca: 1, ioa: 100, typeId: 45, value: 1, mode: 'select-before-operate' }),
    );
    await client.close();
  },
});
client.start();
