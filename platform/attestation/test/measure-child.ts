/** A small program with everything that can be loaded; it measures itself and answers on its IPC channel. */
import { fileURLToPath } from 'node:url';
import { watchLoading } from '../src/measure/hook.ts';

const root = process.argv[2] as string;
watchLoading([fileURLToPath(import.meta.url)]);
const { Measurer } = await import('../src/measure/measurer.ts');
const { decodeRecord } = await import('../src/measure/list.ts');
await import(`${root}/app/main.ts`);

const measurer = new Measurer({ root, every: 0, files: new Map([['config:site', `${root}/site.yaml`]]) });
await measurer.start();

const entries = () =>
  measurer.list.records.map((record) =>
    decodeRecord(record).components.map(({ name, digest }) => [name, Buffer.from(digest).toString('hex')]),
  );
measurer.onChange(() => process.send?.({ changed: entries().at(-1) }));
process.on('message', async (message: { do: string; file?: string }) => {
  if (message.do === 'rescan') await measurer.rescan();
  if (message.do === 'full') await measurer.rescan({ full: true });
  if (message.do === 'load') await import(message.file as string);
  process.send?.({ done: message.do, entries: entries(), counters: measurer.counters });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ done: 'start', entries: entries(), counters: measurer.counters });
