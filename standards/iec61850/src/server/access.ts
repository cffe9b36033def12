/**
 * Who may use which service (IEC 62351-8): every service of ACSI needs a right, roles have rights, and the hook of the
 * server decides. Without a hook, what only looks is open, what has a handler of its own (controls) is that handler's, and
 * what changes the device is shut.
 */

/** What IEC 62351-8 parts; the names are close to its own. */
export type Right =
  | 'read'
  | 'dataset'
  | 'reporting'
  | 'control'
  | 'config'
  | 'setting-group'
  | 'file-read'
  | 'file-write'
  | 'file-management';

interface Row {
  readonly right: Right;
  /** Whether it is allowed where nobody decides. */
  readonly open: boolean;
}

/** Services by their names in IEC 61850-7-2. Substitution and clearing a log have no right of their own there: they are put here. */
const SERVICES = {
  GetDataValues: { right: 'read', open: true },
  SetDataValues: { right: 'config', open: false },
  Substitute: { right: 'control', open: false },
  CreateDataSet: { right: 'dataset', open: true },
  DeleteDataSet: { right: 'dataset', open: true },
  SetRCBValues: { right: 'reporting', open: true },
  Control: { right: 'control', open: true },
  SelectActiveSG: { right: 'setting-group', open: false },
  SelectEditSG: { right: 'setting-group', open: false },
  SetEditSGValue: { right: 'setting-group', open: false },
  ConfirmEditSGValues: { right: 'setting-group', open: false },
  SetLCBValues: { right: 'config', open: false },
  QueryLog: { right: 'read', open: true },
  ClearLog: { right: 'config', open: false },
  GetFile: { right: 'file-read', open: true },
  SetFile: { right: 'file-write', open: false },
  DeleteFile: { right: 'file-management', open: false },
  RenameFile: { right: 'file-management', open: false },
} as const satisfies Record<string, Row>;
export type AcsiService = keyof typeof SERVICES;
export const ACSI_SERVICES = Object.keys(SERVICES) as AcsiService[];

/** Who asks, as far as it is known. */
export interface ClientIdentity {
  readonly remote: string;
  /** Common name of its certificate; undefined without TLS. */
  readonly subject: string | undefined;
}

export interface AccessRequest {
  readonly service: AcsiService;
  readonly right: Right;
  /** What it is about: `BCU1CTRL/PTOC1.StrVal.setMag`, a control block, a log, the name of a file. */
  readonly reference: string;
  readonly client: ClientIdentity;
}

/** @returns whether it may */
export type AccessDecision = (request: AccessRequest) => boolean;

export class Access {
  readonly #decide: AccessDecision | undefined;

  constructor(decide: AccessDecision | undefined) {
    this.#decide = decide;
  }

  /** Whether somebody decides. */
  get decided(): boolean {
    return this.#decide !== undefined;
  }

  allows(client: ClientIdentity, service: AcsiService, reference: string): boolean {
    const { right, open } = SERVICES[service];
    const { remote, subject } = client;
    return this.#decide ? this.#decide({ service, right, reference, client: { remote, subject } }) : open;
  }
}

/** Rights by role (IEC 62351-8, edition 1; from memory, so a profile: pass another one where the station has its own). */
export const ROLE_RIGHTS = {
  VIEWER: ['read', 'reporting'],
  OPERATOR: ['read', 'dataset', 'reporting', 'file-read', 'control'],
  ENGINEER: [
    'read',
    'dataset',
    'reporting',
    'file-read',
    'file-write',
    'file-management',
    'control',
    'config',
    'setting-group',
  ],
  INSTALLER: ['read', 'reporting', 'file-read', 'file-write', 'config', 'setting-group'],
  SECADM: ['read', 'file-read'],
  SECAUD: ['read', 'file-read'],
  RBACMNT: ['read'],
} as const satisfies Record<string, readonly Right[]>;

/**
 * Decides by roles. @param rolesOf who has which; nobody known is nobody allowed
 * @param rights by role; roles that are not in it have none
 */
export function accessByRoles(
  rolesOf: (client: ClientIdentity) => readonly string[],
  rights: Readonly<Record<string, readonly Right[]>> = ROLE_RIGHTS,
): AccessDecision {
  return ({ right, client }) =>
    rolesOf(client).some((role) => Object.hasOwn(rights, role) && rights[role]!.includes(right));
}
