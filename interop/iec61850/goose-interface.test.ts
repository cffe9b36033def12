/** `npm start -- --goose-interface`, end to end: IEDs of the lab and a gateway of a running system on a real link. */
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { noPacketSockets, veth } from '../../standards/ethernet/test/support/veth.ts';
import { STARTS_WITHIN } from '../system/running-system.ts';

const why = noPacketSockets();

test.skipIf(why !== undefined)(
  `a gateway hears the IEDs on an interface: state, trip, an interface that goes down and comes up${why === undefined ? '' : ` (${why})`}`,
  { timeout: STARTS_WITHIN + 240_000 },
  async () => {
    const pair = veth();
    onTestFinished(pair.remove);
    // The system's own connections are on the loopback of the namespace. Without any other address `localhost` is not looked up.
    pair.ip('link', 'set', 'lo', 'up');
    pair.ip('address', 'add', '192.0.2.1/32', 'dev', 'lo');
    const script = join(import.meta.dirname, 'goose-interface.ts');
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', script, ...pair.ends];
    const child = spawn('ip', ['netns', 'exec', pair.namespace, ...node], { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => endAllIn(pair.namespace));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const seen = stdout
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { step: string; stNum?: number; said?: string });
    expect(seen.map(({ step }) => step).join(), stderr).toBe('alive,trip,down,up');
    const [alive, trip] = seen;
    expect(alive!.said).toBe(`on ${pair.ends[0]}`);
    expect(trip!.stNum).toBeGreaterThan(alive!.stNum!);
  },
);

/** Whatever a test that was given up has left behind. */
function endAllIn(namespace: string): void {
  const pids = execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).split('\n').filter(Boolean);
  for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
}
