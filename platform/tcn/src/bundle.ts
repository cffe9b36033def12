/**
 * What the centre gives to every node so that it can appraise by itself, also when the centre is away: the policy, reference
 * values with the keys of those who vouch for them, and what was revoked. COSE_Sign1 by the centre, typ
 * `enerchain-tcn-bundle`; neighbours pass it on to each other, and the newest counts.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { ReferenceValues, readManifest, TrustPolicy } from '@enerchain/attestation';
import { EnerchainError, type UtcNanos, validator } from '@enerchain/model';
import { CborReader, coseParse1, coseSign1, coseVerify1, encodeCbor, type Signer } from '@enerchain/trust';
import type { KeyDirectory } from './keys.ts';
import { bounded, readList } from './tap/request.ts';

export const BUNDLE_TYPE = 'enerchain-tcn-bundle';
/** Largest bundle, in octets; a manifest of a whole installation has half a megabyte. */
export const MAX_BUNDLE = (4 << 20) - (64 << 10);
const LIMITS = { authorities: 64, manifests: 512, revoked: 10_000, key: 1024, policy: 1 << 20 } as const;

export interface TrustBundle {
  /** Grows with each one; milliseconds of the centre's clock at least. */
  readonly sequence: number;
  readonly policy: TrustPolicy;
  /** Keys whose manifests count: key identifier and SPKI DER. */
  readonly authorities: readonly { readonly kid: Uint8Array; readonly spki: Uint8Array }[];
  /** Signed manifests, and from when on each one holds no more although its own end has not come. */
  readonly manifests: readonly { readonly bytes: Uint8Array; readonly until: UtcNanos | undefined }[];
  /** SHA-256 of certificates that are no longer accepted. */
  readonly revoked: readonly Uint8Array[];
}

const policies = validator(TrustPolicy, 'peer');

export function signBundle(signer: Signer, kid: Uint8Array, bundle: TrustBundle): Promise<Uint8Array> {
  const payload = encodeCbor([
    bundle.sequence,
    JSON.stringify(bundle.policy),
    bundle.authorities.map((each) => [each.kid, each.spki]),
    bundle.manifests.map(({ bytes, until }) => [bytes, until ?? null]),
    bundle.revoked,
  ]);
  return coseSign1(signer, kid, BUNDLE_TYPE, payload);
}

/** Whose key signed a bundle, so that its certificate can be asked for. @throws EnerchainError (fault peer) */
export const bundleSigner = (bytes: Uint8Array): Uint8Array => coseParse1(bounded(bytes, 'the bundle', MAX_BUNDLE)).kid;

/**
 * @throws EnerchainError `tcn.bundle` (fault peer) when it was not signed by a centre, or is none; `cose.kid` when the
 *   certificate of who signed it is not known
 */
export function readBundle(bytes: Uint8Array, keys: KeyDirectory): TrustBundle {
  bounded(bytes, 'the bundle', MAX_BUNDLE);
  const { payload } = coseVerify1(bytes, BUNDLE_TYPE, (kid) => {
    const known = keys.keyOf(kid);
    if (known && known.role !== 'centre') {
      throw new EnerchainError(
        'peer',
        'tcn.bundle',
        `${known.role} ${known.name} is no centre; its bundle was not used`,
      );
    }
    return known?.key;
  });
  const reader = new CborReader(payload);
  reader.array('bundle', 5);
  const sequence = reader.uint('sequence');
  const policy = policies.parse(json(reader.text('policy', LIMITS.policy)), 'the policy in the bundle');
  const authorities = readList(reader, 'authorities', LIMITS.authorities, () => {
    reader.array('authority', 2);
    return {
      kid: reader.bytes('key identifier', 32).slice(),
      spki: bounded(reader.bytes('key'), 'a key', LIMITS.key).slice(),
    };
  });
  const manifests = readList(reader, 'manifests', LIMITS.manifests, () => {
    reader.array('manifest', 2);
    const manifest = reader.bytes('manifest').slice();
    if (reader.peek() !== 7) return { bytes: manifest, until: reader.int64('end') };
    reader.value();
    return { bytes: manifest, until: undefined };
  });
  const revoked = readList(reader, 'revoked certificates', LIMITS.revoked, () =>
    reader.bytes('fingerprint', 32).slice(),
  );
  reader.end();
  return { sequence, policy, authorities, manifests, revoked };
}

/** The reference values of a bundle; a manifest that cannot be read is told and left out. */
export function referencesOf(bundle: TrustBundle, onRefused: (error: unknown) => void): ReferenceValues {
  const keys = new Map<string, KeyObject>();
  for (const { kid, spki } of bundle.authorities) {
    try {
      const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
      keys.set(Buffer.from(kid).toString('hex'), key);
    } catch (error) {
      onRefused(error);
    }
  }
  const values = new ReferenceValues();
  for (const { bytes, until } of bundle.manifests) {
    try {
      const signed = readManifest(bytes, (kid) => keys.get(Buffer.from(kid).toString('hex')));
      values.add(signed);
      if (until !== undefined) values.withdraw(signed.digest, until);
    } catch (error) {
      onRefused(error);
    }
  }
  return values;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new EnerchainError('peer', 'tcn.bundle', 'the policy in the bundle is not JSON', { cause });
  }
}
