/** Tells the station that a value arrived only after it is on disk: `node examples/manual-acknowledge.ts host port file`. */
import { open } from 'node:fs/promises';
import { Iec104Client, type Receipt } from '@enerchain/iec60870';

const file = await open(process.argv[4] ?? 'values.jsonl', 'a');
let lines: string[] = [];
let last: Receipt | undefined;
let committing = false;

const client = new Iec104Client({
  host: process.argv[2] ?? '127.0.0.1',
  port: Number(process.argv[3] ?? 2404),
  acknowledge: 'manual',
  onAsdu: (asdu, receipt) => {
    lines.push(`${JSON.stringify(asdu)}\n`);
    last = receipt;
    if (client.pendingReceipts >= client.parameters.w) void commit();
  },
});
client.start();
setInterval(commit, 500);

/** Releasing a receipt releases all before it, so the last one of what was written is enough. */
async function commit(): Promise<void> {
  if (committing || lines.length === 0) return;
  committing = true;
  const [text, receipt] = [lines.join(''), last];
  lines = [];
  await file.appendFile(text);
  await file.datasync();
  receipt?.release();
  committing = false;
}
