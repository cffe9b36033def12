/** `enerchain attest …`: the tools of who vouches for software, and of who wants to check. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  authorityKeys,
  type Component,
  decodeEvidence,
  decodeManifest,
  decodeRecord,
  decodeResult,
  digestOfFile,
  installationRoot,
  isGood,
  isOpaque,
  type Manifest,
  measureInstallation,
  RESULT_TYP,
  ReferenceValues,
  readManifest,
  sha256,
  signManifest,
  trustPolicy,
  Verifier,
} from '@enerchain/attestation';
import { EnerchainError, fromIso, systemClock, toIso } from '@enerchain/model';
import { FileKeySigner } from '@enerchain/pki';
import { coseParse1, type Signer } from '@enerchain/trust';
import { installation } from '../installation.ts';
import { wholeNumber } from '../options.ts';

const SECOND = 1_000_000_000n;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

export interface ManifestOptions {
  readonly key: string;
  readonly root?: string;
  readonly node?: string;
  readonly file?: readonly string[];
  readonly site?: string;
  readonly id: string;
  readonly signer: string;
  readonly days: string;
  readonly out: string;
}

export async function manifest(options: ManifestOptions): Promise<void> {
  const signer = existsSync(options.key)
    ? await FileKeySigner.load(options.key)
    : await FileKeySigner.create(options.key);
  const node = options.node ?? (options.site ? (await import('./up.ts')).sourceOf(options.site) : undefined);
  const components = node ? await componentsOf(options) : await ofInstallation(options.root);
  if (components.length === 0) {
    throw new EnerchainError('caller', 'cli.option', 'name the files of the node with --file or --site');
  }
  const now = (systemClock.now() / SECOND) * SECOND;
  const days = BigInt(wholeNumber(options.days, '--days', 1, 36_500));
  const content: Manifest = {
    id: options.id,
    version: Number(now / SECOND),
    signer: options.signer,
    notBefore: now,
    notAfter: now + days * 86_400n * SECOND,
    ...(node ? { node } : {}),
    components,
    registers: [],
  };
  const spki = signer.publicKey.export({ type: 'spki', format: 'der' });
  const { bytes, digest } = await signManifest(content, signer, sha256(spki));
  const file = join(options.out, `${digest}.corim`);
  writeFileSync(file, bytes);
  const keyFile = join(options.out, `${options.signer.replace(/[^A-Za-z0-9_.-]/g, '-')}.pem`);
  writeFileSync(keyFile, signer.publicKey.export({ type: 'spki', format: 'pem' }));
  say(`${file}: ${components.length} components${node ? ` of ${node}` : ''}, until ${toIso(content.notAfter)}`);
  say(
    `${keyFile}: the public key. Put it into trust/authorities/ of the centre, and the manifest into trust/manifests/.`,
  );
}

function ofInstallation(root: string | undefined): Promise<Component[]> {
  return measureInstallation(root === undefined ? installation() : installationRoot(join(resolve(root), 'any')));
}

async function componentsOf({ file = [], site }: ManifestOptions): Promise<Component[]> {
  const paths = new Map(site ? (await import('@enerchain/edge')).measuredFiles(site) : []);
  for (const each of file) {
    const at = each.indexOf('=');
    if (at < 1) throw new EnerchainError('caller', 'cli.option', `--file ${each}: expected <name>=<path>`);
    paths.set(each.slice(0, at), each.slice(at + 1));
  }
  return Promise.all([...paths].map(async ([name, path]) => ({ name, digest: await digestOfFile(path) })));
}

/** A file of one of three kinds, as an object that can be printed. */
function read(bytes: Uint8Array): Record<string, unknown> {
  try {
    const message = coseParse1(bytes);
    if (message.typ === RESULT_TYP) return { kind: 'result', ...decodeResult(message.payload) };
    const content = decodeManifest(message.payload);
    return { kind: 'manifest', digest: hex(sha256(bytes)), signedBy: hex(message.kid), ...content };
  } catch (first) {
    try {
      const { tier, claims, proof } = decodeEvidence(bytes);
      const records = claims.records.map((record) => (isOpaque(record) ? hex(record) : decodeRecord(record)));
      return { kind: 'evidence', tier, digest: hex(sha256(bytes)), ...claims, records, proof };
    } catch {
      throw new EnerchainError('caller', 'cli.attest', 'this is no manifest, no evidence and no result', {
        cause: first,
      });
    }
  }
}

const plain = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return toIso(value);
  if (value instanceof Uint8Array) return hex(value);
  if (value instanceof Map) return Object.fromEntries(value);
  // Buffers have turned themselves into this by now.
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
  return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data as number[]).toString('hex') : value;
};

export function show(file: string, { json = false }: { readonly json?: boolean }): void {
  const content = read(readFileSync(file));
  if (json) say(JSON.stringify(content, plain));
  else say(JSON.stringify(content, plain, 2));
}

export interface AppraiseOptions {
  readonly node: string;
  readonly ca: string;
  readonly manifest: readonly string[];
  readonly authority: readonly string[];
  readonly binding?: string;
  readonly at?: string;
  readonly policy: string;
  readonly json?: boolean;
}

export async function appraise(file: string, options: AppraiseOptions): Promise<void> {
  const evidence = readFileSync(file);
  const keys = new Map(options.authority.flatMap((each) => authorityKeys(readFileSync(each, 'utf8'))));
  const references = new ReferenceValues();
  for (const each of options.manifest) references.add(readManifest(readFileSync(each), (kid) => keys.get(hex(kid))));
  const at = options.at === undefined ? systemClock.now() : fromIso(options.at);
  const verifier = new Verifier({
    name: 'enerchain-attest',
    signer: throwaway(),
    kid: () => new Uint8Array(32),
    clock: { now: () => at, monotonic: () => systemClock.monotonic() },
    policy: () => trustPolicy(options.policy),
    references,
    caPem: readFileSync(options.ca, 'utf8'),
  });
  const [first] = decodeEvidence(evidence).claims.bindings;
  const binding = options.binding === undefined ? (first as Uint8Array) : Buffer.from(options.binding, 'hex');
  const { result } = await verifier.appraise(evidence, { node: options.node, binding });
  if (options.json) say(JSON.stringify(result, plain));
  else {
    say(`${result.node}: ${result.status} (${result.tier}), policy ${result.policy}`);
    for (const [claim, value] of Object.entries(result.vector)) say(`  ${claim}: ${value}`);
    for (const reason of result.reasons) say(`  ${reason}`);
    if (options.binding === undefined) say('  The binding was not checked: this may be an old answer.');
  }
  process.exitCode = isGood(result) ? 0 : 1;
}

/** The result is printed and not sent: nobody has to know the key. */
function throwaway(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    algorithm: 'ES256',
    origin: 'file',
    publicKey,
    sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}
