/**
 * Commands, one after the other, over a transport that may break: a bounded queue, retries that the TPM asks for, a time-out
 * for each command.
 */
import { Tpm2Error } from '../error.ts';
import type { CommandName } from '../spec/commands.ts';
import { RC } from '../spec/response-codes.ts';
import type { Clock } from './clock.ts';
import { decodeResponse, encodeCommand, type TpmCommand } from './command-frame.ts';
import { HEADER, type Transport } from './transport.ts';

export interface ChannelCounters {
  /** Commands sent, repeats included. */
  commands: number;
  /** Refused by the TPM, repeats that it asked for not included. */
  refused: number;
  /** Repeated because the TPM asked for it. */
  retries: number;
  timeouts: number;
  /** Connections that could not be opened or broke. */
  broken: number;
  bytesSent: number;
  bytesReceived: number;
}

/** What asks for the same command again (Part 2 § 6.6.3, Part 3 § 5.2). */
const AGAIN: ReadonlySet<number> = new Set([RC.retry, RC.yielded, RC.testing, RC.nvRate]);
const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 200;

export interface ChannelOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Milliseconds until a command is given up, repeats included. */
  readonly timeout: number;
  /** Most tasks that wait. */
  readonly queue: number;
}

export class CommandChannel {
  readonly counters: ChannelCounters = {
    commands: 0,
    refused: 0,
    retries: 0,
    timeouts: 0,
    broken: 0,
    bytesSent: 0,
    bytesReceived: 0,
  };
  readonly #options: ChannelOptions;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(options: ChannelOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs `task` when every task before it is done; its commands follow each other without another’s in between.
   * @throws Tpm2Error `tpm2.busy` (fault environment) when the queue is full, `tpm2.closed` (fault caller)
   */
  async exclusive<T>(task: () => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    const { queue, transport } = this.#options;
    if (this.#waiting >= queue) {
      throw new Tpm2Error(
        'environment',
        'tpm2.busy',
        `${this.#waiting} tasks wait for ${transport.description}; this one was not begun`,
      );
    }
    this.#waiting++;
    const run = this.#tail.then(() => {
      if (this.#closed) throw closed();
      return task();
    });
    this.#tail = run.then(
      () => this.#waiting--,
      () => this.#waiting--,
    );
    return run;
  }

  /** Sends one command; only within a task. @throws Tpm2Error (see `Transport`, `decodeResponse`) and `tpm2.timeout` */
  async execute<T>(command: TpmCommand<T>): Promise<T> {
    const { clock, timeout } = this.#options;
    const deadline = clock.monotonic() + timeout;
    const bytes = encodeCommand(command);
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      const response = await this.#transact(command.name, bytes, deadline);
      const code = codeOf(response);
      if (AGAIN.has(code) && clock.monotonic() + pause < deadline) {
        this.counters.retries++;
        await new Promise<void>((resolve) => {
          clock.schedule(pause, resolve);
        });
        continue;
      }
      if (code !== RC.success) this.counters.refused++;
      return decodeResponse(command, response);
    }
  }

  async #transact(name: CommandName, bytes: Uint8Array, deadline: number): Promise<Uint8Array> {
    const { clock, transport, timeout } = this.#options;
    this.counters.commands++;
    this.counters.bytesSent += bytes.length;
    let cancel: () => void = () => {};
    const late = new Promise<never>((_, reject) => {
      cancel = clock.schedule(Math.max(0, deadline - clock.monotonic()), () => {
        reject(
          new Tpm2Error(
            'environment',
            'tpm2.timeout',
            `${transport.description} did not answer TPM2_${name} within ${timeout} ms; the connection was given up`,
          ),
        );
      });
    });
    const answer = transport.transact(bytes);
    // The loser of the race must not become an unhandled rejection.
    answer.catch(() => {});
    try {
      const response = await Promise.race([answer, late]);
      this.counters.bytesReceived += response.length;
      return response;
    } catch (error) {
      if (error instanceof Tpm2Error && error.code === 'tpm2.timeout') this.counters.timeouts++;
      else this.counters.broken++;
      // Whatever comes now would be taken for the answer to the next command.
      transport.disconnect().catch(() => {});
      throw error;
    } finally {
      cancel();
    }
  }

  /** Tasks that wait are refused; the one that runs loses its connection. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.transport.disconnect();
  }
}

const closed = () => new Tpm2Error('caller', 'tpm2.closed', 'the client of the TPM was closed');

/** The response code, or one that no TPM sends for what is shorter than a header. */
function codeOf(response: Uint8Array): number {
  if (response.length < HEADER) return -1;
  return new DataView(response.buffer, response.byteOffset, response.byteLength).getUint32(6);
}
