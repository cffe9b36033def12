/** An edge in a process of its own, so that a test can kill it. */
import { runEdge } from '../src/edge.ts';
import { silent } from './helpers.ts';

const [siteFile, dataDir, url, token] = process.argv.slice(2) as [string, string, string, string];
await runEdge({ siteFile, dataDir, centre: { url, token }, logger: silent });
process.send?.('ready');
process.on('disconnect', () => process.exit());
