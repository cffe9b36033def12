/**
 * Where keys lie, several in one place and each under a name: files of a folder, a TPM, or an HSM. TPMs and tokens are opened
 * once, for all that have keys there.
 */
import { existsSync } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import { FileKeySigner, type Pkcs11Signer, Pkcs11Token, PkiError, type Signer } from '@enerchain/pki';
import { openIdentityKey, TpmClient, TpmSigner } from '@enerchain/tpm2';
import type { HsmTlsKey } from './identity.ts';

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

const keyOf = ({ library, token }: KeyPlace & { place: 'hsm' }): string => `${library}\n${token}`;

/** Folders in which Debian and others put OpenSSL's engines. */
const ENGINES = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/engines-3`);

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
  /** Libraries that OpenSSL's engine uses in this process: ours is its library and its login, and ends with the process. */
  readonly #shared = new Set<string>();

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

  /**
   * A key of connections in an HSM, made when it is not there, and made known to OpenSSL, whose engine `pkcs11` uses it.
   * @throws EnerchainError `trust.key.engine` (caller) when the engine is not there, or serves another library in this process
   */
  async tlsKey(place: KeyPlace & { place: 'hsm' }): Promise<HsmTlsKey> {
    const { library, pinFile, label } = place;
    process.env.OPENSSL_ENGINES ??= ENGINES.find((folder) => existsSync(join(folder, 'pkcs11.so')));
    const at = process.env.OPENSSL_ENGINES;
    process.env.PKCS11_MODULE_PATH ??= library;
    const serves = process.env.PKCS11_MODULE_PATH;
    if (!at || serves !== library) {
      const text = at
        ? `OpenSSL's engine serves ${serves} in this process (PKCS11_MODULE_PATH), not ${library}`
        : "the key of connections is to lie in the HSM, and OpenSSL's engine pkcs11 is not installed (OPENSSL_ENGINES says where)";
      throw new EnerchainError('caller', 'trust.key.engine', text);
    }
    this.#shared.add(keyOf(place));
    const signer = (await new HsmKeyStore(await this.#token(place), label).make('tls')) as Pkcs11Signer;
    return { signer, identifier: `${signer.uri}?pin-source=${encodeURI(pinFile)}` };
  }

  async #token(place: KeyPlace & { place: 'hsm' }): Promise<Pkcs11Token> {
    const { library, token: label, pinFile } = place;
    const key = keyOf(place);
    const open =
      this.#tokens.get(key) ?? (await Pkcs11Token.open({ library, token: label, pin: () => pinIn(pinFile) }));
    this.#tokens.set(key, open);
    return open;
  }

  async close(): Promise<void> {
    for (const [key, token] of this.#tokens) if (!this.#shared.has(key)) token.close();
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
