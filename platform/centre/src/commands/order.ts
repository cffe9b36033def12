/** A command as the gateway is to carry it out, and as the second person approves it. Pure. */
import type { CommandAction, CommandOrder, UtcNanos } from '@enerchain/model';
import type { ApprovalSubject } from '@enerchain/trust';
import type { OpenCommand } from './book.ts';
import type { CommandJson } from './view.ts';

/** An edge refuses an order older than this many milliseconds. */
const VALID_FOR_MILLIS = 10_000;
/** Longest name of a person in an order. */
const MAX_NAME = 64;

export function orderOf({ view, approval }: OpenCommand, action: CommandAction, issuedAt: UtcNanos): CommandOrder {
  const { id, point, value, by, target, test, breakGlass } = view;
  return {
    id,
    point,
    action,
    value,
    validFor: VALID_FOR_MILLIS,
    issuedAt: String(issuedAt),
    origin: { orCat: 'remoteControl', orIdent: by.slice(0, MAX_NAME) },
    target,
    ...(test ? { test: true } : {}),
    ...(approval ? { approvals: [approval] } : {}),
    ...(breakGlass ? { breakGlass } : {}),
  };
}

/** @param session challenge of the gateway under which the approval counts */
export function subjectOf(command: CommandJson, session: string): ApprovalSubject {
  const { id, point, value, target, test, by, breakGlass } = command;
  return {
    id,
    point,
    value,
    target,
    test,
    requestedBy: by.slice(0, MAX_NAME),
    session,
    ...(breakGlass ? { breakGlass: breakGlass.reason } : {}),
  };
}
