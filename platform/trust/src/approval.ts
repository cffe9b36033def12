/**
 * A command approved by a second person: their authenticator signs the hash of what is to be done. The edge verifies it by
 * a list of keys that it holds itself, so that the centre alone, or who has taken it over, cannot be the second person.
 */
import { createHash } from 'node:crypto';
import {
  type Command,
  type CommandApproval,
  EnerchainError,
  type OperatorKey,
  type OperatorKeyList,
} from '@enerchain/model';
import { encodeCbor } from './cbor.ts';
import { operatorKeyOf } from './operator-keys.ts';
import { verifyAssertion } from './webauthn.ts';

/** Domains of what is hashed, so that no signature over one thing is one over another. */
const LABEL = 'enerchain-command-approval-1';
const BREAK_GLASS_LABEL = 'enerchain-break-glass-1';

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
  /** The reason of who breaks the glass, and signs that with the own authenticator; absent in an approval. */
  readonly breakGlass?: string;
}

/** SHA-256 over the deterministic CBOR of the subject, in the order of its fields, behind the label: the WebAuthn challenge. */
export function approvalChallenge(subject: ApprovalSubject): Uint8Array {
  const { id, point, value, target, test, requestedBy, session, breakGlass } = subject;
  // As text: a number has one shortest text, and CBOR would write 1 and 1.0 alike.
  const fields = [id, point, String(value), target, test, requestedBy, Buffer.from(session, 'hex')];
  const all = breakGlass === undefined ? [LABEL, ...fields] : [BREAK_GLASS_LABEL, ...fields, breakGlass];
  return createHash('sha256').update(encodeCbor(all)).digest();
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
  const { approval, key } = signedBy(command, list, 'a second person has to approve it, and nobody has');
  const requestedBy = command.origin.orIdent;
  if (key.name === requestedBy) throw refuse('self', `${requestedBy} approved the own command; it takes two`);
  verify(command, approval, key, knows);
  return key.name;
}

/**
 * Whether who breaks the glass has signed that with the own authenticator, so that no centre can do it by itself.
 * @throws EnerchainError as `checkApproval`; `.self` when somebody else has signed it
 */
export function checkBreakGlass(
  command: Command,
  list: OperatorKeyList | undefined,
  knows: (session: string) => boolean,
): string {
  const { approval, key } = signedBy(command, list, 'who breaks the glass has to sign it with an authenticator');
  const requestedBy = command.origin.orIdent;
  if (key.name !== requestedBy) throw refuse('self', `${key.name} signed what ${requestedBy} is said to have done`);
  verify(command, approval, key, knows);
  return key.name;
}

function signedBy({ approvals }: Command, list: OperatorKeyList | undefined, missing: string) {
  const [approval] = approvals ?? [];
  if (!approval) throw refuse('missing', missing);
  const key = list?.keys.find(({ credentialId }) => credentialId === approval.credential);
  if (!key) throw refuse('key', 'it was signed with a key that is not on the list of operators held here');
  return { approval, key };
}

function verify(
  command: Command,
  approval: CommandApproval,
  key: OperatorKey,
  knows: (session: string) => boolean,
): void {
  const { session } = approval;
  if (!knows(session)) throw refuse('session', `what ${key.name} signed is old, or was given in another session`);
  const { id, point, value, target, test = false, origin, breakGlass } = command;
  const subject = { id, point, value, target, test, requestedBy: origin.orIdent, session };
  const whole = breakGlass ? { ...subject, breakGlass: breakGlass.reason } : subject;
  verifyApproval(approval, whole, operatorKeyOf(key), key.rpId);
}
