/**
 * The keys of the operators' authenticators: a list that the centre signs and the edges hold. Each version names its keys in
 * full and is one more than the one before; it is taken only when an authenticator on that one has signed it too. So whoever
 * has the centre alone cannot add a key. The first list an edge is given has nobody to vouch for it: it is taken as the
 * centre gives it, like the identity at enrolment.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { EnerchainError, ListApproval, type OperatorKey, OperatorKeyList, validator } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import { CborReader, decodeCbor, encodeCbor } from './cbor.ts';
import { coseSign1, coseVerify1 } from './cose.ts';
import { verifyAssertion } from './webauthn.ts';

/** `typ` of a signed list. */
export const OPERATORS_TYPE = 'enerchain-operators';
/** Request of the centre to an edge, `{ documents: [bstr] }` oldest first, answered with the version it holds now. */
export const OPERATORS_METHOD = 'operators.list';
const LABEL = 'enerchain-operators-approval-1';
const MAX_DOCUMENT_BYTES = 1 << 20;

const lists = validator(OperatorKeyList, 'peer');
const approvals = validator(ListApproval, 'peer');
const refuse = (code: string, text: string) => new EnerchainError('peer', `trust.operators.${code}`, text);
const octets = (text: string) => Buffer.from(text, 'base64url');

export const encodeOperatorList = (list: OperatorKeyList): Uint8Array => encodeCbor(list);
export const decodeOperatorList = (payload: Uint8Array): OperatorKeyList => {
  const list = lists.parse(decodeCbor(payload), 'the list of operators');
  if (new Set(list.keys.map(({ credentialId }) => credentialId)).size !== list.keys.length) {
    throw refuse('twice', 'the list of operators names a credential twice');
  }
  return list;
};

/** The WebAuthn challenge of a list: what an authenticator on the list before signs. */
export function operatorListChallenge(payload: Uint8Array): Uint8Array {
  return createHash('sha256')
    .update(encodeCbor([LABEL, createHash('sha256').update(payload).digest()]))
    .digest();
}

/** @throws EnerchainError `trust.operators.key` (fault peer) */
export function operatorKeyOf({ publicKey, name }: OperatorKey): KeyObject {
  try {
    const key = createPublicKey({ key: octets(publicKey), format: 'der', type: 'spki' });
    const curve = key.asymmetricKeyType === 'ec' ? key.asymmetricKeyDetails?.namedCurve : key.asymmetricKeyType;
    if (curve === 'prime256v1' || curve === 'ed25519') return key;
  } catch {
    // Said below.
  }
  throw refuse('key', `the key of ${name} is neither one of P-256 nor of Ed25519`);
}

/** Verifies what a key on `list` has signed over the payload of the next. @throws EnerchainError @returns its counter */
export function verifyListApproval(
  approval: ListApproval,
  payload: Uint8Array,
  list: OperatorKeyList,
  previous?: number,
): number {
  const key = list.keys.find(({ credentialId }) => credentialId === approval.credential);
  if (!key) throw refuse('approval', 'the list was approved with a key that is not on the one before');
  const response = {
    clientDataJSON: octets(approval.clientData),
    authenticatorData: octets(approval.authenticatorData),
    signature: octets(approval.signature),
  };
  const expected = { challenge: operatorListChallenge(payload), rpId: key.rpId };
  return verifyAssertion(response, operatorKeyOf(key), expected, previous);
}

/** A list on its way: `[COSE_Sign1 of the centre, assertion of an operator or null]`. */
export async function signOperatorList(
  signer: Signer,
  kid: Uint8Array,
  payload: Uint8Array,
  approval: ListApproval | undefined,
): Promise<Uint8Array> {
  return encodeCbor([await coseSign1(signer, kid, OPERATORS_TYPE, payload), approval ?? null]);
}

/**
 * Takes a list off the link.
 * @param held the one held until now; undefined for the first one
 * @throws EnerchainError (fault peer) `trust.operators.version` when it is not the next, `.approval`, `cose.*`,
 *   `cbor.malformed`, `model.invalid`, `trust.webauthn.*`
 */
export function acceptOperatorList(
  document: Uint8Array,
  held: OperatorKeyList | undefined,
  keyOf: (kid: Uint8Array) => KeyObject | undefined,
): OperatorKeyList {
  if (document.length > MAX_DOCUMENT_BYTES) throw refuse('size', 'the list of operators is too long');
  const reader = new CborReader(document);
  reader.array('operators', 2);
  const { payload } = coseVerify1(reader.bytes('signed list'), OPERATORS_TYPE, keyOf);
  const approval = reader.value();
  reader.end();
  const list = decodeOperatorList(payload);
  for (const key of list.keys) operatorKeyOf(key);
  if (!held) return list;
  if (list.version !== held.version + 1) {
    throw refuse(
      'version',
      `version ${list.version} of the list of operators does not follow ${held.version}, which is held here`,
    );
  }
  if (approval === null)
    throw refuse(
      'approval',
      `version ${list.version} of the list of operators is approved by nobody on the one before`,
    );
  verifyListApproval(approvals.parse(approval, 'the approval of a list'), payload, held);
  return list;
}
