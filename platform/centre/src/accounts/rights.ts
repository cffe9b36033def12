/**
 * Who may do what: the roles of IEC 62351-8 § 6.2 (table 3) and the rights of this product, as a table. Nothing is
 * allowed that does not stand here.
 */
import Type from 'typebox';

export const RIGHTS = {
  'values.read': 'see points, values, history, events, alarms, sources and the grid model',
  'files.read': 'fetch files of devices, such as disturbance records',
  'alarms.acknowledge': 'acknowledge alarms',
  'commands.operate': 'prepare, select, operate and cancel commands',
  'commands.breakGlass': 'operate past the attestation of the path and the second person, for a reason that is told',
  'services.ask': 'have a service calculate something, such as a trial of what if; nothing is changed by it',
  'grid.write': 'replace the grid model',
  'users.write': 'see, create, change and remove users',
  'tokens.write': 'see, create and remove API tokens',
  'enrol.write': 'admit gateways and services by one-time tokens',
  'certificates.revoke': 'shut out gateways and services by revoking their certificates',
  'trust.write': 'put nodes into quarantine, ask for their release and approve it',
  'audit.read': 'read the audit records',
} as const;
export type Right = keyof typeof RIGHTS;
export const RIGHT_NAMES = Object.keys(RIGHTS) as Right[];

/** Role → rights; the role names and what they are for are those of IEC 62351-8. */
export const ROLE_RIGHTS = {
  VIEWER: ['values.read'],
  OPERATOR: [
    'values.read',
    'alarms.acknowledge',
    'commands.operate',
    'services.ask',
    'trust.write',
    'commands.breakGlass',
  ],
  ENGINEER: ['values.read', 'files.read', 'services.ask', 'grid.write'],
  INSTALLER: ['values.read', 'enrol.write'],
  SECADM: ['users.write', 'tokens.write', 'enrol.write', 'certificates.revoke', 'trust.write', 'audit.read'],
  SECAUD: ['audit.read'],
  RBACMNT: ['users.write'],
} as const satisfies Record<string, readonly Right[]>;
export type Role = keyof typeof ROLE_RIGHTS;
export const ROLES = Object.keys(ROLE_RIGHTS) as Role[];
export const RoleSchema = Type.Enum(ROLES as [Role, ...Role[]]);

/** What the first administrator of a fresh centre gets: one person has to be able to do everything before there are two. */
export const FIRST_ADMINISTRATOR: readonly Role[] = [
  'OPERATOR',
  'ENGINEER',
  'INSTALLER',
  'SECADM',
  'SECAUD',
  'RBACMNT',
];
/** What the token of the command line on this machine may do. */
export const LOCAL_COMMAND_LINE: readonly Role[] = ['OPERATOR', 'ENGINEER', 'SECADM'];

/** @returns the union of the rights, each once, in the order of the table */
export function rightsOf(roles: readonly Role[]): Right[] {
  const granted = new Set<Right>(roles.flatMap((role) => ROLE_RIGHTS[role] ?? []));
  return RIGHT_NAMES.filter((right) => granted.has(right));
}

/**
 * Nobody hands out more than they hold: a role may be given by someone whose own roles cover all its rights, or by
 * RBACMNT, whose task it is (IEC 62351-8: role assignment).
 */
export function mayGrant(granter: readonly Role[], wanted: readonly Role[]): boolean {
  if (granter.includes('RBACMNT') || granter.includes('SECADM')) return true;
  const held = new Set(rightsOf(granter));
  return wanted.every((role) => ROLE_RIGHTS[role].every((right) => held.has(right)));
}
