/**
 * A token of an HSM behind PKCS#11, and signers whose keys never leave it. Hashes are made here and signed there with CKM_ECDSA,
 * since not every token knows the mechanisms that do both. Signatures are made beside the event loop, several at a time.
 */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import { ALGORITHMS, algorithmOf, type SignatureAlgorithm, verifyRaw } from '../algorithm.ts';
import { PkiError } from '../error.ts';
import type { Signer } from '../signer.ts';
import {
  type Binding,
  CKR,
  closeModule,
  codeOf,
  type Handle,
  loadBinding,
  type Module,
  nameOfError,
  openModule,
} from './pkcs11-binding.ts';
import { findKeys, keyPairTemplates, readPublicKey } from './pkcs11-key.ts';
import { SessionPool } from './session-pool.ts';

export interface Pkcs11TokenOptions {
  /** Path of the library that the maker of the HSM supplies. */
  readonly library: string;
  /** Label of the token. */
  readonly token: string;
  /** Asked when the token is opened, and when its sessions were lost; kept nowhere. */
  readonly pin: () => string | Promise<string>;
  /** How many signatures at a time; 4 when absent, as many as libuv has threads unless told otherwise. */
  readonly sessions?: number;
  /** How many may wait; 4 096 when absent. */
  readonly maxQueued?: number;
}

export interface Pkcs11Signer extends Signer {
  readonly origin: 'hsm';
  readonly label: string;
  /** PKCS#11 URI of the key (RFC 7512), as an OpenSSL engine names it; without a PIN. */
  readonly uri: string;
  sign(data: Uint8Array): Promise<Uint8Array>;
}

const environment = (code: string, text: string, cause?: unknown) =>
  new PkiError('environment', `pki.hsm.${code}`, text, cause === undefined ? undefined : { cause });

/** Errors after which sessions are opened and keys are looked for anew, once. */
const LOST: ReadonlySet<number | undefined> = new Set([
  CKR.SESSION_CLOSED,
  CKR.SESSION_HANDLE_INVALID,
  CKR.USER_NOT_LOGGED_IN,
  CKR.DEVICE_ERROR,
  CKR.DEVICE_REMOVED,
  CKR.TOKEN_NOT_PRESENT,
  CKR.KEY_HANDLE_INVALID,
  CKR.OBJECT_HANDLE_INVALID,
]);
const PIN_REFUSED: ReadonlySet<number | undefined> = new Set([
  CKR.PIN_INCORRECT,
  CKR.PIN_INVALID,
  CKR.PIN_LEN_RANGE,
  CKR.PIN_EXPIRED,
  CKR.PIN_LOCKED,
  CKR.USER_PIN_NOT_INITIALIZED,
]);

export class Pkcs11Token {
  readonly #options: Pkcs11TokenOptions;
  readonly #binding: Binding;
  readonly #module: Module;
  readonly #pool: SessionPool<Handle>;
  #slot: Handle | undefined;
  #sessions: readonly Handle[] = [];
  /** Counts how often sessions were opened: handles of keys are good for one generation. */
  #generation = 0;
  #restoring: Promise<void> | undefined;
  /** Set when the token refused a PIN: it is not tried again, since tokens lock themselves after a few attempts. */
  #refused: PkiError | undefined;
  #closed = false;

  private constructor(options: Pkcs11TokenOptions, binding: Binding, module: Module) {
    this.#options = options;
    this.#binding = binding;
    this.#module = module;
    this.#pool = new SessionPool(options.maxQueued ?? 4096);
  }

  /**
   * Opens a token and logs in.
   * @throws PkiError (fault environment): `pki.hsm.binding`, `.module`, `.token`; (fault caller): `.pin` when there is none or
   * the token refuses it
   */
  static async open(options: Pkcs11TokenOptions): Promise<Pkcs11Token> {
    const binding = loadBinding();
    const module = openModule(binding, options.library);
    const token = new Pkcs11Token(options, binding, module);
    try {
      await token.#connect();
    } catch (error) {
      closeModule(options.library);
      throw error;
    }
    return token;
  }

  /** Number of signatures that wait for a session. */
  get queued(): number {
    return this.#pool.queued;
  }

  /**
   * The signer of the key with a label. One signature is made and verified, so that a public key that is not of this private
   * key is noticed now.
   * @param options.publicKey for tokens that keep no public keys
   * @param options.rate see `Signer`
   * @throws PkiError (fault environment) `pki.hsm.key.missing` when there is none, `pki.hsm.key` when there is more than one, or
   *   no public key; `pki.hsm.curve` (fault unsupported)
   */
  async findSigner(
    label: string,
    options: { readonly publicKey?: KeyObject; readonly rate?: number } = {},
  ): Promise<Pkcs11Signer> {
    const read = await this.#pool.run((session) => {
      this.#privateKey(session, label);
      const [publicKey] = this.#keys(session, this.#binding.CKO_PUBLIC_KEY, label);
      if (publicKey !== undefined) return readPublicKey(this.#binding, this.#module, session, publicKey);
      return undefined;
    });
    const publicKey = options.publicKey ?? read?.publicKey;
    const algorithm = publicKey && algorithmOfKey(publicKey, label);
    if (!publicKey || !algorithm) {
      throw environment('key', `the token ${this.#options.token} has no public key ${label}; hand it in`);
    }
    const signer = this.#signer(label, algorithm, publicKey, options.rate);
    const challenge = randomBytes(32);
    if (!verifyRaw(algorithm, publicKey, challenge, await signer.sign(challenge))) {
      throw environment('key', `the keys ${label} of the token ${this.#options.token} do not belong together`);
    }
    return signer;
  }

  /**
   * Makes a key pair in the token: not extractable, for signing.
   * @throws PkiError `pki.hsm.key.exists` (fault caller): a label is given once; `pki.hsm.generate` (fault environment)
   */
  async generateSigner(label: string, algorithm: SignatureAlgorithm = 'ES256'): Promise<Pkcs11Signer> {
    await this.#pool.run(async (session) => {
      if (this.#keys(session, this.#binding.CKO_PRIVATE_KEY, label).length > 0) {
        const text = `the token ${this.#options.token} has a key ${label} already`;
        throw new PkiError('caller', 'pki.hsm.key.exists', text);
      }
      const templates = keyPairTemplates(this.#binding, algorithm, label, randomBytes(16));
      const mechanism = { mechanism: this.#binding.CKM_EC_KEY_PAIR_GEN };
      const { publicKey, privateKey } = templates;
      try {
        await this.#module.C_GenerateKeyPairAsync(session, mechanism, publicKey, privateKey);
      } catch (cause) {
        throw environment('generate', `the token makes no ${algorithm} key (${nameOfError(cause)})`, cause);
      }
    });
    return this.findSigner(label);
  }

  /** Closes the sessions. What waits is rejected with `pki.hsm.closed`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pool.close(this.#closedError());
    this.#closeSessions();
    closeModule(this.#options.library);
  }

  #closedError(): PkiError {
    return new PkiError('caller', 'pki.hsm.closed', `the token ${this.#options.token} was closed`);
  }

  /** Finds the slot, opens sessions, logs in. */
  async #connect(): Promise<void> {
    const { token: label, sessions: count = 4, library } = this.#options;
    const { CKF_SERIAL_SESSION, CKF_RW_SESSION } = this.#binding;
    let labels: string[];
    try {
      const slots = this.#module.C_GetSlotList(true);
      labels = slots.map((slot) => this.#module.C_GetTokenInfo(slot).label.trimEnd());
      this.#slot = slots[labels.indexOf(label)];
    } catch (cause) {
      throw environment('token', `the tokens of ${library} cannot be listed (${nameOfError(cause)})`, cause);
    }
    if (this.#slot === undefined) {
      const there = labels.filter((each) => each !== '').join(', ') || 'none';
      throw environment('token', `${library} has no token '${label}'; there is ${there}`);
    }
    const opened: Handle[] = [];
    try {
      for (let i = 0; i < count; i++)
        opened.push(this.#module.C_OpenSession(this.#slot, CKF_SERIAL_SESSION | CKF_RW_SESSION));
    } catch (cause) {
      this.#sessions = opened;
      this.#closeSessions();
      throw environment('token', `the token ${label} opens no session (${nameOfError(cause)})`, cause);
    }
    this.#sessions = opened;
    try {
      await this.#login(opened[0]!);
    } catch (error) {
      this.#closeSessions();
      throw error;
    }
    if (this.#closed) return this.#closeSessions();
    this.#generation++;
    this.#pool.replace(opened);
  }

  async #login(session: Handle): Promise<void> {
    const { token } = this.#options;
    const pin = await this.#options.pin();
    if (!pin) throw new PkiError('caller', 'pki.hsm.pin', `there is no PIN for the token ${token}`);
    try {
      this.#module.C_Login(session, this.#binding.CKU_USER, pin);
    } catch (cause) {
      const code = codeOf(cause);
      if (code === CKR.USER_ALREADY_LOGGED_IN) return;
      const what = `the token ${token} refuses the PIN (${nameOfError(cause)})`;
      if (!PIN_REFUSED.has(code))
        throw environment('token', `the token ${token} lets nobody in (${nameOfError(cause)})`, cause);
      this.#refused = new PkiError('caller', 'pki.hsm.pin', what, { cause });
      throw this.#refused;
    }
  }

  #closeSessions(): void {
    for (const session of this.#sessions) {
      try {
        this.#module.C_CloseSession(session);
      } catch {
        // Lost already.
      }
    }
    this.#sessions = [];
  }

  #keys(session: Handle, type: number, label: string): Handle[] {
    return findKeys(this.#binding, this.#module, session, type, label);
  }

  #privateKey(session: Handle, label: string): Handle {
    const found = this.#keys(session, this.#binding.CKO_PRIVATE_KEY, label);
    if (found.length === 1) return found[0]!;
    const [code, how] = found.length === 0 ? ['key.missing', 'no'] : ['key', 'more than one'];
    throw environment(code, `the token ${this.#options.token} has ${how} private key ${label}`);
  }

  #signer(label: string, algorithm: SignatureAlgorithm, publicKey: KeyObject, rate: number | undefined): Pkcs11Signer {
    const { hash, size } = ALGORITHMS[algorithm];
    let key: { readonly handle: Handle; readonly generation: number } | undefined;
    const signHash = (digest: Buffer) =>
      this.#pool.run(async (session) => {
        if (key?.generation !== this.#generation) {
          key = { handle: this.#privateKey(session, label), generation: this.#generation };
        }
        this.#module.C_SignInit(session, { mechanism: this.#binding.CKM_ECDSA }, key.handle);
        return this.#module.C_SignAsync(session, digest, Buffer.alloc(2 * size));
      });
    return {
      algorithm,
      publicKey,
      origin: 'hsm',
      label,
      uri: `pkcs11:token=${encodeURIComponent(this.#options.token)};object=${encodeURIComponent(label)};type=private`,
      ...(rate === undefined ? {} : { rate }),
      sign: async (data) => {
        const digest = createHash(hash).update(data).digest();
        // A token that was lost and could not be reached again may be there now.
        if (this.#sessions.length === 0) await this.#restore(this.#generation);
        const generation = this.#generation;
        try {
          return await signHash(digest);
        } catch (error) {
          if (error instanceof PkiError) throw error;
          if (!LOST.has(codeOf(error))) throw this.#signError(label, error);
        }
        await this.#restore(generation);
        return signHash(digest).catch((error) => {
          throw error instanceof PkiError ? error : this.#signError(label, error);
        });
      },
    };
  }

  #signError(label: string, cause: unknown): PkiError {
    const what = `the token ${this.#options.token} does not sign with ${label} (${nameOfError(cause)})`;
    return environment('sign', what, cause);
  }

  /** Opens sessions anew, once for all who noticed that they were lost. @param generation of the sessions that were lost */
  #restore(generation: number): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (this.#refused) return Promise.reject(this.#refused);
    if (this.#generation !== generation) return Promise.resolve();
    this.#restoring ??= (async () => {
      try {
        this.#pool.replace([]);
        this.#closeSessions();
        await this.#connect();
      } catch (error) {
        this.#pool.rejectWaiting(error);
        throw error;
      } finally {
        this.#restoring = undefined;
      }
    })();
    return this.#restoring;
  }
}

function algorithmOfKey(publicKey: KeyObject, label: string): SignatureAlgorithm {
  const found = algorithmOf(publicKey);
  if (found) return found;
  const curve = publicKey.asymmetricKeyDetails?.namedCurve ?? 'none';
  throw new PkiError('unsupported', 'pki.hsm.curve', `the key ${label} is on the curve ${curve}`);
}
