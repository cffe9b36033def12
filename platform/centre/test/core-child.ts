/** A centre that is there to be killed. */
import { pino } from 'pino';
import { openCore } from '../src/core.ts';

const [dataDir = '', port = '0'] = process.argv.slice(2);
await openCore({
  dataDir,
  link: { host: '127.0.0.1', port: Number(port) },
  logger: pino({ level: 'silent' }),
  signal: new AbortController().signal,
});
process.send?.('open');
