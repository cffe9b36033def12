/** One swtpm that ends with the lab, however the lab ends, and is started again when it falls. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EnerchainError } from '@enerchain/model';
import { SocketTransport, TpmClient } from '@enerchain/tpm2';

/**
 * `sh` holding the read end of a pipe whose write end is ours: when we are gone, the pipe ends and so does the TPM. In a process
 * group of its own, so that a signal to our group does not reach it before it was shut down in order.
 */
const GUARD = `
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
trap 'kill -TERM $pid 2>/dev/null' TERM INT HUP
( while read -r line <&3; do :; done; kill -TERM $pid 2>/dev/null ) &
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

/** ms that a start may take on a loaded machine. */
const START = 15_000;

export class SwtpmProcess {
  /** Raw socket of swtpm, which takes one connection at a time. */
  readonly socket: string;
  readonly #state: string;
  readonly #onEnd: (reason: string) => void;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #stopping = false;

  /** @param onEnd called when it ends without having been asked to */
  constructor(state: string, socket: string, onEnd: (reason: string) => void) {
    this.#state = state;
    this.socket = socket;
    this.#onEnd = onEnd;
  }

  /** Of the guard; `undefined` when it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the TPM answers. @throws EnerchainError (environment) `lab.tpm.start` with what swtpm said */
  async start(): Promise<void> {
    this.#stopping = false;
    mkdirSync(dirname(this.socket), { recursive: true, mode: 0o700 });
    // Sockets of a predecessor that was killed.
    for (const path of [this.socket, `${this.socket}.ctrl`]) rmSync(path, { force: true });
    const swtpm = [
      'swtpm',
      'socket',
      '--tpm2',
      ...['--tpmstate', `dir=${this.#state}`],
      ...['--server', `type=unixio,path=${this.socket},mode=0600`],
      ...['--ctrl', `type=unixio,path=${this.socket}.ctrl,mode=0600`],
      ...['--flags', 'not-need-init,startup-clear'],
    ];
    const child = spawn('/bin/sh', ['-c', GUARD, 'enerchain-tpm-guard', ...swtpm], {
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' },
    });
    this.#child = child;
    let said = '';
    child.stdin?.on('error', () => {}); // EPIPE when the guard is gone; its exit is what we act on
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-500);
    });
    let ended: string | undefined;
    this.#exited = new Promise((resolve) => {
      const end = (reason: string) => {
        child.stdin?.destroy();
        ended = said.trim().split('\n').at(-1) || reason;
        if (this.#child === child) this.#child = undefined;
        resolve();
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (status, signal) => end(`swtpm ended (${signal ?? status})`));
    });
    await this.#untilItAnswers(() => ended);
    this.#exited.then(() => {
      if (!this.#stopping) this.#onEnd(ended ?? 'swtpm ended');
    });
  }

  async #untilItAnswers(ended: () => string | undefined): Promise<void> {
    const deadline = performance.now() + START;
    for (;;) {
      const tpm = new TpmClient({ transport: new SocketTransport({ path: this.socket }) }, { timeout: START });
      try {
        await tpm.startup();
        return;
      } catch (cause) {
        const reason = ended();
        if (reason === undefined && performance.now() < deadline) {
          await pause(10);
          continue;
        }
        await this.stop();
        throw new EnerchainError(
          'environment',
          'lab.tpm.start',
          `the TPM in ${this.#state} does not start: ${reason ?? 'no answer'}`,
          { cause },
        );
      } finally {
        await tpm.close();
      }
    }
  }

  /** Ends it; what is orderly (TPM2_Shutdown) comes before, from who holds the connection. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#child?.stdin?.end();
    await this.#exited;
  }
}
