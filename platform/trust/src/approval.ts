/**
 * A command approved by a second person: their authenticator signs the hash of what is to be done. The edge verifies it by
 * a list of keys that it holds itself, so that the centre alone, or who has taken it over, cannot be the second person.
 */
import { createHash } from 'node:crypto';
import { type Command, type CommandApproval, EnerchainError, type OperatorKeyList } from '@enerchain/model';
import { encodeCbor } from './cbor.ts';
import { operatorKeyOf } from './operator-keys.ts';
import { verifyAssertion } from './webauthn.ts';

/** Domain of what is hashed, so that no signature over one thing is one over another. */
const LABEL = 'enerchain-command-approval-1';

/** What is approved: select and operate of one command, by one person, at one edge, in one of its sessions. */
export interface ApprovalSubject {
  readonly id: string;
  readonly point: string;
  readonly value: number;
  readonly target: string;
  readonly test: boolean;
  /** Who asks for it; never who approves. */
  readonly requestedBy: string;
  /** A challenge of the edge, hex. */
  readonly session: string;
}

/** SHA-256 over the deterministic CBOR of the subject, in the order of its fields, behind the label: the WebAuthn challenge. */
export function approvalChallenge(subject: ApprovalSubject): Uint8Array {
  const { id, point, value, target, test, requestedBy, session } = subject;
  // As text: a number has one shortest text, and CBOR would write 1 and 1.0 alike.
  const fields = [LABEL, id, point, String(value), target, test, requestedBy, Buffer.from(session, 'hex')];
  return createHash('sha256').update(encodeCbor(fields)).digest();
}

const refuse = (code: string, text: string) => new EnerchainError('peer', `trust.approval.${code}`, text);
const octets = (text: string) => Buffer.from(text, 'base64url');

/** @throws EnerchainError `trust.webauthn.*` (fault peer) @returns the counter of the authenticator */
export function verifyApproval(
  approval: CommandApproval,
  subject: ApprovalSubject,
  key: Parameters<typeof verifyAssertion>[1],
  rpId: string,
  previous?: number,
): number {
  const response = {
    clientDataJSON: octets(approval.clientData),
    authenticatorData: octets(approval.authenticatorData),
    signature: octets(approval.signature),
  };
  return verifyAssertion(response, key, { challenge: approvalChallenge(subject), rpId }, previous);
}

/**
 * Whether a command carries the approval of a second person.
 * @param knows whether a challenge is one of this session of the edge, and recent: that bounds the age of the approval
 * @returns the name of the second person
 * @throws EnerchainError (fault peer) `trust.approval.missing`, `.key`, `.self`, `.session`, `trust.webauthn.*`
 */
export function checkApproval(
  command: Command,
  list: OperatorKeyList | undefined,
  knows: (session: string) => boolean,
): string {
  const [approval] = command.approvals ?? [];
  if (!approval) throw refuse('missing', 'a second person has to approve it, and nobody has');
  const requestedBy = command.origin.orIdent;
  const key = list?.keys.find(({ credentialId }) => credentialId === approval.credential);
  if (!key) throw refuse('key', 'it was approved with a key that is not on the list of operators held here');
  if (key.name === requestedBy) throw refuse('self', `${requestedBy} approved the own command; it takes two`);
  if (!knows(approval.session)) {
    throw refuse('session', `the approval of ${key.name} is old, or was given in another session`);
  }
  const { id, point, value, target, test = false } = command;
  const subject = { id, point, value, target, test, requestedBy, session: approval.session };
  verifyApproval(approval, subject, operatorKeyOf(key), key.rpId);
  return key.name;
}
