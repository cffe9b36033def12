/**
 * Roles in a certificate (IEC 62351-8, profile A): the extension IECUserRoles. Object identifier and encoding are those of
 * certificates seen in the field; the standard itself was not at hand, so the identifier can be set.
 *
 *     IECUserRoles ::= SEQUENCE OF SEQUENCE {
 *       userRole SEQUENCE SIZE (1..MAX) OF INTEGER (-32768..32767),
 *       aor UTF8String, revision INTEGER, roleDefinition UTF8String OPTIONAL,
 *       operation ENUMERATED { add(1), delete(2), change(3) } OPTIONAL,
 *       statusChangeSequenceNumber INTEGER OPTIONAL }
 */
import type { Certificate } from './certificate.ts';
import { DerReader } from './der-reader.ts';
import { TAG } from './der-tags.ts';
import * as der from './der-writer.ts';
import { PkiError } from './error.ts';
import type { Extension } from './extension.ts';
import { OID } from './oid.ts';

/** Roles of the standard; 7 to 32 767 are reserved, negative ones are private. */
export const IEC_ROLES = {
  VIEWER: 0,
  OPERATOR: 1,
  ENGINEER: 2,
  INSTALLER: 3,
  SECADM: 4,
  SECAUD: 5,
  RBACMNT: 6,
} as const;

const OPERATIONS = ['add', 'delete', 'change'] as const;
/** Most grants, and most roles in one, that are read. */
const MAX_LISTED = 64;
const MAX_TEXT = 64;

export interface IecUserRole {
  /** Role numbers; `IEC_ROLES` names those of the standard. */
  readonly roles: readonly number[];
  /** Area of responsibility. */
  readonly areaOfResponsibility: string;
  readonly revision: number;
  /** Who defined the roles, for example `IEC62351-8`. */
  readonly definition?: string;
  readonly operation?: (typeof OPERATIONS)[number];
  readonly statusChangeSequenceNumber?: number;
}

/** What somebody may do, where, and until when: the form in which a token of any profile is used. */
export interface RoleGrant extends IecUserRole {
  readonly notAfter: Date;
}

/** Builds the extension. @param oid when it is not the usual one. @throws PkiError (fault caller) for what cannot be encoded */
export function encodeIecUserRoles(grants: readonly IecUserRole[], oid: string = OID.iecUserRoles): Extension {
  const value = der.sequence(
    ...grants.map((grant) => {
      const { roles, areaOfResponsibility, revision, definition, operation, statusChangeSequenceNumber } = grant;
      if (roles.length === 0 || roles.some((role) => !Number.isInteger(role) || role < -32_768 || role > 32_767)) {
        throw new PkiError('caller', 'pki.roles', `roles ${roles.join(', ') || '(none)'} cannot be granted`);
      }
      if (
        areaOfResponsibility === '' ||
        [areaOfResponsibility, definition ?? ''].some(({ length }) => length > MAX_TEXT)
      ) {
        throw new PkiError('caller', 'pki.roles', `the area of responsibility has 1 to ${MAX_TEXT} characters`);
      }
      return der.sequence(
        der.sequence(...roles.map(der.integer)),
        der.utf8String(areaOfResponsibility),
        der.integer(revision),
        ...(definition === undefined ? [] : [der.utf8String(definition)]),
        ...(operation === undefined ? [] : [der.enumerated(OPERATIONS.indexOf(operation) + 1)]),
        ...(statusChangeSequenceNumber === undefined ? [] : [der.integer(statusChangeSequenceNumber)]),
      );
    }),
  );
  return { oid, critical: false, value };
}

/** @returns the grants, empty when the certificate carries none. @throws PkiError (fault peer) when they are malformed */
export function roleGrantsOf(certificate: Certificate, oid: string = OID.iecUserRoles): RoleGrant[] {
  const extension = certificate.extensionList.find((each) => each.oid === oid);
  if (!extension) return [];
  const reader = new DerReader(extension.value);
  const list = reader.sequence('user roles');
  reader.end('user roles');
  const grants: RoleGrant[] = [];
  while (!list.done) {
    if (grants.length === MAX_LISTED) throw list.fail(`more than ${MAX_LISTED} grants of roles`);
    grants.push({ ...readGrant(list.sequence('grant of roles')), notAfter: certificate.notAfter });
  }
  return grants;
}

function readGrant(grant: DerReader): IecUserRole {
  const numbers = grant.sequence('roles');
  const roles: number[] = [];
  do {
    const role = numbers.integer('role', 3);
    if (role < -32_768n || role > 32_767n || roles.length === MAX_LISTED)
      throw numbers.fail('too many roles, or no role');
    roles.push(Number(role));
  } while (!numbers.done);
  const areaOfResponsibility = grant.string('area of responsibility');
  const revision = grant.smallInteger('revision');
  const definition = grant.peek() === TAG.utf8String ? grant.string('role definition') : undefined;
  const code = grant.peek() === TAG.enumerated ? grant.enumerated('operation') : undefined;
  const operation = code === undefined ? undefined : OPERATIONS[code - 1];
  if (code !== undefined && !operation) throw grant.fail(`operation ${code} is none`);
  const sequenceNumber = grant.done ? undefined : grant.smallInteger('status change sequence number');
  grant.end('grant of roles');
  if (areaOfResponsibility.length > MAX_TEXT || (definition?.length ?? 0) > MAX_TEXT)
    throw grant.fail('a text is too long');
  return {
    roles,
    areaOfResponsibility,
    revision,
    ...(definition === undefined ? {} : { definition }),
    ...(operation === undefined ? {} : { operation }),
    ...(sequenceNumber === undefined ? {} : { statusChangeSequenceNumber: sequenceNumber }),
  };
}
