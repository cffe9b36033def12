/** The proof of a software attester: identity key → alias key → claims. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';
import { coseVerify1, type HeldCertificate } from '@enerchain/trust';
import { ALIAS_TYP, decodeAlias, EVIDENCE_TYP, type Evidence, type SoftwareProof } from '../evidence.ts';
import { sha256 } from '../measure/list.ts';
import { firstLayer } from '../software-attester.ts';

/** The last alias of a node, so that it is checked once. */
export interface KnownAlias {
  readonly bytes: Uint8Array;
  readonly by: string;
  readonly key: KeyObject;
  readonly kid: Uint8Array;
  readonly layer: Uint8Array;
}

/** @throws EnerchainError (fault peer) when the alias key is not certified by the identity */
export function checkAlias(proof: SoftwareProof, identity: HeldCertificate, known: KnownAlias | undefined): KnownAlias {
  const by = Buffer.from(identity.kid).toString('hex');
  if (known?.by === by && Buffer.compare(known.bytes, proof.alias) === 0) return known;
  const { payload } = coseVerify1(proof.alias, ALIAS_TYP, (kid) =>
    Buffer.compare(kid, identity.kid) === 0 ? identity.publicKey : undefined,
  );
  const { node, spki, layer } = decodeAlias(payload);
  if (node !== identity.holder.name) {
    throw new EnerchainError('peer', 'attestation.alias', `the alias key was certified for ${node}`);
  }
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  // A copy: what came lies in the buffer of a whole message.
  return { bytes: proof.alias.slice(), by, key, kid: sha256(spki), layer: layer.slice() };
}

/** @throws EnerchainError `cose.*` (fault peer) when the claims are not signed with the alias key */
export function checkSignature(evidence: Evidence, proof: SoftwareProof, alias: KnownAlias): true {
  const { payload } = coseVerify1(proof.signature, EVIDENCE_TYP, (kid) =>
    Buffer.compare(kid, alias.kid) === 0 ? alias.key : undefined,
  );
  if (Buffer.compare(payload, sha256(evidence.claimsBytes)) !== 0) {
    throw new EnerchainError('peer', 'cose.signature', 'the signature is one over other claims');
  }
  return true;
}

/** Whether an alias key was made for the first layer that the list begins with. */
export const layerFits = (startRecord: Uint8Array, alias: KnownAlias): boolean =>
  Buffer.compare(firstLayer(startRecord), alias.layer) === 0;
