/**
 * The attester of a machine with a TPM 2.0. A quote covers the PCRs of the boot and the one that the measurement list of
 * this process is extended into; what was measured cannot be taken back until the machine is booted anew.
 *
 * The register outlives the process. So the digests of what earlier processes have added since the boot are kept in a file
 * and sent along; if that file is lost or changed, the list does not lead to the register any more, and only a boot helps.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, describeError, EnerchainError, systemClock } from '@enerchain/model';
import { encodePublic, type TpmClient, type TpmKey } from '@enerchain/tpm2';
import { type Identity, writeDurably } from '@enerchain/trust';
import { IMA_PCR } from './appraisal/boot-logs.ts';
import type { Attester, EvidenceCursor } from './attester.ts';
import { encodeClaims, encodeEvidence, type LogPart, quotedData } from './evidence.ts';
import { extended, MeasurementList, ZERO_DIGEST } from './measure/list.ts';
import { APPRAISAL } from './policy.ts';
import { checkBindings, knownRecords, type Measurements } from './software-attester.ts';

/** What of a TPM is needed here. */
export type QuotingTpm = Pick<TpmClient, 'description' | 'quote' | 'pcrRead' | 'pcrExtend'>;

export interface TpmListOptions {
  readonly tpm: QuotingTpm;
  /** Where the digests of earlier processes are kept. */
  readonly dir: string;
  readonly pcr?: number;
  onTrouble(error: unknown): void;
}

const SHA256 = 'sha256';
const LIST_FILE = 'measured-since-boot.json';
/** Where Linux shows the logs of the boot; absent in a container and with a TPM in software. */
export const LINUX_LOGS = {
  events: '/sys/kernel/security/tpm0/binary_bios_measurements',
  ima: '/sys/kernel/security/ima/binary_runtime_measurements',
} as const;

interface KeptList {
  readonly id: string;
  /** Digests of records, hex, oldest first. */
  readonly records: readonly string[];
}

/** A measurement list that is extended into a PCR as it grows. */
export class TpmList {
  readonly list: MeasurementList;
  readonly pcr: number;
  readonly #options: TpmListOptions;
  readonly #file: string;
  readonly #kept: string[];
  /** Records that are being extended, one after the other; evidence waits for it. */
  #queue: Promise<void> = Promise.resolve();

  private constructor(options: TpmListOptions, file: string, id: string, earlier: readonly string[]) {
    this.#options = options;
    this.#file = file;
    this.pcr = options.pcr ?? APPRAISAL.listPcr;
    this.#kept = [...earlier];
    this.list = new MeasurementList(
      id,
      earlier.map((each) => Buffer.from(each, 'hex')),
    );
    this.list.onAppend((digest) => {
      this.#queue = this.#queue.then(() => this.#extend(digest)).catch((error: unknown) => options.onTrouble(error));
    });
  }

  /** Goes on where the register stands; begins a new list when the machine was booted since. */
  static async open(options: TpmListOptions): Promise<TpmList> {
    const { tpm, dir, pcr = APPRAISAL.listPcr, onTrouble } = options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const file = join(dir, LIST_FILE);
    const register = await readRegister(tpm, pcr);
    const fresh = () => new TpmList(options, file, randomBytes(16).toString('hex'), []);
    if (Buffer.compare(register, ZERO_DIGEST) === 0) return fresh();
    const kept = await readKept(file);
    const heads = kept ? headsOf(kept) : [];
    if (kept && Buffer.compare(heads.at(-1) as Uint8Array, register) === 0) {
      return new TpmList(options, file, kept.id, kept.records);
    }
    // A record is written down before it is extended: the power may have failed in between.
    if (kept && kept.records.length > 0 && Buffer.compare(heads.at(-2) as Uint8Array, register) === 0) {
      const last = Buffer.from(kept.records.at(-1) as string, 'hex');
      await tpm.pcrExtend(pcr, new Map([[SHA256, last]]));
      return new TpmList(options, file, kept.id, kept.records);
    }
    onTrouble(
      new EnerchainError(
        'environment',
        'attestation.tpm.list',
        `PCR ${pcr} holds what ${file} does not say; this machine is not good again before it is booted anew`,
      ),
    );
    return fresh();
  }

  /** Resolves when everything that was appended is in the register. */
  settled(): Promise<void> {
    return this.#queue;
  }

  async #extend(digest: Uint8Array): Promise<void> {
    this.#kept.push(Buffer.from(digest).toString('hex'));
    await writeDurably(
      this.#file,
      `${JSON.stringify({ id: this.list.id, records: this.#kept } satisfies KeptList)}\n`,
      0o600,
    );
    await this.#options.tpm.pcrExtend(this.pcr, new Map([[SHA256, digest]]));
  }
}

async function readRegister(tpm: QuotingTpm, pcr: number): Promise<Uint8Array> {
  const [bank] = await tpm.pcrRead([{ hash: SHA256, pcrs: [pcr] }]);
  const value = bank?.values.get(pcr);
  if (value) return value;
  throw new EnerchainError('environment', 'attestation.tpm.bank', `the TPM has no PCR ${pcr} in a SHA-256 bank`);
}

/** Head after 0, 1, 2 … records. */
function headsOf({ records }: KeptList): Uint8Array[] {
  const heads: Uint8Array[] = [ZERO_DIGEST];
  for (const record of records) heads.push(extended(heads.at(-1) as Uint8Array, Buffer.from(record, 'hex')));
  return heads;
}

async function readKept(file: string): Promise<KeptList | undefined> {
  try {
    const { id, records } = JSON.parse(await readFile(file, 'utf8')) as KeptList;
    const right = /^[0-9a-f]{32}$/.test(id) && records.every((each) => /^[0-9a-f]{64}$/.test(each));
    return right ? { id, records } : undefined;
  } catch {
    return undefined;
  }
}

export interface TpmAttesterOptions {
  readonly identity: () => Identity;
  readonly tpm: QuotingTpm;
  /** The attestation key, see `openAttestationKey`. */
  readonly ak: TpmKey;
  /** Whose list is `list.list`. */
  readonly measurements: Measurements;
  readonly list: TpmList;
  /** Certificate of the attestation key (DER), once there is one. */
  readonly akCertificate: () => Uint8Array | undefined;
  readonly bootPcrs?: readonly number[];
  /** Logs of the boot, by default where Linux shows them; what is not there is not sent. */
  readonly logs?: { readonly events?: string; readonly ima?: string };
  readonly clock?: Clock;
}

export class TpmAttester implements Attester {
  readonly tier = 'tpm';
  readonly #options: TpmAttesterOptions;
  readonly #clock: Clock;
  readonly #pcrs: readonly number[];
  /** One quote at a time: list and register must be of one moment. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: TpmAttesterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const boot = options.bootPcrs ?? APPRAISAL.bootPcrs;
    this.#pcrs = [...new Set([...boot, IMA_PCR, options.list.pcr])].sort((a, b) => a - b);
  }

  get node(): string {
    return this.#options.identity().name;
  }

  onChange(listener: () => void): () => void {
    return this.#options.measurements.onChange(listener);
  }

  evidence(bindings: readonly Uint8Array[], since?: EvidenceCursor): Promise<Uint8Array> {
    checkBindings(bindings);
    const turn = this.#turn.then(() => this.#evidence(bindings, since));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #evidence(bindings: readonly Uint8Array[], since: EvidenceCursor | undefined): Promise<Uint8Array> {
    const { measurements, list, tpm, ak, akCertificate } = this.#options;
    await measurements.rescan();
    const identity = this.#options.identity();
    try {
      for (;;) {
        await list.settled();
        const { records, head, id } = list.list;
        const count = records.length;
        const from = knownRecords(list.list, since);
        const sent = records.slice(from);
        const claims = encodeClaims({
          node: identity.name,
          bindings,
          list: id,
          from,
          records: sent,
          count,
          head,
          at: this.#clock.now(),
        });
        const covered = quotedData(claims, identity.certificate.der, list.pcr);
        const quoted = await tpm.quote(ak, covered, [{ hash: SHA256, pcrs: this.#pcrs }]);
        // A module may have been loaded while the TPM was signing: then the quote is of another list.
        if (list.list.records.length !== count) continue;
        const known = since?.list === id ? since : undefined;
        return encodeEvidence(claims, {
          tier: 'tpm',
          identity: identity.certificate.der,
          akCertificate: akCertificate(),
          ak: encodePublic(ak.public),
          attest: quoted.attest,
          signature: quoted.signature,
          pcrs: quoted.pcrs.find(({ hash }) => hash === SHA256)?.values ?? new Map(),
          listPcr: list.pcr,
          events: await this.#log('events', known?.events ?? 0),
          ima: await this.#log('ima', known?.ima ?? 0),
        });
      }
    } catch (cause) {
      throw new EnerchainError('environment', 'attestation.attester', `${tpm.description}: ${describeError(cause)}`, {
        cause,
      });
    }
  }

  /** What a log has beyond what is known of it. The list of IMA has no size before it is read. */
  async #log(which: 'events' | 'ima', known: number): Promise<LogPart | undefined> {
    const path = (this.#options.logs ?? LINUX_LOGS)[which];
    if (path === undefined) return undefined;
    const bytes = await readFile(path).catch(() => undefined);
    if (!bytes) return undefined;
    const from = known <= bytes.length ? known : 0;
    return { from, bytes: bytes.subarray(from) };
  }
}
