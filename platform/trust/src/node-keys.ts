/** The key of a node in a file of its folder, in its TPM, or in an HSM; and the key that follows it there. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import { certificateFromPem, type Signer } from '@enerchain/pki';
import { type TpmClient, type TpmKey, TpmSigner } from '@enerchain/tpm2';
import { ifMissing } from './authority-keys.ts';
import { type HsmTlsKey, IDENTITY_FILES, writeDurably } from './identity.ts';
import { type KeyPlace, type KeyStore, KeyStores } from './key-store.ts';

export interface NodeKeys {
  /** Undefined: the key lies in the folder of the identity. */
  readonly signer: Signer | undefined;
  readonly tpm: NodeTpm | undefined;
  /** The key of the connections when that lies in the HSM. */
  readonly tlsInHsm: HsmTlsKey | undefined;
  /**
   * The key that follows, made where the present one lies; the same one until it has taken the place.
   * @throws EnerchainError `trust.rotate.origin` (fault caller) when the key lies in a file
   */
  next(): Promise<Signer>;
  /** The certificate of the next key is in the folder of the identity. */
  taken(next: Signer): void;
  close(): Promise<void>;
}

/** The TPM of a node; one client for all that uses it, since a socket takes one at a time. */
export interface NodeTpm {
  readonly client: TpmClient;
  /** The identity's key, where that lies in it; another one after a rotation. */
  readonly identity: TpmKey | undefined;
}

export interface NodeKeyOptions {
  /** `/dev/tpmrm0`, `<host>:<port>`, or the path of a Unix socket. */
  readonly tpm?: string;
  readonly key: KeyPlace;
  /** `hsm`: the key of the connections lies in the HSM too, as `<label>-tls`. Absent: in a file. */
  readonly tls?: 'file' | 'hsm';
  /** Folder of the identity. It says which of the keys that followed each other is the present one; absent: the first. */
  readonly dir?: string;
}

/**
 * @throws EnerchainError (caller) `trust.key.tpm` when the key is to lie in a TPM and none is named, `trust.key.pin`,
 *   `trust.key.tls`, `trust.key.engine`;
 *   Tpm2Error or PkiError when TPM or HSM cannot be used
 */
export async function openNodeKeys(options: NodeKeyOptions): Promise<NodeKeys> {
  const { tpm, key, tls = 'file', dir } = options;
  if (tls === 'hsm' && key.place !== 'hsm') {
    const text = 'the key of the connections is to lie in an HSM, and that of the node does not';
    throw new EnerchainError('caller', 'trust.key.tls', text);
  }
  const stores = new KeyStores(tpm);
  try {
    if (key.place === 'file') return new Keys(stores, undefined, undefined);
    const store = await stores.open(key, { folder: dir ?? '.', label: 'identity' });
    const line = await KeyLine.open(store, dir);
    return new Keys(stores, line, tls === 'hsm' && key.place === 'hsm' ? await stores.tlsKey(key) : undefined);
  } catch (error) {
    await stores.close();
    throw error;
  }
}

class Keys implements NodeKeys {
  readonly tpm: NodeTpm | undefined;
  readonly tlsInHsm: HsmTlsKey | undefined;
  readonly #stores: KeyStores;
  readonly #line: KeyLine | undefined;

  constructor(stores: KeyStores, line: KeyLine | undefined, tlsInHsm: HsmTlsKey | undefined) {
    this.tlsInHsm = tlsInHsm;
    this.#stores = stores;
    this.#line = line;
    const client = stores.tpm;
    const identity = () => (line?.present instanceof TpmSigner ? line.present.key : undefined);
    this.tpm = client && {
      client,
      get identity() {
        return identity();
      },
    };
  }

  get signer(): Signer | undefined {
    return this.#line?.present;
  }

  next(): Promise<Signer> {
    if (this.#line) return this.#line.next();
    throw new EnerchainError('caller', 'trust.rotate.origin', 'the key lies in a file; the next one is made there');
  }

  taken(next: Signer): void {
    this.#line?.taken(next);
  }

  close(): Promise<void> {
    return this.#stores.close();
  }
}

/**
 * The keys that followed each other in one place: the first has the bare name, the others a number. The file `key-number`
 * holds the highest that was made, written before anybody hears of that key; whether it is the present one or the one to
 * come, the certificate in the folder says, which is replaced in one step.
 */
export class KeyLine {
  readonly #store: KeyStore;
  readonly #dir: string | undefined;
  #number: number;
  /** Made, and in the place of the present one once there is a certificate for it. */
  #pending: Signer | undefined;
  #present: Signer;

  private constructor(store: KeyStore, dir: string | undefined, number: number, present: Signer) {
    this.#store = store;
    this.#dir = dir;
    this.#number = number;
    this.#present = present;
  }

  static async open(store: KeyStore, dir: string | undefined): Promise<KeyLine> {
    const number = dir === undefined ? 1 : await numberIn(dir);
    // It also says how old the key is.
    if (dir !== undefined && number === 1) await keepNumber(dir, 1, false);
    const highest = await store.make(nameOf(number));
    const certified = dir === undefined ? undefined : await certifiedKey(dir);
    if (number > 1 && certified && !certified.equals(highest.publicKey)) {
      const line = new KeyLine(store, dir, number, await store.make(nameOf(number - 1)));
      line.#pending = highest;
      return line;
    }
    return new KeyLine(store, dir, number, highest);
  }

  get present(): Signer {
    return this.#present;
  }

  async next(): Promise<Signer> {
    if (this.#pending) return this.#pending;
    const number = this.#number + 1;
    if (this.#dir !== undefined) await keepNumber(this.#dir, number, true);
    this.#number = number;
    this.#pending = await this.#store.make(nameOf(number));
    return this.#pending;
  }

  taken(next: Signer): void {
    this.#present = next;
    this.#pending = undefined;
  }
}

const nameOf = (number: number): string => (number === 1 ? '' : String(number));

async function numberIn(dir: string): Promise<number> {
  const file = join(dir, IDENTITY_FILES.keyNumber);
  const text = (await readFile(file, 'utf8').catch(ifMissing('1'))).trim();
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new EnerchainError('environment', 'trust.key.number', `${file} does not say which key is the present one`);
}

async function keepNumber(dir: string, number: number, replace: boolean): Promise<void> {
  const file = join(dir, IDENTITY_FILES.keyNumber);
  if (!replace && (await readFile(file, 'utf8').catch(ifMissing(undefined))) !== undefined) return;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeDurably(file, `${number}\n`);
}

async function certifiedKey(dir: string) {
  const file = join(dir, IDENTITY_FILES.certificate);
  const pem = await readFile(file, 'utf8').catch(ifMissing(undefined));
  return pem === undefined ? undefined : certificateFromPem(pem, file).publicKey;
}
