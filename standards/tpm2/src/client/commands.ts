/** The commands that are spoken here (Part 3, clause in `COMMANDS`): what goes in, what comes out. Pure. */

import type { Credential } from '../credential/credential.ts';
import type { HashAlgorithm } from '../spec/algorithms.ts';
import { ALGORITHM_IDS, HASHES, MAX_DIGEST } from '../spec/algorithms.ts';
import { HANDLES, type Hierarchy } from '../spec/handles.ts';
import { type ClockInfo, MAX_NAME, readClockInfo } from '../structures/attest.ts';
import { type NvPublic, readNvPublic } from '../structures/nv.ts';
import { type PcrSelection, readDigestList, readPcrSelections, writePcrSelections } from '../structures/pcr.ts';
import { readPublic, type TpmPublic, writePublic } from '../structures/public.ts';
import { type EccScheme, type RsaScheme, writeScheme } from '../structures/scheme.ts';
import { parseSignature, readSignature, type TpmSignature } from '../structures/signature.ts';
import type { TpmReader } from '../wire/reader.ts';
import { type TpmWriter, writeAll } from '../wire/writer.ts';
import { type Authorization, password, policy, type TpmCommand } from './command-frame.ts';

const NOTHING = new Uint8Array(0);
const nothing = (): void => {};

type Part = Partial<Omit<TpmCommand<unknown>, 'name' | 'read' | 'parameters'>>;

function command<T>(
  name: TpmCommand<T>['name'],
  read: TpmCommand<T>['read'],
  { handles = [], authorizations = [], ...rest }: Part = {},
  write: (writer: TpmWriter) => void = nothing,
): TpmCommand<T> {
  return { name, handles, authorizations, parameters: writeAll(write), read, ...rest };
}

/** TPM_SU (Part 2 § 6.10). */
const SU = { clear: 0x0000, state: 0x0001 } as const;
export type StartupType = keyof typeof SU;

export const startup = (type: StartupType) => command('Startup', nothing, {}, (w) => w.u16(SU[type]));
export const shutdown = (type: StartupType) => command('Shutdown', nothing, {}, (w) => w.u16(SU[type]));
export const selfTest = (full: boolean) => command('SelfTest', nothing, {}, (w) => w.u8(full ? 1 : 0));
export const getRandom = (octets: number) =>
  command(
    'GetRandom',
    (r) => r.sized('random octets', MAX_DIGEST),
    {},
    (w) => w.u16(octets),
  );

/** TPM_CAP (Part 2 § 6.12). */
export const CAPABILITIES = { algorithms: 0, handles: 1, commands: 2, pcrs: 5, properties: 6, curves: 8 } as const;

export interface CapabilityPage<T> {
  readonly more: boolean;
  readonly values: readonly T[];
}

function getCapability<T>(
  capability: number,
  property: number,
  count: number,
  read: (reader: TpmReader) => T[],
): TpmCommand<CapabilityPage<T>> {
  return command(
    'GetCapability',
    (r) => {
      const more = r.yesNo('more data');
      if (r.u32('capability') !== capability) throw r.fail('the TPM answers for another capability');
      return { more, values: read(r) };
    },
    {},
    (w) => w.u32(capability).u32(property).u32(count),
  );
}

/** MAX_CAP_DATA of 1024 octets leaves at most 254 handles. */
const MAX_CAPABILITIES = 256;

export const getHandles = (first: number, count = 254) =>
  getCapability(CAPABILITIES.handles, first, count, (r) => r.list('handles', MAX_CAPABILITIES, () => r.u32('handle')));

export const getProperties = (first: number, count = 127) =>
  getCapability(CAPABILITIES.properties, first, count, (r) =>
    r.list('properties', MAX_CAPABILITIES, () => [r.u32('property'), r.u32('value')] as const),
  );

/** Banks that are there, with the PCRs in them. */
export const getPcrBanks = () => getCapability(CAPABILITIES.pcrs, 0, 1, readPcrSelections);

export interface PcrRead {
  /** Grows with every change of a PCR. */
  readonly updateCounter: number;
  /** What was read of the selection; at most eight at once. */
  readonly selection: readonly PcrSelection[];
  readonly digests: readonly Uint8Array[];
}

export const pcrRead = (selection: readonly PcrSelection[]): TpmCommand<PcrRead> =>
  command(
    'PCR_Read',
    (r) => ({ updateCounter: r.u32('update counter'), selection: readPcrSelections(r), digests: readDigestList(r) }),
    {},
    (w) => writePcrSelections(w, selection),
  );

export const pcrExtend = (pcr: number, digests: ReadonlyMap<HashAlgorithm, Uint8Array>) =>
  command('PCR_Extend', nothing, { handles: [pcr], authorizations: [password()] }, (w) =>
    w.list([...digests], ([hash, value]) => w.u16(ALGORITHM_IDS[hash]).bytes(value)),
  );

export const pcrReset = (pcr: number) =>
  command('PCR_Reset', nothing, { handles: [pcr], authorizations: [password()] });

export interface Created {
  readonly handle: number;
  readonly public: TpmPublic;
  /** TPMS_CREATION_DATA as octets. */
  readonly creationData: Uint8Array;
  readonly creationHash: Uint8Array;
  readonly name: Uint8Array;
}

const readSizedPublic = (r: TpmReader): TpmPublic => r.inSized('public area', readPublic);

/** TPM2B_SENSITIVE_CREATE with an authorisation value and no data. */
const writeSensitive = (w: TpmWriter, auth: Uint8Array) => w.inSized((inner) => inner.sized(auth).sized(NOTHING));

/** TPMT_TK_CREATION (Part 2 § 10.7.3): for TPM2_CertifyCreation, which is not spoken here. */
function skipTicket(r: TpmReader): void {
  r.u16('tag of a ticket');
  r.u32('hierarchy of a ticket');
  r.sized('digest of a ticket', MAX_DIGEST);
}

export const createPrimary = (
  hierarchy: Hierarchy,
  template: TpmPublic,
  hierarchyAuth: Uint8Array,
  auth: Uint8Array,
): TpmCommand<Created> =>
  command(
    'CreatePrimary',
    (r, handle) => {
      const area = readSizedPublic(r);
      const creationData = r.sized('creation data');
      const creationHash = r.sized('creation hash', MAX_DIGEST);
      skipTicket(r);
      return { handle, public: area, creationData, creationHash, name: r.sized('name', MAX_NAME) };
    },
    { handles: [HANDLES[hierarchy]], authorizations: [password(hierarchyAuth)], returnsHandle: true },
    (w) => {
      writeSensitive(w, auth).inSized((inner) => writePublic(inner, template));
      w.sized(NOTHING).u32(0);
    },
  );

export interface CreatedChild {
  /** Contents of TPM2B_PRIVATE: encrypted to the parent, useless elsewhere. */
  readonly private: Uint8Array;
  readonly public: TpmPublic;
  readonly creationHash: Uint8Array;
}

export const create = (
  parent: number,
  template: TpmPublic,
  parentAuth: Uint8Array,
  auth: Uint8Array,
): TpmCommand<CreatedChild> =>
  command(
    'Create',
    (r) => {
      const secret = r.sized('private area');
      const area = readSizedPublic(r);
      r.sized('creation data');
      const creationHash = r.sized('creation hash', MAX_DIGEST);
      skipTicket(r);
      return { private: secret, public: area, creationHash };
    },
    { handles: [parent], authorizations: [password(parentAuth)] },
    (w) => {
      writeSensitive(w, auth).inSized((inner) => writePublic(inner, template));
      w.sized(NOTHING).u32(0);
    },
  );

export interface Loaded {
  readonly handle: number;
  readonly name: Uint8Array;
}

const readLoaded = (r: TpmReader, handle: number): Loaded => ({ handle, name: r.sized('name', MAX_NAME) });

export const load = (parent: number, secret: Uint8Array, area: TpmPublic, parentAuth: Uint8Array) =>
  command('Load', readLoaded, { handles: [parent], authorizations: [password(parentAuth)], returnsHandle: true }, (w) =>
    w.sized(secret).inSized((inner) => writePublic(inner, area)),
  );

/** A public key only. */
export const loadExternal = (area: TpmPublic, hierarchy: Hierarchy) =>
  command('LoadExternal', readLoaded, { returnsHandle: true }, (w) =>
    w
      .sized(NOTHING)
      .inSized((inner) => writePublic(inner, area))
      .u32(HANDLES[hierarchy]),
  );

export interface PublicRead {
  readonly public: TpmPublic;
  readonly name: Uint8Array;
  readonly qualifiedName: Uint8Array;
}

export const readPublicArea = (handle: number): TpmCommand<PublicRead> =>
  command(
    'ReadPublic',
    (r) => ({
      public: readSizedPublic(r),
      name: r.sized('name', MAX_NAME),
      qualifiedName: r.sized('qualified name', MAX_NAME),
    }),
    { handles: [handle] },
  );

/** Makes a transient object persistent, or (with the persistent handle as object) a persistent one go. */
export const evictControl = (hierarchy: 'owner' | 'platform', object: number, persistent: number, auth: Uint8Array) =>
  command('EvictControl', nothing, { handles: [HANDLES[hierarchy], object], authorizations: [password(auth)] }, (w) =>
    w.u32(persistent),
  );

/** The handle is a parameter here (Part 3 § 28.4). */
export const flushContext = (handle: number) => command('FlushContext', nothing, {}, (w) => w.u32(handle));

/** TPMS_CONTEXT (Part 2 § 14.5) as it came: only this TPM can read it, until its next reset. */
export const contextSave = (handle: number): TpmCommand<Uint8Array> =>
  command('ContextSave', (r) => r.rest(), { handles: [handle] });

export const contextLoad = (context: Uint8Array): TpmCommand<number> =>
  command(
    'ContextLoad',
    (_, handle) => handle,
    { returnsHandle: true },
    (w) => w.bytes(context),
  );

export interface Attestation {
  /** TPMS_ATTEST as it was signed. */
  readonly attest: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

function readAttestation(r: TpmReader): Attestation {
  return { attest: r.sized('attestation'), signature: signatureOctets(r) };
}

/** Checked to be one, and given on as octets. */
function signatureOctets(r: TpmReader): Uint8Array {
  const rest = r.rest();
  parseSignature(rest);
  return rest;
}

export const quote = (
  key: number,
  auth: Uint8Array,
  qualifyingData: Uint8Array,
  pcrs: readonly PcrSelection[],
  scheme?: RsaScheme | EccScheme,
) =>
  command('Quote', readAttestation, { handles: [key], authorizations: [password(auth)] }, (w) => {
    w.sized(qualifyingData);
    writeScheme(w, scheme);
    writePcrSelections(w, pcrs);
  });

export const certify = (
  object: number,
  objectAuth: Uint8Array,
  key: number,
  keyAuth: Uint8Array,
  qualifyingData: Uint8Array,
  scheme?: RsaScheme | EccScheme,
) =>
  command(
    'Certify',
    readAttestation,
    { handles: [object, key], authorizations: [password(objectAuth), password(keyAuth)] },
    (w) => {
      w.sized(qualifyingData);
      writeScheme(w, scheme);
    },
  );

/** TPMT_TK_HASHCHECK (Part 2 § 10.7.6). */
export interface HashTicket {
  readonly hierarchy: number;
  readonly digest: Uint8Array;
}
const ST_HASHCHECK = 0x8024;
/** For keys that are not restricted: nothing is claimed about where the digest came from. */
export const NULL_TICKET: HashTicket = { hierarchy: HANDLES.null, digest: NOTHING };

export interface Hashed {
  readonly digest: Uint8Array;
  /** Says that what was hashed does not begin with TPM_GENERATED. */
  readonly ticket: HashTicket;
}

/** @param data at most MAX_DIGEST_BUFFER (1024) octets */
export const hash = (data: Uint8Array, algorithm: HashAlgorithm, hierarchy: Hierarchy): TpmCommand<Hashed> =>
  command(
    'Hash',
    (r) => {
      const digest = r.sized('digest', MAX_DIGEST);
      if (r.u16('tag of a ticket') !== ST_HASHCHECK) throw r.fail('the ticket is not one of a hash');
      return { digest, ticket: { hierarchy: r.u32('hierarchy'), digest: r.sized('ticket', MAX_DIGEST) } };
    },
    {},
    (w) => w.sized(data).u16(ALGORITHM_IDS[algorithm]).u32(HANDLES[hierarchy]),
  );

export const sign = (
  key: number,
  auth: Uint8Array,
  digest: Uint8Array,
  ticket: HashTicket = NULL_TICKET,
  scheme?: RsaScheme | EccScheme,
): TpmCommand<TpmSignature> =>
  command('Sign', readSignature, { handles: [key], authorizations: [password(auth)] }, (w) => {
    w.sized(digest);
    writeScheme(w, scheme);
    w.u16(ST_HASHCHECK).u32(ticket.hierarchy).sized(ticket.digest);
  });

export interface NvRead {
  readonly public: NvPublic;
  readonly name: Uint8Array;
}

export const nvReadPublic = (index: number): TpmCommand<NvRead> =>
  command(
    'NV_ReadPublic',
    (r) => ({ public: r.inSized('NV public area', readNvPublic), name: r.sized('name', MAX_NAME) }),
    { handles: [index] },
  );

/** @param authority the index itself (authRead), or `HANDLES.owner` (ownerRead) */
export const nvRead = (authority: number, auth: Uint8Array, index: number, size: number, offset: number) =>
  command(
    'NV_Read',
    (r) => r.sized('NV contents', size),
    { handles: [authority, index], authorizations: [password(auth)] },
    (w) => w.u16(size).u16(offset),
  );

/** TPM_SE (Part 2 § 6.11). */
const SE_POLICY = 0x01;

/** An unbound, unsalted policy session. @param nonce of at least 16 octets */
export const startPolicySession = (
  nonce: Uint8Array,
  algorithm: HashAlgorithm,
): TpmCommand<{ readonly handle: number; readonly nonce: Uint8Array }> =>
  command(
    'StartAuthSession',
    (r, handle) => ({ handle, nonce: r.sized('nonce', HASHES[algorithm].size) }),
    { handles: [HANDLES.null, HANDLES.null], returnsHandle: true },
    (w) => w.sized(nonce).sized(NOTHING).u8(SE_POLICY).u16(ALGORITHM_IDS.null).u16(ALGORITHM_IDS[algorithm]),
  );

/** The policy is fulfilled by whoever knows the authorisation value of `authority`. */
export const policySecret = (authority: number, auth: Uint8Array, session: number) =>
  command(
    'PolicySecret',
    (r) => {
      r.sized('timeout');
      skipTicket(r);
    },
    { handles: [authority, session], authorizations: [password(auth)] },
    (w) => w.sized(NOTHING).sized(NOTHING).sized(NOTHING).u32(0),
  );

/**
 * @param object for which the credential was made (its ADMIN role, by password)
 * @param key the endorsement key (its USER role: by policy session, or by password)
 */
export const activateCredential = (
  object: number,
  objectAuth: Uint8Array,
  key: number,
  keyAuthorization: Authorization,
  credential: Credential,
) =>
  command(
    'ActivateCredential',
    (r) => r.sized('credential', MAX_DIGEST),
    { handles: [object, key], authorizations: [password(objectAuth), keyAuthorization] },
    (w) => w.sized(credential.idObject).sized(credential.encryptedSecret),
  );

/** By the TPM; `makeCredential` does it in software. */
export const makeCredentialInTpm = (key: number, secret: Uint8Array, name: Uint8Array): TpmCommand<Credential> =>
  command(
    'MakeCredential',
    (r) => ({ idObject: r.sized('TPM2B_ID_OBJECT'), encryptedSecret: r.sized('encrypted secret') }),
    { handles: [key] },
    (w) => w.sized(secret).sized(name),
  );

export interface TimeInfo {
  /** Milliseconds since the TPM was powered on. */
  readonly time: bigint;
  readonly clockInfo: ClockInfo;
}

export const readClock = (): TpmCommand<TimeInfo> =>
  command('ReadClock', (r) => ({ time: r.u64('time'), clockInfo: readClockInfo(r) }));

export { policy };
