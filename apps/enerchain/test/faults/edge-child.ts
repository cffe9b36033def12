/** A gateway in a process of its own that says whether its outbox can be written; there to be killed. */
import { runEdge } from '@enerchain/edge';
import { pino } from 'pino';

const [siteFile = '', dataDir = '', url = '', token = ''] = process.argv.slice(2);
const edge = await runEdge({ siteFile, dataDir, centre: { url, token }, logger: pino({ level: 'silent' }) });
setInterval(() => process.send?.({ failing: edge.report().counters['outbox.failing'] === 1 }), 20);
process.on('disconnect', () => process.exit());
