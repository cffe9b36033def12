/**
 * The anchor: what a verifier believes before it looks at a receipt. It comes from whoever runs the system, once and by
 * another way than the receipts, and is a JSON file that people can read.
 */
import type { KeyObject } from 'node:crypto';
import { TrustPolicy } from '@enerchain/attestation';
import { describeError, EnerchainError, fromIso, type UtcNanos, validator } from '@enerchain/model';
import type { Certificate } from '@enerchain/pki';
import { readBundle } from '@enerchain/trust';
import Type from 'typebox';
import { publicKey } from '../log/witness.ts';

const Pem = Type.String({ minLength: 1, maxLength: 20_000 });

export const AnchorFile = Type.Object(
  {
    format: Type.Literal('enerchain-anchor/1'),
    /** Name of the log. */
    origin: Type.String({ pattern: '^[a-z0-9][a-z0-9_./-]{0,99}$' }),
    /** PEM of the public key that signs checkpoints. */
    logKey: Pem,
    /** PEM of the authorities that certify sources, verifiers and the centre: each with the issuing certificates under it. */
    authorities: Type.Array(Pem, { minItems: 1, maxItems: 16 }),
    /** Witnesses of the log. */
    witnesses: Type.Array(Type.Object({ name: Type.String({ minLength: 1, maxLength: 100 }), key: Pem }), {
      maxItems: 256,
    }),
    /** How many of them must have cosigned a checkpoint. */
    quorum: Type.Integer({ minimum: 0, maximum: 64 }),
    policy: TrustPolicy,
    /** Certificates that are no longer trusted: SHA-256 in hex, and from when on. */
    revoked: Type.Array(
      Type.Object({ fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$' }), at: Type.String({ maxLength: 40 }) }),
      { maxItems: 100_000 },
    ),
  },
  { additionalProperties: false, $id: 'Anchor' },
);
export type AnchorFile = Type.Static<typeof AnchorFile>;

export interface Anchor {
  readonly origin: string;
  readonly logKey: KeyObject;
  readonly authorities: readonly Certificate[];
  /** Issuing certificates under them. */
  readonly issuing: readonly Certificate[];
  readonly witnesses: ReadonlyMap<string, KeyObject>;
  readonly quorum: number;
  readonly policy: TrustPolicy;
  /** From when on a certificate is not trusted, by thumbprint in hex. */
  readonly revoked: ReadonlyMap<string, UtcNanos>;
}

const file = validator(AnchorFile);

/** @throws EnerchainError `provenance.anchor` (fault caller) with what is wrong in the file */
export function readAnchor(json: unknown): Anchor {
  try {
    const { origin, logKey, authorities, witnesses, quorum, policy, revoked } = file.parse(json, 'the anchor');
    const bundles = authorities.map(readBundle);
    return {
      origin,
      logKey: publicKey(logKey),
      authorities: bundles.map((bundle) => bundle.anchor),
      issuing: bundles.flatMap(({ issuing }) => issuing),
      witnesses: new Map(witnesses.map(({ name, key }) => [name, publicKey(key)])),
      quorum,
      policy,
      revoked: new Map(revoked.map(({ fingerprint, at }) => [fingerprint, fromIso(at)])),
    };
  } catch (cause) {
    throw new EnerchainError('caller', 'provenance.anchor', `the anchor cannot be used: ${describeError(cause)}`, {
      cause,
    });
  }
}

/** @param text JSON. @throws EnerchainError `provenance.anchor` (fault caller) */
export function parseAnchor(text: string): Anchor {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new EnerchainError('caller', 'provenance.anchor', 'the anchor is no JSON', { cause });
  }
  return readAnchor(json);
}
