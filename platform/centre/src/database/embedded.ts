/**
 * Runs the embedded PostgreSQL as a child: creates the cluster once, starts it behind a guard that ends it when this
 * process is gone, starts it again when it fell, and clears away what an earlier life left behind. It listens on a
 * Unix socket alone, so two instances cannot meet on a port and nobody reaches it from the network.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnerchainError } from '@enerchain/model';
import type { Logger } from 'pino';
import { type Placement, type PlacementOptions, place } from './placement.ts';

/**
 * The guard between us and the server: `sh` holding the read end of a pipe whose write end is ours. When we are gone,
 * however that came about, the pipe ends and the server gets a fast shutdown, after ten seconds an immediate one, and
 * one that hears neither (stopped, or stuck) is killed five seconds later.
 * It runs in a process group of its own, so that a signal to our group does not reach it.
 */
const GUARD = `
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
trap 'kill -INT $pid 2>/dev/null' TERM INT HUP
(
  while read -r line <&3; do :; done
  kill -INT $pid 2>/dev/null
  n=0
  while kill -0 $pid 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
  kill -QUIT $pid 2>/dev/null
  n=0
  while kill -0 $pid 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
  kill -KILL $pid 2>/dev/null
) &
watcher=$!
exec 3<&-
while :; do
  wait $pid
  status=$?
  kill -0 $pid 2>/dev/null || break
done
kill $watcher 2>/dev/null
exit $status
`;

/**
 * Settings of the server. The ingest log is the durable copy of the data and the historian replays from it, so the
 * server is kept small: an idle demo costs little, and redo after a crash stays under a second.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '40',
  shared_buffers: '96MB',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  autovacuum_naptime: '5min',
  logging_collector: 'off',
  // Our reads are short and come from the cache of the system; three more processes would only idle.
  io_method: 'sync',
};

export interface EmbeddedOptions extends PlacementOptions {
  readonly dataDir: string;
  readonly logger: Logger;
}

export type EmbeddedState = 'starting' | 'running' | 'fallen' | 'stopping' | 'stopped';

/** Counters of the supervisor. */
export interface EmbeddedCounters {
  /** Times the server was started. */
  starts: number;
  /** Times it ended without being asked to. */
  falls: number;
  /** Servers left over from an earlier life that were ended. */
  orphans: number;
}

export class EmbeddedPostgres {
  readonly counters: EmbeddedCounters = { starts: 0, falls: 0, orphans: 0 };
  readonly #logger: Logger;
  readonly #placement: Placement;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #state: EmbeddedState = 'stopped';
  #restart: NodeJS.Timeout | undefined;
  #delay = 200;

  private constructor(placement: Placement, logger: Logger) {
    this.#placement = placement;
    this.#logger = logger;
  }

  /**
   * Starts the server, having created its cluster the first time. Resolves when it accepts connections.
   * @throws EnerchainError `environment` when it cannot run here
   */
  static async start(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
    const server = new EmbeddedPostgres(place(options.dataDir, options), options.logger);
    await server.#createCluster();
    await server.#launch();
    if (await server.#untilReady()) return server;
    await server.stop();
    throw new EnerchainError(
      'environment',
      'centre.database.start',
      `the embedded PostgreSQL in ${server.#dataFolder} did not become ready within 60 s; it was stopped`,
    );
  }

  get state(): EmbeddedState {
    return this.#state;
  }

  /** Settings for a client. */
  get connection(): { host: string; port: number; user: string; password: string; database: string } {
    const { socketFolder, password } = this.#placement;
    return { host: socketFolder, port: 5432, user: 'enerchain', password, database: 'postgres' };
  }

  /** Process id of the server itself (not of its guard), as its pid file says. */
  get postmasterPid(): number | undefined {
    return readPid(this.#dataFolder)?.pid;
  }

  /** The folder that holds the cluster; where a backup looks. */
  get home(): string {
    return this.#placement.home;
  }

  /** Ends the server: fast shutdown, at the latest after ten seconds an immediate one. */
  async stop(): Promise<void> {
    this.#state = 'stopping';
    clearTimeout(this.#restart);
    this.#child?.stdin?.end();
    await this.#exited;
    this.#state = 'stopped';
    if (!this.#placement.socketFolder.startsWith(this.#placement.home)) {
      rmSync(this.#placement.socketFolder, { recursive: true, force: true });
    }
  }

  get #dataFolder(): string {
    return join(this.#placement.home, 'data');
  }

  async #createCluster(): Promise<void> {
    const { home, binaries, user, password } = this.#placement;
    if (existsSync(join(this.#dataFolder, 'PG_VERSION'))) {
      const kept = readFileSync(join(this.#dataFolder, 'PG_VERSION'), 'utf8').trim();
      if (kept === binaries.version.split('.')[0]) return;
      throw new EnerchainError(
        'environment',
        'centre.database.version',
        `the cluster in ${this.#dataFolder} was made by PostgreSQL ${kept}, the installed server is ${binaries.version}; ` +
          'it was left untouched: dump it with the old version, or set DATABASE_URL to a server that holds it',
      );
    }
    // Beside its place and renamed when whole, so that an interrupted initdb leaves nothing that looks like a cluster.
    const partial = join(home, 'data.new');
    const passwordFile = join(home, 'initial-password');
    rmSync(partial, { recursive: true, force: true });
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (user) chownSync(passwordFile, user.uid, user.gid);
    const args = ['-D', partial, '-U', 'enerchain', '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    const { status, output } = await run(
      join(binaries.bin, 'initdb'),
      [...args, '--encoding=UTF8', '--locale=C', '--no-instructions'],
      home,
      user,
    );
    rmSync(passwordFile, { force: true });
    if (status !== 0) {
      throw new EnerchainError(
        'environment',
        'centre.database.initdb',
        `PostgreSQL could not create its cluster in ${partial} (initdb ended with ${status}): ${output.slice(-1000)}`,
      );
    }
    renameSync(partial, this.#dataFolder);
    this.#logger.info({ folder: this.#dataFolder }, 'database cluster created');
  }

  async #launch(): Promise<void> {
    this.#state = 'starting';
    await this.#endOrphan();
    const { home, binaries, user, socketFolder } = this.#placement;
    const settings = { ...SETTINGS, unix_socket_directories: socketFolder };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = [join(binaries.bin, 'postgres'), '-D', this.#dataFolder, ...flags];
    const child = spawn('/bin/sh', ['-c', GUARD, 'enerchain-postgres-guard', ...server], {
      cwd: home,
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' },
      ...(user && { uid: user.uid, gid: user.gid }),
    });
    this.counters.starts++;
    this.#child = child;
    child.stdin?.on('error', () => {}); // EPIPE when the guard is gone; its exit is what we act on
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#log(text));
    this.#exited = new Promise((resolve) => {
      const ended = (status: number | string | null) => {
        child.stdin?.destroy();
        if (this.#child === child) this.#fell(status);
        resolve();
      };
      child.once('error', (error) => ended(error.message));
      child.once('exit', (status, signal) => ended(signal ?? status));
    });
  }

  #log(text: string): void {
    for (const line of text.split('\n')) {
      const grave = /\b(ERROR|FATAL|PANIC):/.exec(line)?.[1];
      if (!line.trim()) continue;
      // While it starts, refused connections are our own impatience.
      if (grave && !/starting up|shutting down|not yet accepting/.test(line))
        this.#logger.warn({ postgres: line }, 'database');
      else this.#logger.debug({ postgres: line }, 'database');
    }
  }

  #fell(status: number | string | null): void {
    this.#child = undefined;
    if (this.#state === 'stopping' || this.#state === 'stopped') return;
    this.counters.falls++;
    this.#state = 'fallen';
    this.#logger.warn({ status, delay: this.#delay }, 'the embedded database ended; starting it again');
    this.#restart = setTimeout(() => {
      this.#launch()
        .then(() => this.#untilReady())
        .catch((error) => {
          this.#logger.error({ err: error }, 'the embedded database could not be started again');
          this.#fell('launch failed');
        });
    }, this.#delay);
    this.#delay = Math.min(this.#delay * 2, 10_000);
  }

  /** Waits until the server takes connections: the last line of its pid file then says `ready`. */
  async #untilReady(): Promise<boolean> {
    const deadline = performance.now() + 60_000;
    while (performance.now() < deadline && (this.#state === 'starting' || this.#state === 'fallen')) {
      const pidFile = readPid(this.#dataFolder);
      if (pidFile?.status === 'ready' && isPostmasterOf(pidFile.pid, this.#dataFolder)) {
        this.#state = 'running';
        this.#delay = 200;
        return true;
      }
      await sleep(15);
    }
    return this.#state === 'running';
  }

  /**
   * A server that still runs on our cluster is left over from a life whose guard was killed too: the data folder is
   * locked by us, so nobody else can be using it. A pid file whose process is something else is removed, since the
   * server itself cannot tell a reused process number from a living server.
   */
  async #endOrphan(): Promise<void> {
    const file = join(this.#dataFolder, 'postmaster.pid');
    const left = readPid(this.#dataFolder);
    if (!left) return;
    if (isPostmasterOf(left.pid, this.#dataFolder)) {
      this.counters.orphans++;
      this.#logger.warn({ pid: left.pid }, 'ending a database server left over from an earlier start');
      for (const [signal, wait] of [
        ['SIGINT', 10_000],
        ['SIGQUIT', 5_000],
        ['SIGKILL', 2_000],
      ] as const) {
        signalTo(left.pid, signal);
        const deadline = performance.now() + wait;
        while (performance.now() < deadline && isPostmasterOf(left.pid, this.#dataFolder)) await sleep(50);
        if (!isPostmasterOf(left.pid, this.#dataFolder)) break;
      }
    }
    rmSync(file, { force: true });
  }
}

/** The lines of postmaster.pid that matter: process number and status. */
function readPid(dataFolder: string): { pid: number; status: string } | undefined {
  try {
    const lines = readFileSync(join(dataFolder, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 1 ? { pid, status: (lines[7] ?? '').trim() } : undefined;
  } catch {
    return undefined;
  }
}

function isPostmasterOf(pid: number, dataFolder: string): boolean {
  let command: string;
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    if (existsSync('/proc/self/cmdline')) return false;
    command = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
  }
  return command.includes('postgres') && command.includes(`-D ${dataFolder} `);
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone in the meantime.
  }
}

function run(
  program: string,
  args: readonly string[],
  cwd: string,
  user: Placement['user'],
): Promise<{ status: number | string | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' },
      ...(user && { uid: user.uid, gid: user.gid }),
    });
    let output = '';
    const gather = (text: Buffer) => {
      output = (output + text.toString('utf8')).slice(-20_000);
    };
    child.stdout.on('data', gather);
    child.stderr.on('data', gather);
    child.once('error', (error) => resolve({ status: error.message, output }));
    child.once('close', (status, signal) => resolve({ status: signal ?? status, output }));
  });
}
