/** Elliptic keys as PKCS#11 describes them (PKCS#11 v2.40 mechanisms § 2.3.3): templates, and public keys out of attributes. */
import type { KeyObject } from 'node:crypto';
import { ALGORITHMS, SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../algorithm.ts';
import { DerReader } from '../der-reader.ts';
import { TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import { OID } from '../oid.ts';
import { publicKeyFrom } from '../signed.ts';
import type { Binding, Handle, Module } from './pkcs11-binding.ts';

/** Templates of a new key pair that stays in its token: sensitive, not extractable, for signing only. */
export function keyPairTemplates(binding: Binding, algorithm: SignatureAlgorithm, label: string, id: Uint8Array) {
  const common = [
    { type: binding.CKA_TOKEN, value: true },
    { type: binding.CKA_LABEL, value: label },
    { type: binding.CKA_ID, value: Buffer.from(id) },
    { type: binding.CKA_KEY_TYPE, value: binding.CKK_EC },
  ];
  const parameters = Buffer.from(der.objectIdentifier(ALGORITHMS[algorithm].curveOid));
  return {
    publicKey: [
      ...common,
      { type: binding.CKA_CLASS, value: binding.CKO_PUBLIC_KEY },
      { type: binding.CKA_PRIVATE, value: false },
      { type: binding.CKA_VERIFY, value: true },
      { type: binding.CKA_EC_PARAMS, value: parameters },
    ],
    privateKey: [
      ...common,
      { type: binding.CKA_CLASS, value: binding.CKO_PRIVATE_KEY },
      { type: binding.CKA_PRIVATE, value: true },
      { type: binding.CKA_SENSITIVE, value: true },
      { type: binding.CKA_EXTRACTABLE, value: false },
      { type: binding.CKA_SIGN, value: true },
      { type: binding.CKA_DERIVE, value: false },
    ],
  };
}

/** Handles of the elliptic keys of a class with a label. */
export function findKeys(binding: Binding, module: Module, session: Handle, type: number, label: string): Handle[] {
  module.C_FindObjectsInit(session, [
    { type: binding.CKA_CLASS, value: type },
    { type: binding.CKA_KEY_TYPE, value: binding.CKK_EC },
    { type: binding.CKA_LABEL, value: label },
  ]);
  try {
    return module.C_FindObjects(session, 16);
  } finally {
    module.C_FindObjectsFinal(session);
  }
}

/** @throws PkiError `pki.hsm.curve` (fault unsupported), or (fault peer) when the attributes are no key */
export function readPublicKey(
  binding: Binding,
  module: Module,
  session: Handle,
  key: Handle,
): { readonly publicKey: KeyObject; readonly algorithm: SignatureAlgorithm } {
  const [parameters, point] = module
    .C_GetAttributeValue(session, key, [{ type: binding.CKA_EC_PARAMS }, { type: binding.CKA_EC_POINT }])
    .map(({ value }) => Buffer.from(value as Buffer));
  return publicKeyOf(parameters!, point!);
}

/**
 * @param parameters DER of the curve's name
 * @param point DER of an OCTET STRING with the point, or, from tokens that take the standard's first edition at its word, the point
 */
export function publicKeyOf(
  parameters: Uint8Array,
  point: Uint8Array,
): { readonly publicKey: KeyObject; readonly algorithm: SignatureAlgorithm } {
  const curve =
    parameters[0] === TAG.objectIdentifier ? new DerReader(parameters).objectIdentifier('curve') : 'unnamed';
  const algorithm = SIGNATURE_ALGORITHMS.find((name) => ALGORITHMS[name].curveOid === curve);
  if (!algorithm) throw new PkiError('unsupported', 'pki.hsm.curve', `the key in the HSM is on the curve ${curve}`);
  // Both begin with 4: as a tag, and as the mark of a point that is not compressed.
  const bare = point.length === 1 + 2 * ALGORITHMS[algorithm].size;
  const octets = bare ? point : new DerReader(point).octetString('point');
  const identifier = der.sequence(der.objectIdentifier(OID.ecPublicKey), der.objectIdentifier(curve));
  return { publicKey: publicKeyFrom(der.sequence(identifier, der.bitString(octets))), algorithm };
}
