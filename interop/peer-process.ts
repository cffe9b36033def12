import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Peer } from './peers.ts';

export type PeerEvent = { readonly event: string } & Record<string, unknown>;

/** A peer program under our hand: orders go in as JSON lines, events come out. */
export class PeerProcess {
  readonly events: PeerEvent[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #stderr = '';
  #calls = 0;
  #ended = false;

  constructor(peer: Peer, args: readonly string[]) {
    const [command, ...first] = peer.command;
    this.#child = spawn(command!, [...first, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      // Libraries print of their own accord; only our programs' lines are JSON.
      if (line.startsWith('{')) this.events.push(JSON.parse(line) as PeerEvent);
      this.#wake();
    });
    this.#child.stderr!.on('data', (chunk) => {
      this.#stderr = `${this.#stderr}${chunk}`.slice(-2000);
    });
    this.#child.stdin!.on('error', () => {});
    this.#child.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  send(order: Record<string, unknown>): void {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
  }

  /** Events of a name so far. */
  all(event: string): PeerEvent[] {
    return this.events.filter((e) => e.event === event);
  }

  /** The first event that fits, now or within a minute; `after` skips that many of all events. */
  async expect(fits: (event: PeerEvent) => boolean, what: string, after = 0): Promise<PeerEvent> {
    const end = performance.now() + 60_000;
    for (;;) {
      const found = this.events.slice(after).find(fits);
      if (found !== undefined) return found;
      const left = end - performance.now();
      if (left <= 0 || this.#ended) {
        const seen = JSON.stringify(this.events.slice(-8));
        throw new Error(
          `${this.#ended ? 'the peer program ended' : 'a minute'} without: ${what}; last events ${seen} ${this.#stderr}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.min(left, 500));
        const waiting = this.#waiting;
        function done() {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
  }

  /** Sends an order and waits for its result (programs that answer each order). */
  async ask(order: Record<string, unknown>): Promise<boolean> {
    const after = this.events.length;
    this.send(order);
    const name = Object.keys(order)[0];
    return (await this.expect((e) => e.event === 'result' && e.of === name, `result of ${name}`, after)).ok === true;
  }

  /** Calls something in a program whose orders have numbers. @returns what it says. @throws with what it says instead */
  async call<T>(name: string, ...args: readonly unknown[]): Promise<T> {
    const id = ++this.#calls;
    this.send({ id, call: name, args });
    const answer = await this.expect(({ event, id: of }) => event === 'answer' && of === id, `answer of ${name}`);
    if (typeof answer.error === 'string') throw new Error(`${name}: ${answer.error}`);
    return answer.value as T;
  }

  async stop(): Promise<void> {
    if (this.#ended) return;
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000);
    await new Promise((resolve) => this.#child.once('close', resolve));
    clearTimeout(timer);
  }

  /** Ends it without a word, as a crash would. */
  async kill(): Promise<void> {
    if (this.#ended) return;
    this.#child.kill('SIGKILL');
    await new Promise((resolve) => this.#child.once('close', resolve));
  }
}

/**
 * A port of 127.0.0.1 that was free a moment ago, for programs that cannot choose one themselves. Below those of the lab,
 * and those that the kernel gives to connections of its own accord: one of them could be given this very port meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 20_000);
    if (await isFree(port)) return port;
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });
}

/** Waits for something of our own side. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`a minute without: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
