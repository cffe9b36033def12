/**
 * Reference values of this centre. Authorities whose manifests count are public keys in `authorities/` (PEM, one key or
 * certificate per file); their manifests lie in `manifests/`.
 *
 * Under a development policy the centre is an authority itself: at each start it makes a manifest of the installation as
 * it finds it, so that `npm start` has reference values from the first minute. That says what the files were at that
 * moment and nothing about where they came from; production brings manifests of its own, and has no such authority.
 */
import type { KeyObject } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  authorityKeys,
  type Component,
  digestOfFile,
  type Manifest,
  ManifestFolder,
  type Measurement,
  manifestOfInstallation,
  type ReferenceValues,
  type RegisterValue,
  type SignedManifest,
  sha256,
  signManifest,
} from '@enerchain/attestation';
import { type Clock, EnerchainError, toIso, type UtcNanos } from '@enerchain/model';
import { FileKeySigner } from '@enerchain/pki';
import type { Signer } from '@enerchain/trust';
import type { Logger } from 'pino';

export interface AuthorityOptions {
  /** `trust` below the data folder. */
  readonly dir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Set under a development policy: the folder whose files it vouches for. */
  readonly installation?: string | undefined;
  /** Set under a development policy: files of nodes it vouches for, path by component name by node. */
  readonly nodes?: ReadonlyMap<string, ReadonlyMap<string, string>> | undefined;
  /** Set under a development policy: golden values of the boot of every node with a TPM. */
  readonly boot?: readonly RegisterValue[] | undefined;
}

const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;
/** How long what a development authority says holds. */
const DEVELOPMENT_LIFE = 3650n * DAY;
/** Old and new hold together for so long, so that nodes can be updated one after the other. */
const OVERLAP = 600n * SECOND;
const SIGNER = 'development authority';
/** Components that are particular to a node. */
const OF_NODE = /^(?:config|device):/;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export class Authorities {
  readonly #options: AuthorityOptions;
  /** Public keys whose manifests count, by key identifier (hex). */
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly #readKeys: () => Promise<void>;
  readonly #folder: ManifestFolder;
  readonly #development: Signer | undefined;
  /** Whether a manifest of the installation was made at this start because it differs from the one before. */
  readonly changed: boolean;

  private constructor(
    options: AuthorityOptions,
    keys: ReadonlyMap<string, KeyObject>,
    folder: ManifestFolder,
    development: Signer | undefined,
    changed: boolean,
    readKeys: () => Promise<void>,
  ) {
    this.#options = options;
    this.keys = keys;
    this.#readKeys = readKeys;
    this.#folder = folder;
    this.#development = development;
    this.changed = changed;
  }

  /** @throws EnerchainError `centre.trust.authority` when the key or a folder cannot be used */
  static async open(options: AuthorityOptions): Promise<Authorities> {
    const { dir, logger, installation, nodes, boot } = options;
    const development = installation === undefined ? undefined : await developmentKey(dir);
    const keys = new Map<string, KeyObject>();
    const readKeys = async () => {
      for (const [kid, key] of await keysIn(join(dir, 'authorities'), logger)) keys.set(kid, key);
    };
    await readKeys();
    if (development) keys.set(hex(kidOf(development)), development.publicKey);
    const folder = await ManifestFolder.open(
      join(dir, 'manifests'),
      (kid) => keys.get(hex(kid)),
      (file, reason) => logger.warn({ file, reason }, 'a manifest is not used'),
    );
    if (!development || installation === undefined)
      return new Authorities(options, keys, folder, undefined, false, readKeys);
    const changed = await vouchForInstallation(folder, development, installation, options);
    const authorities = new Authorities(options, keys, folder, development, changed, readKeys);
    for (const [node, files] of nodes ?? []) await authorities.#vouchForFiles(node, files);
    if (boot) await authorities.#vouchForBoot(boot);
    return authorities;
  }

  get references(): ReferenceValues {
    return this.#folder.values;
  }

  /** Takes in keys and manifests that were put into the folders since. */
  async look(): Promise<void> {
    await this.#readKeys();
    if (await this.#folder.look()) this.#options.logger.info('manifests were put into the folder');
  }

  /** Takes in a manifest of an authority. @throws EnerchainError when it is not one that counts here */
  add(bytes: Uint8Array): Promise<SignedManifest> {
    return this.#folder.add(bytes);
  }

  /**
   * Development only: what is particular to a node, and seen for the first time, is taken as right. Whoever is there first
   * decides; what differs later is found.
   * @returns whether anything was taken as right
   */
  async acceptFirst(node: string, measurements: readonly Measurement[]): Promise<boolean> {
    if (!this.#development) return false;
    const fresh = measurements.filter(({ name, ok, expected }) => !ok && OF_NODE.test(name) && expected?.length === 0);
    if (fresh.length === 0) return false;
    const components = fresh.map(({ name, digest }) => ({ name, digest: Buffer.from(digest, 'hex') }));
    await this.#signFor(node, components);
    this.#options.logger.info(
      { node, names: fresh.map(({ name }) => name) },
      'taken as right: seen for the first time',
    );
    return true;
  }

  async #vouchForFiles(node: string, files: ReadonlyMap<string, string>): Promise<void> {
    const components: Component[] = [];
    for (const [name, path] of files) {
      try {
        components.push({ name, digest: await digestOfFile(path) });
      } catch {
        this.#options.logger.warn({ node, path }, 'a file of a node cannot be read and is not vouched for');
      }
    }
    const now = this.#options.clock.now();
    const snapshot = this.references.at(now);
    if (components.every(({ name, digest }) => snapshot.check(node, name, digest).verdict === 'known')) return;
    // What the node had before is no longer right: its files are those that it is started with now.
    for (const each of this.references.all()) {
      if (each.manifest.node === node && each.manifest.signer === SIGNER) {
        await this.#folder.withdraw(each.digest, now + OVERLAP);
      }
    }
    await this.#signFor(node, components);
  }

  async #vouchForBoot(registers: readonly RegisterValue[]): Promise<void> {
    const snapshot = this.references.at(this.#options.clock.now());
    const known = ({ pcr, digest }: RegisterValue) => snapshot.checkRegister('', pcr, digest).verdict === 'known';
    if (!registers.every(known)) await this.#sign({ id: 'boot of the nodes', components: [], registers });
  }

  #signFor(node: string, components: readonly Component[]): Promise<void> {
    return this.#sign({ id: `files of ${node}`, node, components, registers: [] });
  }

  async #sign(content: Pick<Manifest, 'id' | 'node' | 'components' | 'registers'>): Promise<void> {
    const signer = this.#development as Signer;
    const now = secondOf(this.#options.clock.now());
    const manifest = {
      ...content,
      version: Number(now / SECOND),
      signer: SIGNER,
      notBefore: now,
      notAfter: now + DEVELOPMENT_LIFE,
    };
    await this.#folder.add((await signManifest(manifest, signer, kidOf(signer))).bytes);
  }
}

const kidOf = (signer: Signer): Uint8Array => sha256(signer.publicKey.export({ type: 'spki', format: 'der' }));
const secondOf = (at: UtcNanos): UtcNanos => (at / SECOND) * SECOND;

/** @returns whether there was another one before */
async function vouchForInstallation(
  folder: ManifestFolder,
  signer: Signer,
  root: string,
  { clock, logger }: AuthorityOptions,
): Promise<boolean> {
  const started = clock.monotonic();
  const now = secondOf(clock.now());
  const manifest = await manifestOfInstallation({
    root,
    id: 'the installation as it was found',
    version: Number(now / SECOND),
    signer: SIGNER,
    notBefore: now,
    notAfter: now + DEVELOPMENT_LIFE,
  });
  const mine = folder.values
    .all()
    .filter((each) => each.manifest.signer === SIGNER && each.manifest.node === undefined);
  const valid = mine.filter((each) => now < folder.values.endOf(each));
  const key = keyOf(manifest.components);
  const same = valid.find((each) => keyOf(each.manifest.components) === key);
  const took = `${Math.round(clock.monotonic() - started)} ms`;
  if (same) {
    logger.info({ files: manifest.components.length, took }, 'the installation is as the last manifest of it says');
    return false;
  }
  for (const each of valid) await folder.withdraw(each.digest, now + OVERLAP);
  const { digest } = await folder.add((await signManifest(manifest, signer, kidOf(signer))).bytes);
  const until = valid.length > 0 ? toIso(now + OVERLAP) : undefined;
  logger.info(
    { files: manifest.components.length, took, digest, ...(until ? { oldOneUntil: until } : {}) },
    'a manifest of the installation was made by the development authority',
  );
  return mine.length > 0;
}

function keyOf(components: readonly Component[]): string {
  const lines = components.map(({ name, digest }) => `${name} ${hex(digest)}`).sort();
  return hex(sha256(Buffer.from(lines.join('\n'))));
}

async function developmentKey(dir: string): Promise<Signer> {
  const file = join(dir, 'development.key');
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const files = await readdir(dir);
    return files.includes('development.key') ? await FileKeySigner.load(file) : await FileKeySigner.create(file);
  } catch (cause) {
    throw new EnerchainError('environment', 'centre.trust.authority', `the key ${file} cannot be used`, { cause });
  }
}

/** Public keys by key identifier. */
async function keysIn(dir: string, logger: Logger): Promise<Map<string, KeyObject>> {
  const keys = new Map<string, KeyObject>();
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const file of (await readdir(dir)).filter((name) => name.endsWith('.pem'))) {
    try {
      const pem = await readFile(join(dir, file), 'utf8');
      for (const [kid, key] of authorityKeys(pem)) keys.set(kid, key);
    } catch (error) {
      logger.warn({ file, error: String(error) }, 'the key of an authority cannot be read');
    }
  }
  return keys;
}
