/**
 * Runs the processes of one system: starts them in order, restarts with back-off, stops them in reverse. A child holds
 * an IPC channel to us and ends itself when that channel closes (see `supervised.ts`), so that nothing is left behind
 * even when we are killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import { nextRestart, RESTART_POLICY, type RestartPolicy } from './backoff.ts';
import { RotatingFile } from './rotating-file.ts';
import type { ChildMessage } from './supervised.ts';

export interface ChildSpec {
  readonly name: string;
  /** Arguments of `enerchain`, made anew at each start: a token may have been used up by the last one. */
  readonly args: () => Promise<readonly string[]> | readonly string[];
  readonly env?: () => Promise<Readonly<Record<string, string>>> | Readonly<Record<string, string>>;
  /** How long the first `ready` may take, ms. */
  readonly readyWithin?: number;
}

export interface SupervisorOptions {
  /** The program to start: `[execPath, ...nodeOptions, main file]`. */
  readonly program: readonly [string, ...string[]];
  readonly logFolder: string;
  /** For all children, unless our own environment says otherwise. */
  readonly env?: Readonly<Record<string, string>>;
  /** A line for the person at the terminal. */
  readonly say: (text: string) => void;
  readonly policy?: RestartPolicy;
  /** How long a child may take to stop before it is killed, ms. */
  readonly stopWithin?: number;
}

export interface ChildStatus {
  readonly name: string;
  readonly pid: number | undefined;
  readonly state: 'starting' | 'ready' | 'waiting' | 'stopped';
  readonly restarts: number;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children: Child[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * Starts a child and waits until it says it is ready.
   * @returns what the child reported
   * @throws EnerchainError `cli.child.failed` when the first start fails; later ends are restarted instead
   */
  async start(spec: ChildSpec): Promise<Record<string, unknown>> {
    const child = new Child(spec, this.#options);
    this.#children.push(child);
    return child.firstReady();
  }

  status(): ChildStatus[] {
    return this.#children.map((child) => child.status());
  }

  /** Stops all children, the last started first; kills what does not stop in time. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      for (const child of [...this.#children].reverse()) await child.stop();
    })();
    return this.#stopping;
  }
}

class Child {
  readonly #spec: ChildSpec;
  readonly #options: SupervisorOptions;
  readonly #log: RotatingFile;
  readonly #ready = Promise.withResolvers<Record<string, unknown>>();
  readonly #lastLines: string[] = [];
  #process: ChildProcess | undefined;
  #state: ChildStatus['state'] = 'starting';
  #restarts = 0;
  #failures = 0;
  #wasReady = false;
  #restartTimer: NodeJS.Timeout | undefined;
  #stopRequested = false;

  constructor(spec: ChildSpec, options: SupervisorOptions) {
    this.#spec = spec;
    this.#options = options;
    this.#log = new RotatingFile(join(options.logFolder, `${spec.name}.log`));
    void this.#run();
  }

  firstReady(): Promise<Record<string, unknown>> {
    const limit = this.#spec.readyWithin ?? 60_000;
    const timer = setTimeout(() => {
      this.#fail(`said nothing for ${limit / 1000} s after its start`);
    }, limit);
    return this.#ready.promise.finally(() => clearTimeout(timer));
  }

  status(): ChildStatus {
    return { name: this.#spec.name, pid: this.#process?.pid, state: this.#state, restarts: this.#restarts };
  }

  async stop(): Promise<void> {
    this.#stopRequested = true;
    clearTimeout(this.#restartTimer);
    const running = this.#process;
    if (running && running.exitCode === null && running.signalCode === null) {
      const ended = new Promise<void>((done) => running.once('exit', () => done()));
      running.kill('SIGTERM');
      const killer = setTimeout(() => running.kill('SIGKILL'), this.#options.stopWithin ?? 10_000);
      await ended;
      clearTimeout(killer);
    }
    this.#state = 'stopped';
    this.#log.close();
  }

  async #run(): Promise<void> {
    this.#state = 'starting';
    let args: readonly string[];
    let env: Readonly<Record<string, string>>;
    try {
      args = await this.#spec.args();
      env = (await this.#spec.env?.()) ?? {};
    } catch (error) {
      this.#lastLines.push(error instanceof Error ? error.message : String(error));
      this.#ended('could not be prepared', 0);
      return;
    }
    if (this.#stopRequested) return;
    const [program, ...options] = this.#options.program;
    const startedAt = performance.now();
    const child = spawn(program, [...options, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A process group of its own: Ctrl-C reaches us alone, and we stop the children in order.
      detached: true,
      env: { ...this.#options.env, ...process.env, ...env, ENERCHAIN_SUPERVISED: '1' },
    });
    this.#process = child;
    child.stdout?.on('data', (chunk: Buffer) => this.#keep(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.#keep(chunk));
    child.on('message', (message: ChildMessage) => {
      if (message.type !== 'ready') return;
      this.#state = 'ready';
      if (this.#wasReady) this.#options.say(`${this.#spec.name} runs again`);
      this.#wasReady = true;
      this.#ready.resolve(message.info);
    });
    child.once('error', (error) => this.#lastLines.push(error.message));
    // `close` rather than `exit`: the last lines have been read by then.
    child.once('close', (code, signal) => {
      this.#ended(signal ? `was ended by ${signal}` : `stopped with status ${code}`, performance.now() - startedAt);
    });
  }

  #ended(how: string, ranFor: number): void {
    this.#process = undefined;
    if (this.#stopRequested) return;
    if (!this.#wasReady) {
      this.#fail(how);
      return;
    }
    const { delay, failures } = nextRestart(this.#failures, ranFor, this.#options.policy ?? RESTART_POLICY);
    this.#failures = failures;
    this.#restarts += 1;
    this.#state = 'waiting';
    this.#options.say(`${this.#spec.name} ${how}; starting it again in ${delay / 1000} s`);
    this.#restartTimer = setTimeout(() => void this.#run(), delay);
  }

  #fail(how: string): void {
    const said = this.#lastLines.slice(-3).join('\n  ');
    this.#ready.reject(
      new EnerchainError(
        'environment',
        'cli.child.failed',
        `${this.#spec.name} ${how}${said ? `:\n  ${said}` : ''}\n  its log: ${join(this.#options.logFolder, `${this.#spec.name}.log`)}`,
      ),
    );
  }

  #keep(chunk: Buffer): void {
    this.#log.write(chunk);
    for (const line of chunk.toString('utf8').split('\n')) {
      if (line.trim()) this.#lastLines.push(line.length > 500 ? `${line.slice(0, 500)}…` : line);
    }
    this.#lastLines.splice(0, this.#lastLines.length - 10);
  }
}
