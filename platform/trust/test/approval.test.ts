import { type Command, newMrid, type OperatorKeyList } from '@enerchain/model';
import { describe, expect, it } from 'vitest';
import { type ApprovalSubject, approvalChallenge, checkApproval, checkBreakGlass } from '../src/index.ts';
import { approvalSubject, SoftwareAuthenticator } from './authenticator.ts';

const anna = new SoftwareAuthenticator('anna');
const bert = new SoftwareAuthenticator('bert');
const eve = new SoftwareAuthenticator('eve');
const list: OperatorKeyList = { version: 1, keys: [anna.entry, bert.entry] };
const session = '0f'.repeat(16);

const subject = approvalSubject({ session });
const commandOf = ({ id, point, value, target, test, requestedBy }: ApprovalSubject): Command => ({
  id,
  point,
  action: 'operate',
  value,
  validFor: 5000,
  issuedAt: '1',
  origin: { orCat: 'remoteControl', orIdent: requestedBy },
  target,
  ...(test ? { test } : {}),
  session: 'ab'.repeat(16),
  elapsed: 0,
  counter: 1,
});
const outcome = (command: Command, knows = (name: string) => name === session) => {
  try {
    return checkApproval(command, list, knows);
  } catch (error) {
    return (error as { code: string }).code;
  }
};
const command = commandOf(subject);

describe('a command that needs a second person', () => {
  it('passes with the approval of one, for select and operate alike', () => {
    const approvals = [bert.approve(subject)];
    expect(outcome({ ...command, approvals })).toBe('bert');
    expect(outcome({ ...command, action: 'select', approvals })).toBe('bert');
  });

  it('does not pass without, by the own hand, or by somebody who is not on the list', () => {
    expect(outcome(command)).toBe('trust.approval.missing');
    expect(outcome({ ...command, approvals: [anna.approve(subject)] })).toBe('trust.approval.self');
    expect(outcome({ ...command, approvals: [eve.approve(subject)] })).toBe('trust.approval.key');
    // Eve names the credential of Bert.
    const forged = { ...eve.approve(subject), credential: bert.credential };
    expect(outcome({ ...command, approvals: [forged] })).toBe('trust.webauthn.signature');
  });

  it.each<[string, Partial<ApprovalSubject>]>([
    ['another command', { id: newMrid() }],
    ['another point', { point: newMrid() }],
    ['another value', { value: 1 }],
    ['another gateway', { target: 'edge-sued' }],
    ['a test', { test: true }],
    ['somebody else’s request', { requestedBy: 'carl' }],
  ])('does not pass with an approval for %s', (_name, other) => {
    const approvals = [bert.approve({ ...subject, ...other })];
    expect(outcome({ ...command, approvals })).toBe('trust.webauthn.challenge');
  });

  it('does not pass with an approval of another session, whichever it says', () => {
    const old = bert.approve({ ...subject, session: 'ee'.repeat(16) });
    expect(outcome({ ...command, approvals: [old] })).toBe('trust.approval.session');
    expect(outcome({ ...command, approvals: [{ ...old, session }] })).toBe('trust.webauthn.challenge');
    expect(outcome({ ...command, approvals: [bert.approve(subject)] }, () => false)).toBe('trust.approval.session');
  });

  it('cannot be approved by an assertion made for something else, such as a login', () => {
    const { authenticatorData, clientDataJSON, signature } = bert.get({ challenge: Buffer.from('log in') });
    const text = (octets: Uint8Array) => Buffer.from(octets).toString('base64url');
    const approval = {
      session,
      credential: bert.credential,
      authenticatorData: text(authenticatorData),
      clientData: text(clientDataJSON),
      signature: text(signature),
    };
    expect(outcome({ ...command, approvals: [approval] })).toBe('trust.webauthn.challenge');
  });

  it('has the hash that anybody computes from the documented form', () => {
    const fixed = approvalSubject({
      id: '00000000-0000-4000-8000-000000000001',
      point: '00000000-0000-4000-8000-000000000002',
      session,
    });
    // Computed outside this code.
    expect(Buffer.from(approvalChallenge(fixed)).toString('hex')).toBe(
      '58b405682875c4f80e5a1ab9d8f8272fe6d83311eb5b381d296f8aa27ab23389',
    );
  });
});

describe('a broken glass', () => {
  const breakGlass = { reason: 'the busbar burns, and nobody else is here' };
  const broken = { ...command, breakGlass };
  const sign = (by: SoftwareAuthenticator, reason = breakGlass.reason) => [
    by.approve({ ...subject, breakGlass: reason }),
  ];
  const result = (made: Command, knows = () => true) => {
    try {
      return checkBreakGlass(made, list, knows);
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it('is signed by who breaks it, with the reason', () => {
    expect(result({ ...broken, approvals: sign(anna) })).toBe('anna');
    expect(result(broken)).toBe('trust.approval.missing');
    expect(result({ ...broken, approvals: sign(bert) })).toBe('trust.approval.self');
    expect(result({ ...broken, approvals: sign(eve) })).toBe('trust.approval.key');
    expect(result({ ...broken, approvals: sign(anna, 'somebody else’s reason') })).toBe('trust.webauthn.challenge');
    expect(result({ ...broken, approvals: sign(anna) }, () => false)).toBe('trust.approval.session');
  });

  it('is no approval, and an approval breaks no glass', () => {
    expect(result({ ...broken, approvals: [anna.approve(subject)] })).toBe('trust.webauthn.challenge');
    expect(outcome({ ...command, approvals: sign(bert) })).toBe('trust.webauthn.challenge');
  });
});
