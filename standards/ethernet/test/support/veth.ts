/** A pair of virtual interfaces in a network namespace of its own; the machine's own network is not touched. */
import { execFileSync } from 'node:child_process';
import { buildNative } from '../../src/linux/build.ts';

export interface Veth {
  readonly namespace: string;
  readonly ends: readonly [string, string];
  ip(...args: string[]): void;
  remove(): void;
}

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 10_000, encoding: 'utf8' });

let count = 0;

/** @throws when this process may not make one */
export function veth(): Veth {
  const namespace = `enerchain-${process.pid}-${++count}`;
  run('ip', 'netns', 'add', namespace);
  const inside = (...args: string[]) => void run('ip', '-n', namespace, ...args);
  try {
    inside('link', 'add', 'bay', 'type', 'veth', 'peer', 'name', 'bus');
    for (const end of ['bay', 'bus']) {
      // Nothing but the test's own frames is to pass.
      run('ip', 'netns', 'exec', namespace, 'sysctl', '-q', '-w', `net.ipv6.conf.${end}.disable_ipv6=1`);
      inside('link', 'set', end, 'up');
    }
    // The kernel sends nothing before it has noticed that both are up.
    for (let look = 0; run('ip', '-n', namespace, '-br', 'link').match(/^(bay|bus)@\S+ +UP/gm)?.length !== 2; look++)
      if (look === 500) throw new Error('the veth pair did not come up');
  } catch (error) {
    run('ip', 'netns', 'del', namespace);
    throw error;
  }
  return { namespace, ends: ['bay', 'bus'], ip: inside, remove: () => void run('ip', 'netns', 'del', namespace) };
}

/** Why there is no packet socket to be had on this machine; undefined when there is. */
export function noPacketSockets(): string | undefined {
  if (process.platform !== 'linux') return `AF_PACKET is of Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'a network namespace needs root';
  try {
    veth().remove();
  } catch (error) {
    return `no veth pair in a network namespace: ${(error as Error).message.split('\n').at(-1)}`;
  }
  try {
    buildNative();
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}
