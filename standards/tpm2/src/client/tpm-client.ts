/** A TPM 2.0, behind a socket or a device of Linux. */
import { randomBytes } from 'node:crypto';
import type { Credential } from '../credential/credential.ts';
import { Tpm2Error } from '../error.ts';
import { HASHES, type HashAlgorithm } from '../spec/algorithms.ts';
import { HANDLE_TYPES, HANDLES, type Hierarchy } from '../spec/handles.ts';
import { RC } from '../spec/response-codes.ts';
import { parseAttest } from '../structures/attest.ts';
import { type PcrBank, type PcrSelection, pcrDigest } from '../structures/pcr.ts';
import { nameAlgOf, objectName, type TpmPublic } from '../structures/public.ts';
import { parseSignature, type TpmSignature } from '../structures/signature.ts';
import { type Clock, systemClock } from './clock.ts';
import { type ChannelCounters, CommandChannel } from './command-channel.ts';
import { password, policy, type TpmCommand } from './command-frame.ts';
import * as commands from './commands.ts';
import { DeviceTransport } from './device-transport.ts';
import { ObjectSlots, type Remake, refusedWith, type SlotCounters, TpmKey } from './object-slots.ts';
import { PCR_ATTEMPTS, readPcrs } from './pcr-values.ts';
import { type SocketAddress, SocketTransport } from './socket-transport.ts';
import { identityOf, PROPERTY, type TpmIdentity } from './tpm-identity.ts';
import type { Transport } from './transport.ts';

export type TpmAddress = SocketAddress | { readonly device: string } | { readonly transport: Transport };

export interface TpmClientOptions {
  readonly clock?: Clock;
  /** Milliseconds until a command is given up; 30 s by default (a real TPM takes seconds to make an RSA key). */
  readonly timeout?: number;
  /** Most tasks that may wait; 1 024 by default. */
  readonly queue?: number;
  /**
   * Nobody else uses this TPM while this client does: objects and sessions that were left in it may be flushed when there is no
   * room. True for sockets, false for devices, where the kernel keeps users apart.
   */
  readonly alone?: boolean;
  /** Authorisation values of the hierarchies, empty by default. They go to the TPM in the clear. */
  readonly auth?: { readonly owner?: Uint8Array; readonly endorsement?: Uint8Array };
}

/** A quote, with the PCR values that it proves. */
export interface Quoted extends commands.Attestation {
  readonly pcrs: readonly PcrBank[];
}

const NOTHING = new Uint8Array(0);
const SESSION_MEMORY: ReadonlySet<number> = new Set([RC.sessionMemory, 0x905]);
const NOT_STARTED: ReadonlySet<number> = new Set([RC.initialize]);

/**
 * ```ts
 * const tpm = new TpmClient({ path: '/run/swtpm.sock' });
 * const ak = await openAttestationKey(tpm);
 * const { attest, signature, pcrs } = await tpm.quote(ak, nonce, [{ hash: 'sha256', pcrs: [0, 7, 10] }]);
 * await tpm.close();
 * ```
 * One command at a time; calls queue. Errors are `Tpm2Error`: `tpm2.refused` (the TPM said no; `refusal` says to what),
 * `tpm2.transport`, `tpm2.timeout`, `tpm2.busy`, `tpm2.closed`, `tpm2.malformed`.
 */
export class TpmClient {
  readonly description: string;
  readonly #channel: CommandChannel;
  readonly #slots: ObjectSlots;
  readonly #alone: boolean;
  readonly #auth: { readonly [H in Hierarchy]: Uint8Array };
  #nvBuffer: number | undefined;

  constructor(address: TpmAddress, options: TpmClientOptions = {}) {
    const transport =
      'transport' in address
        ? address.transport
        : 'device' in address
          ? new DeviceTransport(address.device)
          : new SocketTransport(address);
    this.description = transport.description;
    this.#alone = options.alone ?? !('device' in address);
    this.#auth = {
      owner: options.auth?.owner ?? NOTHING,
      endorsement: options.auth?.endorsement ?? NOTHING,
      platform: NOTHING,
      null: NOTHING,
    };
    const { clock = systemClock, timeout = 30_000, queue = 1024 } = options;
    this.#channel = new CommandChannel({ transport, clock, timeout, queue });
    this.#slots = new ObjectSlots((command) => this.#execute(command), this.#alone);
  }

  get counters(): Readonly<ChannelCounters & SlotCounters> & { readonly waiting: number } {
    return { ...this.#channel.counters, ...this.#slots.counters, waiting: this.#channel.waiting };
  }

  /** Within a task. A TPM that was powered on and not started yet is started. */
  async #execute<T>(command: TpmCommand<T>): Promise<T> {
    try {
      return await this.#channel.execute(command);
    } catch (error) {
      if (!(error instanceof Tpm2Error) || error.refusal === undefined) this.#slots.doubtAll();
      if (command.name === 'Startup' || !refusedWith(error, NOT_STARTED)) throw error;
      await this.#channel.execute(commands.startup('clear'));
      this.#slots.doubtAll();
      return this.#channel.execute(command);
    }
  }

  /** One command as a task of its own. */
  #run<T>(command: TpmCommand<T>): Promise<T> {
    return this.#channel.exclusive(() => this.#execute(command));
  }

  /** TPM2_Startup; a TPM that is started already is left as it is. @returns whether it was started now */
  async startup(type: commands.StartupType = 'clear'): Promise<boolean> {
    try {
      await this.#run(commands.startup(type));
      return true;
    } catch (error) {
      if (refusedWith(error, NOT_STARTED)) return false;
      throw error;
    }
  }

  /** TPM2_Shutdown: without it before power is cut, the clock of the TPM is not safe afterwards. */
  shutdown(type: commands.StartupType = 'clear'): Promise<void> {
    return this.#run(commands.shutdown(type));
  }

  selfTest(full = true): Promise<void> {
    return this.#run(commands.selfTest(full));
  }

  /** @param octets any number; the TPM gives at most a digest’s length at once */
  getRandom(octets: number): Promise<Uint8Array> {
    return this.#channel.exclusive(async () => {
      const parts: Uint8Array[] = [];
      for (let left = octets; left > 0; ) {
        const part = await this.#execute(commands.getRandom(Math.min(left, 32)));
        if (part.length === 0) throw new Tpm2Error('peer', 'tpm2.random', `${this.description} gave no random octets`);
        parts.push(part);
        left -= part.length;
      }
      return Buffer.concat(parts);
    });
  }

  readClock(): Promise<commands.TimeInfo> {
    return this.#run(commands.readClock());
  }

  /** TPM_PT → value, from `first` on. */
  async properties(first = PROPERTY.fixed): Promise<ReadonlyMap<number, number>> {
    return new Map((await this.#run(commands.getProperties(first))).values);
  }

  async identify(): Promise<TpmIdentity> {
    return identityOf(await this.properties());
  }

  /** Handles of one type that are in use, e.g. `HANDLE_TYPES.persistent`. */
  handles(type: number): Promise<readonly number[]> {
    return this.#channel.exclusive(async () => {
      const found: number[] = [];
      for (let from = (type << 24) >>> 0, more = true; more; ) {
        const page = await this.#execute(commands.getHandles(from));
        found.push(...page.values);
        more = page.more && page.values.length > 0;
        from = (found.at(-1) ?? 0) + 1;
      }
      return found.filter((handle) => handle >>> 24 === type);
    });
  }

  /** Banks that the TPM keeps, with their PCRs. */
  async pcrBanks(): Promise<readonly PcrSelection[]> {
    const { values } = await this.#run(commands.getPcrBanks());
    return values.filter(({ pcrs }) => pcrs.length > 0);
  }

  /** Values of one moment: read again when a PCR changes in between. */
  pcrRead(selection: readonly PcrSelection[]): Promise<readonly PcrBank[]> {
    return this.#channel.exclusive(() => this.#pcrRead(selection));
  }

  #pcrRead(selection: readonly PcrSelection[]): Promise<readonly PcrBank[]> {
    return readPcrs((command) => this.#execute(command), selection, this.description);
  }

  /** Extends one PCR, in each bank for which there is a digest. */
  pcrExtend(pcr: number, digests: ReadonlyMap<HashAlgorithm, Uint8Array>): Promise<void> {
    for (const [hash, value] of digests) {
      if (value.length !== HASHES[hash].size)
        throw new Tpm2Error('caller', 'tpm2.pcr', `${value.length} octets are no ${hash} digest`);
    }
    return this.#run(commands.pcrExtend(pcr, digests));
  }

  /** Only PCRs 16 and 23 can be reset in the locality of an application. */
  pcrReset(pcr: number): Promise<void> {
    return this.#run(commands.pcrReset(pcr));
  }

  /** The same template in the same hierarchy gives the same key, until the hierarchy is cleared. @param auth of the new key */
  createPrimary(hierarchy: Hierarchy, template: TpmPublic, auth = NOTHING): Promise<TpmKey> {
    return this.#channel.exclusive(async () => {
      const command = commands.createPrimary(hierarchy, template, this.#auth[hierarchy], auth);
      const created = await this.#slots.making(command);
      const key = new TpmKey(created.public, auth);
      this.#slots.adopt(key, created.handle, async (pinned) => {
        const again = await this.#slots.making(command, pinned);
        if (Buffer.compare(again.name, key.name) === 0) return again.handle;
        await this.#execute(commands.flushContext(again.handle));
        throw new Tpm2Error(
          'environment',
          'tpm2.key-lost',
          `the hierarchy of ${this.description} was cleared: the key is another one now`,
        );
      });
      return key;
    });
  }

  /** A key below `parent`: to be kept outside and loaded when it is needed. */
  create(parent: TpmKey, template: TpmPublic, auth = NOTHING): Promise<commands.CreatedChild> {
    return this.#channel.exclusive(() =>
      this.#slots.using([parent], (run, handle) => run(commands.create(handle, template, parent.auth, auth))),
    );
  }

  load(parent: TpmKey, child: Pick<commands.CreatedChild, 'private' | 'public'>, auth = NOTHING): Promise<TpmKey> {
    return this.#channel.exclusive(async () => {
      const load: Remake = (pinned) =>
        this.#slots.using(
          [parent],
          async (run, handle) => (await run(commands.load(handle, child.private, child.public, parent.auth))).handle,
          pinned,
        );
      const key = new TpmKey(child.public, auth);
      this.#slots.adopt(key, await load([]), load);
      return key;
    });
  }

  /** A public key only: to protect credentials for it in the TPM. */
  loadExternal(area: TpmPublic, hierarchy: Hierarchy = 'null'): Promise<TpmKey> {
    return this.#channel.exclusive(async () => {
      const load: Remake = async (pinned) =>
        (await this.#slots.making(commands.loadExternal(area, hierarchy), pinned)).handle;
      const key = new TpmKey(area, NOTHING);
      this.#slots.adopt(key, await load([]), load);
      return key;
    });
  }

  /** The key at a persistent handle; `undefined` when there is none. */
  async persistentKey(handle: number, auth = NOTHING): Promise<TpmKey | undefined> {
    if (!(await this.handles(HANDLE_TYPES.persistent)).includes(handle)) return undefined;
    const { public: area, name } = await this.#channel.exclusive(() =>
      this.#slots.making(commands.readPublicArea(handle)),
    );
    const key = new TpmKey(area, auth, handle);
    if (Buffer.compare(key.name, name) !== 0)
      throw new Tpm2Error('peer', 'tpm2.key', `${this.description} gives a wrong name for 0x${handle.toString(16)}`);
    return key;
  }

  /** Makes a transient key of the owner’s or endorsement hierarchy persistent (by the owner’s authorisation). */
  persist(key: TpmKey, handle: number): Promise<TpmKey> {
    return this.#channel.exclusive(() =>
      this.#slots.using([key], async (run, transient) => {
        await run(commands.evictControl('owner', transient, handle, this.#auth.owner));
        return new TpmKey(key.public, key.auth, handle);
      }),
    );
  }

  /** Removes a persistent key. */
  evict(handle: number): Promise<void> {
    const command = commands.evictControl('owner', handle, handle, this.#auth.owner);
    return this.#channel.exclusive(() => this.#slots.making(command));
  }

  /** TPM2_ReadPublic: with the qualified name, which says in which hierarchy the key is. */
  readPublic(key: TpmKey): Promise<commands.PublicRead> {
    return this.#channel.exclusive(() =>
      this.#slots.using([key], (run, handle) => run(commands.readPublicArea(handle))),
    );
  }

  /** Forgets a transient key. */
  flush(key: TpmKey): Promise<void> {
    return this.#channel.exclusive(() => this.#slots.flush(key));
  }

  /**
   * Quotes PCRs and gives the values that the quote proves: both are of one moment.
   * @param qualifyingData at most 64 octets: a nonce, or a hash over several
   */
  quote(key: TpmKey, qualifyingData: Uint8Array, selection: readonly PcrSelection[]): Promise<Quoted> {
    return this.#channel.exclusive(() =>
      this.#slots.using([key], async (run, handle) => {
        const command = commands.quote(handle, key.auth, qualifyingData, selection);
        for (let attempt = 0; attempt < PCR_ATTEMPTS; attempt++) {
          const pcrs = await this.#pcrRead(selection);
          const quoted = await run(command);
          if (proves(quoted, pcrs)) return { ...quoted, pcrs };
        }
        throw new Tpm2Error(
          'environment',
          'tpm2.pcr-changing',
          `the PCRs of ${this.description} change too often to be quoted`,
        );
      }),
    );
  }

  /** Only the quote, for who knows the values (from a log) or asks for them elsewhere. */
  quoteOnly(
    key: TpmKey,
    qualifyingData: Uint8Array,
    selection: readonly PcrSelection[],
  ): Promise<commands.Attestation> {
    return this.#channel.exclusive(() =>
      this.#slots.using([key], (run, handle) => run(commands.quote(handle, key.auth, qualifyingData, selection))),
    );
  }

  /** That `object` is in this TPM, signed by `key`. */
  certify(object: TpmKey, key: TpmKey, qualifyingData: Uint8Array): Promise<commands.Attestation> {
    return this.#channel.exclusive(() =>
      this.#slots.using([object, key], (run, objectHandle, keyHandle) =>
        run(commands.certify(objectHandle, object.auth, keyHandle, key.auth, qualifyingData)),
      ),
    );
  }

  /** TPM2_Hash: a restricted key signs only digests with such a ticket. @param data at most 1 024 octets */
  hash(data: Uint8Array, algorithm: HashAlgorithm, hierarchy: Hierarchy): Promise<commands.Hashed> {
    return this.#run(commands.hash(data, algorithm, hierarchy));
  }

  /** Signs a digest with the key’s scheme. */
  sign(key: TpmKey, digest: Uint8Array, ticket?: commands.HashTicket): Promise<TpmSignature> {
    return this.#channel.exclusive(() =>
      this.#slots.using([key], (run, handle) => run(commands.sign(handle, key.auth, digest, ticket))),
    );
  }

  nvReadPublic(index: number): Promise<commands.NvRead> {
    return this.#run(commands.nvReadPublic(index));
  }

  /** All of an NV index that the owner, or anybody with the (empty) authorisation of the index, may read. */
  nvRead(index: number, auth = NOTHING): Promise<Uint8Array> {
    return this.#channel.exclusive(async () => {
      const { public: area } = await this.#execute(commands.nvReadPublic(index));
      this.#nvBuffer ??= new Map((await this.#execute(commands.getProperties(PROPERTY.nvBuffer, 1))).values).get(
        PROPERTY.nvBuffer,
      );
      const most = Math.min(this.#nvBuffer ?? 512, 1024);
      const byIndex = area.attributes.includes('authRead');
      const [authority, value] = byIndex ? [index, auth] : [HANDLES.owner, this.#auth.owner];
      const parts: Uint8Array[] = [];
      for (let offset = 0; offset < area.dataSize; offset += most) {
        const size = Math.min(most, area.dataSize - offset);
        const part = await this.#execute(commands.nvRead(authority, value, index, size, offset));
        if (part.length !== size)
          throw new Tpm2Error('peer', 'tpm2.nv', `${this.description} gave ${part.length} of ${size} octets`);
        parts.push(part);
      }
      return Buffer.concat(parts);
    });
  }

  /**
   * Opens a credential that was made for `key` and this TPM’s endorsement key `ek`.
   * @throws Tpm2Error `tpm2.refused` (TPM_RC_INTEGRITY and others) when it was made for another one
   */
  activateCredential(key: TpmKey, ek: TpmKey, credential: Credential): Promise<Uint8Array> {
    return this.#channel.exclusive(() =>
      this.#slots.using([key, ek], async (run, keyHandle, ekHandle) => {
        const byPolicy = !ek.public.attributes.includes('userWithAuth');
        const session = byPolicy ? await this.#endorsementSession(nameAlgOf(ek.public).hash) : undefined;
        const authorization = session === undefined ? password(ek.auth) : policy(session);
        try {
          return await run(commands.activateCredential(keyHandle, key.auth, ekHandle, authorization, credential));
        } catch (error) {
          // A session ends with the command that succeeds.
          if (session !== undefined) await this.#execute(commands.flushContext(session)).catch(() => {});
          throw error;
        }
      }),
    );
  }

  /** A policy session in which the endorsement hierarchy’s secret was given: PolicyA of the EK profile. */
  async #endorsementSession(algorithm: HashAlgorithm): Promise<number> {
    const start = commands.startPolicySession(randomBytes(16), algorithm);
    const { handle } = await this.#execute(start).catch(async (error: unknown) => {
      if (!this.#alone || !refusedWith(error, SESSION_MEMORY)) throw error;
      await this.#slots.flushStrangers(HANDLE_TYPES.hmacSession);
      await this.#slots.flushStrangers(HANDLE_TYPES.policySession);
      return this.#execute(start);
    });
    try {
      await this.#execute(commands.policySecret(HANDLES.endorsement, this.#auth.endorsement, handle));
    } catch (error) {
      await this.#execute(commands.flushContext(handle)).catch(() => {});
      throw error;
    }
    return handle;
  }

  /** TPM2_MakeCredential; `makeCredential` does the same without a TPM. */
  makeCredential(ek: TpmKey, secret: Uint8Array, name: Uint8Array): Promise<Credential> {
    return this.#channel.exclusive(() =>
      this.#slots.using([ek], (run, handle) => run(commands.makeCredentialInTpm(handle, secret, name))),
    );
  }

  /** Flushes what this client has loaded, as far as the TPM is still there, and ends the connection. */
  async close(): Promise<void> {
    await this.#channel.exclusive(() => this.#slots.flushAll()).catch(() => {});
    await this.#channel.close();
  }
}

/** Whether the quote is over these values (a PCR may have been extended in between). */
function proves({ attest, signature }: commands.Attestation, pcrs: readonly PcrBank[]): boolean {
  const { attested } = parseAttest(attest);
  const read = parseSignature(signature);
  return (
    attested.type === 'quote' &&
    read.scheme !== 'null' &&
    Buffer.compare(attested.pcrDigest, pcrDigest(read.hash, pcrs)) === 0
  );
}

/** Whether a key was made from a template: all but the key itself. */
export const madeFrom = (area: TpmPublic, template: TpmPublic): boolean =>
  Buffer.compare(objectName(withoutKey(area)), objectName(withoutKey(template))) === 0;

function withoutKey(area: TpmPublic): TpmPublic {
  switch (area.type) {
    case 'rsa':
      return { ...area, modulus: NOTHING };
    case 'ecc':
      return { ...area, x: NOTHING, y: NOTHING };
    default:
      return { ...area, unique: NOTHING };
  }
}
