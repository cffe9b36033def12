/**
 * A TPM for each gateway and each network node of the lab: swtpm processes with a state of their own, endorsement keys certified
 * by one authority, a measured boot. What a machine has in hardware, the lab has here.
 */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, EnerchainError } from '@enerchain/model';
import { digestsOf, type HashAlgorithm, SocketTransport, TpmClient, writeEventLog } from '@enerchain/tpm2';
import { type BootProfile, bootEvents, CHANGED_FIRMWARE, LAB_BOOT } from './boot-log.ts';
import { EkAuthority } from './ek-authority.ts';
import { SwtpmProcess } from './swtpm-process.ts';
import { findSwtpm } from './swtpm-tools.ts';
import { TpmRelay } from './tpm-relay.ts';

export interface TpmFleetOptions {
  /** Everything the TPMs keep lies in here; the same folder brings back the same TPMs. */
  readonly folder: string;
  /** Names of the nodes: letters, digits and `-`. */
  readonly nodes: readonly string[];
  readonly onEvent?: (event: TpmEvent) => void;
}

export type TpmEvent =
  | { readonly kind: 'manufactured' | 'started' | 'restarted'; readonly node: string }
  | { readonly kind: 'ended'; readonly node: string; readonly reason: string }
  | { readonly kind: 'fault'; readonly node: string; readonly what: string };

/** What a node has to know of its TPM. */
export interface LabTpm {
  readonly node: string;
  /** Unix socket for `TpmClient({ path })`; several programs may use it at once. */
  readonly socket: string;
  /** PEM file: the authority of the endorsement keys, its root last. */
  readonly ekAuthority: string;
  /** The TCG event log of its last boot, as `/sys/kernel/security/tpm0/binary_bios_measurements` would hold it. */
  readonly eventLog: string;
}

/** The banks that the lab’s firmware measures into. */
const BANKS: readonly HashAlgorithm[] = ['sha1', 'sha256', 'sha384'];
/** sizeof(sun_path), and room for the names in the folder. */
const LONGEST_FOLDER = 60;
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 10_000;

class Machine {
  readonly tpm: LabTpm;
  readonly process: SwtpmProcess;
  readonly relay: TpmRelay;
  /** The lab’s own way to this TPM. */
  readonly client: TpmClient;
  profile: BootProfile = LAB_BOOT;

  constructor(tpm: LabTpm, state: string, raw: string, onEnd: (reason: string) => void) {
    this.tpm = tpm;
    this.process = new SwtpmProcess(state, raw, onEnd);
    const upstream = new SocketTransport({ path: raw });
    this.relay = new TpmRelay(tpm.socket, upstream);
    this.client = new TpmClient({ transport: this.relay.transport }, { alone: false });
    this.disconnect = () => upstream.disconnect();
  }

  readonly disconnect: () => Promise<void>;

  /** Power on: the TPM starts, the firmware measures, and then programs may use it. */
  async boot(): Promise<void> {
    await this.process.start();
    const events = bootEvents(this.profile);
    for (const event of events) await this.client.pcrExtend(event.pcr, digestsOf(BANKS, event));
    writeFileSync(`${this.tpm.eventLog}.new`, writeEventLog(BANKS, events));
    renameSync(`${this.tpm.eventLog}.new`, this.tpm.eventLog);
    await this.relay.open();
  }

  /** After a fall: whatever is left of it goes first. */
  async restart(): Promise<void> {
    await this.relay.shut();
    await this.disconnect();
    await this.process.stop();
    await this.boot();
  }

  /** Power off, in order: the clock of the TPM stays safe. */
  async off(): Promise<void> {
    await this.relay.shut();
    if (this.process.pid !== undefined) await this.client.shutdown().catch(() => {});
    await this.disconnect();
    await this.process.stop();
  }
}

export class TpmFleet {
  readonly #machines = new Map<string, Machine>();
  readonly #options: TpmFleetOptions;
  /** Of machines that fell: the next attempt to boot, or the one that runs. */
  readonly #restarts = new Map<string, { readonly timer: NodeJS.Timeout; readonly attempt: Promise<void> }>();
  #closed = false;

  private constructor(options: TpmFleetOptions) {
    this.#options = options;
  }

  /**
   * Makes the TPMs that are not there yet (about a second each), and starts all.
   * @throws EnerchainError `lab.tpm.missing` (environment) when swtpm is not installed: ask `findSwtpm` first; `lab.tpm.setup`,
   * `lab.tpm.start`; `lab.tpm.name` (caller)
   */
  static async start(options: TpmFleetOptions): Promise<TpmFleet> {
    const tools = await findSwtpm();
    if (!tools.installed) throw new EnerchainError('environment', 'lab.tpm.missing', tools.reason);
    const fleet = new TpmFleet(options);
    try {
      await fleet.#begin();
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  async #begin(): Promise<void> {
    const { folder, nodes } = this.#options;
    const wrong = nodes.find((node) => !/^[a-z0-9-]{1,32}$/i.test(node));
    if (wrong !== undefined)
      throw new EnerchainError('caller', 'lab.tpm.name', `'${wrong}' cannot be the name of a node with a TPM`);
    const authority = new EkAuthority(join(folder, 'ek-authority'));
    const ekAuthority = join(folder, 'ek-authority.pem');
    const sockets = socketFolder(folder);
    for (const node of nodes) {
      const state = join(folder, node);
      if (await authority.manufacture(state)) this.#tell({ kind: 'manufactured', node });
      const tpm = { node, socket: join(sockets, `${node}.sock`), ekAuthority, eventLog: join(state, 'boot-log.bin') };
      const raw = join(sockets, `${node}.raw`);
      const machine: Machine = new Machine(tpm, state, raw, (reason) => this.#fell(machine, reason));
      this.#machines.set(node, machine);
    }
    writeFileSync(ekAuthority, authority.certificates());
    for (const [node, machine] of this.#machines) {
      await machine.boot();
      this.#tell({ kind: 'started', node });
    }
  }

  get nodes(): readonly LabTpm[] {
    return [...this.#machines.values()].map(({ tpm }) => tpm);
  }

  get(node: string): LabTpm | undefined {
    return this.#machines.get(node)?.tpm;
  }

  #tell(event: TpmEvent): void {
    this.#options.onEvent?.(event);
  }

  #machine(node: string): Machine {
    const machine = this.#machines.get(node);
    if (machine === undefined)
      throw new EnerchainError('caller', 'lab.tpm.name', `there is no TPM of a node '${node}'`);
    return machine;
  }

  /** A TPM that falls is like a machine that loses power: it boots again, and measures again. */
  #fell(machine: Machine, reason: string, delay = FIRST_PAUSE): void {
    const { node } = machine.tpm;
    if (this.#closed || this.#restarts.has(node)) return;
    this.#tell({ kind: 'ended', node, reason });
    const timer = setTimeout(() => {
      const attempt = machine.restart().then(
        () => {
          this.#restarts.delete(node);
          this.#tell({ kind: 'restarted', node });
        },
        (error: unknown) => {
          this.#restarts.delete(node);
          this.#fell(machine, describeError(error), Math.min(2 * delay, LONGEST_PAUSE));
        },
      );
      this.#restarts.set(node, { timer, attempt });
    }, delay);
    this.#restarts.set(node, { timer, attempt: Promise.resolve() });
  }

  /** Extends one PCR of a running machine, as code that nobody expected would: what is measured cannot be taken back. */
  async extend(node: string, pcr: number, what: string): Promise<void> {
    const data = Buffer.from(what);
    await this.#machine(node).client.pcrExtend(pcr, digestsOf(BANKS, { pcr, type: 0, data }));
    this.#tell({ kind: 'fault', node, what: `PCR ${pcr} extended` });
  }

  /** Switches a machine off and on; it boots as `profile` says, and keeps doing so. */
  async reboot(node: string, profile: BootProfile = LAB_BOOT): Promise<void> {
    const machine = this.#machine(node);
    await machine.off();
    machine.profile = profile;
    await machine.boot();
    this.#tell({ kind: 'restarted', node });
  }

  /** The fault `changed firmware`: the machine boots again with firmware that nobody has approved. `reboot(node)` undoes it. */
  async changeFirmware(node: string): Promise<void> {
    this.#tell({ kind: 'fault', node, what: 'changed firmware' });
    await this.reboot(node, CHANGED_FIRMWARE);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { timer, attempt } of this.#restarts.values()) {
      clearTimeout(timer);
      await attempt;
    }
    await Promise.all([...this.#machines.values()].map((machine) => machine.off()));
  }
}

/** Paths of Unix sockets are short: 108 octets. A data folder that lies too deep gets a folder of its own elsewhere. */
function socketFolder(folder: string): string {
  const near = join(folder, 's');
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 12);
  const path = Buffer.byteLength(near) <= LONGEST_FOLDER ? near : join(tmpdir(), `enerchain-tpm-${name}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory() || (process.getuid && found.uid !== process.getuid())) {
    throw new EnerchainError('environment', 'lab.tpm.socket', `${path} belongs to somebody else; remove it`);
  }
  chmodSync(path, 0o700);
  return path;
}
