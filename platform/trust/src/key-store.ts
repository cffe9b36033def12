/**
 * Where keys lie, several in one place and each under a name: files of a folder, a TPM, or an HSM. TPMs and tokens are opened
 * once, for all that have keys there.
 */
import { access, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import { FileKeySigner, Pkcs11Token, PkiError, type Signer } from '@enerchain/pki';
import { openIdentityKey, TpmClient, TpmSigner } from '@enerchain/tpm2';

/** Where a key lies, as a site file or the file of a centre's keys names it. */
export type KeyPlace =
  | { readonly place: 'file' }
  | { readonly place: 'tpm' }
  | {
      readonly place: 'hsm';
      /** PKCS#11 library of the maker. */
      readonly library: string;
      /** Label of the token, and of the key in it; the key is made when it is not there. */
      readonly token: string;
      readonly label: string;
      /** File (0600) with the PIN. */
      readonly pinFile: string;
    };

export interface KeyStore {
  readonly origin: Signer['origin'];
  /** The key with this name, or undefined; a TPM has every key, since it makes them out of its seed and the name. */
  find(name: string): Promise<Signer | undefined>;
  /** The key with this name; made when it is not there. */
  make(name: string): Promise<Signer>;
}

/** `<name>.key` in a folder. */
export class FileKeyStore implements KeyStore {
  readonly origin = 'file';
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async find(name: string): Promise<Signer | undefined> {
    const file = join(this.#folder, `${name}.key`);
    try {
      await access(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return FileKeySigner.load(file);
  }

  async make(name: string): Promise<Signer> {
    return (await this.find(name)) ?? FileKeySigner.create(join(this.#folder, `${name}.key`));
  }
}

/** `<label>` or `<label>-<name>` in a token. */
class HsmKeyStore implements KeyStore {
  readonly origin = 'hsm';
  readonly #token: Pkcs11Token;
  readonly #label: string;

  constructor(token: Pkcs11Token, label: string) {
    this.#token = token;
    this.#label = label;
  }

  async find(name: string): Promise<Signer | undefined> {
    try {
      return await this.#token.findSigner(labelOf(this.#label, name));
    } catch (error) {
      if (error instanceof PkiError && error.code === 'pki.hsm.key.missing') return undefined;
      throw error;
    }
  }

  async make(name: string): Promise<Signer> {
    try {
      return await this.#token.generateSigner(labelOf(this.#label, name));
    } catch (error) {
      if (!(error instanceof PkiError) || error.code !== 'pki.hsm.key.exists') throw error;
      return this.#token.findSigner(labelOf(this.#label, name));
    }
  }
}

/** Made out of the seed of the TPM and the label, the same each time. */
class TpmKeyStore implements KeyStore {
  readonly origin = 'tpm';
  readonly #client: TpmClient;
  readonly #label: string;

  constructor(client: TpmClient, label: string) {
    this.#client = client;
    this.#label = label;
  }

  async make(name: string): Promise<TpmSigner> {
    return timed(this.#client, labelOf(this.#label, name));
  }

  find(name: string): Promise<TpmSigner> {
    return this.make(name);
  }
}

const labelOf = (label: string, name: string): string =>
  name === '' ? label : `${label}-${name.replaceAll('/', '-')}`;

/** A TPM that signs more often than this is no limit, signatures per second. */
const FAST = 200;
const TRIES = 3;

/** Tries how fast it signs: a chip takes 100 to 300 ms, and whoever makes batches must know. */
async function timed(client: TpmClient, label: string): Promise<TpmSigner> {
  const key = await openIdentityKey(client, { label });
  const signer = new TpmSigner(client, key);
  const from = performance.now();
  for (let i = 0; i < TRIES; i++) await signer.sign(Uint8Array.of(i));
  const rate = (TRIES * 1000) / (performance.now() - from);
  return rate < FAST ? new TpmSigner(client, key, rate) : signer;
}

/** The places where a process has its keys. */
export class KeyStores {
  /** One client for all that uses the TPM, since a socket takes one at a time. */
  readonly tpm: TpmClient | undefined;
  readonly #tokens = new Map<string, Pkcs11Token>();

  /** @param tpm `/dev/tpmrm0`, `<host>:<port>`, or the path of a Unix socket; nothing is asked of it yet */
  constructor(tpm?: string) {
    this.tpm = tpm === undefined ? undefined : new TpmClient(tpmAddress(tpm));
  }

  /**
   * @param options.folder for keys in files
   * @param options.label of keys in the TPM; those in an HSM have that of their place
   * @throws EnerchainError `trust.key.tpm` (caller) when the key is to lie in a TPM and none is named, `trust.key.pin`
   *   (caller); PkiError when the HSM cannot be used
   */
  async open(place: KeyPlace, options: { readonly folder: string; readonly label: string }): Promise<KeyStore> {
    if (place.place === 'file') return new FileKeyStore(options.folder);
    if (place.place === 'hsm') return new HsmKeyStore(await this.#token(place), place.label);
    if (this.tpm) return new TpmKeyStore(this.tpm, options.label);
    throw new EnerchainError('caller', 'trust.key.tpm', 'the key is to lie in a TPM, but none is named');
  }

  async #token({ library, token: label, pinFile }: KeyPlace & { place: 'hsm' }): Promise<Pkcs11Token> {
    const key = `${library}\n${label}`;
    const open =
      this.#tokens.get(key) ?? (await Pkcs11Token.open({ library, token: label, pin: () => pinIn(pinFile) }));
    this.#tokens.set(key, open);
    return open;
  }

  async close(): Promise<void> {
    for (const token of this.#tokens.values()) token.close();
    this.#tokens.clear();
    await this.tpm?.close();
  }
}

async function pinIn(file: string): Promise<string> {
  try {
    const { mode } = await stat(file);
    if (mode & 0o077) {
      throw new EnerchainError(
        'caller',
        'trust.key.pin',
        `${file} holds a PIN and can be read by others; make it 0600`,
      );
    }
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    if (cause instanceof EnerchainError) throw cause;
    throw new EnerchainError('caller', 'trust.key.pin', `the PIN of the HSM cannot be read from ${file}`, { cause });
  }
}

function tpmAddress(text: string): ConstructorParameters<typeof TpmClient>[0] {
  if (text.startsWith('/dev/')) return { device: text };
  const match = /^([^/:]+):(\d{1,5})$/.exec(text);
  return match ? { host: match[1] as string, port: Number(match[2]) } : { path: text };
}
