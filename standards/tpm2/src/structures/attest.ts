/** TPMS_ATTEST (Part 2 § 10.12.12): what a TPM signs about PCRs, objects, itself and NV contents. */
import { type HashAlgorithm, MAX_DIGEST } from '../spec/algorithms.ts';
import { readAll, type TpmReader } from '../wire/reader.ts';
import { type TpmWriter, writeAll } from '../wire/writer.ts';
import { readHash, writeAlgorithm } from './ids.ts';
import { type PcrSelection, readPcrSelections, writePcrSelections } from './pcr.ts';

/** TPM_GENERATED_VALUE (§ 6.2): ‘\xffTCG’. A restricted key signs nothing from outside that begins with it. */
export const TPM_GENERATED = 0xff544347;

/** TPM_ST_ATTEST_* (§ 6.9). */
export const ATTEST_TYPES = {
  nv: 0x8014,
  commandAudit: 0x8015,
  sessionAudit: 0x8016,
  certify: 0x8017,
  quote: 0x8018,
  time: 0x8019,
  creation: 0x801a,
  nvDigest: 0x801c,
} as const;
export type AttestType = keyof typeof ATTEST_TYPES;

/** TPMS_CLOCK_INFO (§ 10.11.1). */
export interface ClockInfo {
  /** Milliseconds that the TPM has been powered, over its life; only advances. */
  readonly clock: bigint;
  /** TPM resets since TPM2_Clear. */
  readonly resetCount: number;
  /** Restarts and resumes since the last reset. */
  readonly restartCount: number;
  /** No value of `clock` greater than this one has been reported before. */
  readonly safe: boolean;
}

/** TPMU_ATTEST (§ 10.12.11). */
export type Attested =
  | { readonly type: 'quote'; readonly pcrs: readonly PcrSelection[]; readonly pcrDigest: Uint8Array }
  | { readonly type: 'certify'; readonly name: Uint8Array; readonly qualifiedName: Uint8Array }
  | { readonly type: 'creation'; readonly objectName: Uint8Array; readonly creationHash: Uint8Array }
  | { readonly type: 'time'; readonly time: bigint; readonly clockInfo: ClockInfo; readonly firmwareVersion: bigint }
  | { readonly type: 'nv'; readonly indexName: Uint8Array; readonly offset: number; readonly contents: Uint8Array }
  | { readonly type: 'nvDigest'; readonly indexName: Uint8Array; readonly digest: Uint8Array }
  | {
      readonly type: 'commandAudit';
      readonly auditCounter: bigint;
      readonly hash: HashAlgorithm;
      readonly auditDigest: Uint8Array;
      readonly commandDigest: Uint8Array;
    }
  | { readonly type: 'sessionAudit'; readonly exclusive: boolean; readonly sessionDigest: Uint8Array };

export interface Attest {
  /** Qualified name of the signing key; empty when the signer is TPM_RH_NULL. */
  readonly qualifiedSigner: Uint8Array;
  /** The caller’s qualifying data. */
  readonly extraData: Uint8Array;
  /** `resetCount` and `restartCount` are obfuscated for keys outside the endorsement and platform hierarchies. */
  readonly clockInfo: ClockInfo;
  /** Likewise obfuscated (Part 1 § 36.7). */
  readonly firmwareVersion: bigint;
  readonly attested: Attested;
}

/** sizeof(TPMU_NAME): a digest and its algorithm (§ 10.5.3). */
export const MAX_NAME = MAX_DIGEST + 2;
/** sizeof(TPMT_HA): TPM2B_DATA (§ 10.4.3). */
export const MAX_DATA = MAX_DIGEST + 2;
/** MAX_NV_BUFFER_SIZE of the reference implementation, and room. */
const MAX_NV = 4096;

export function readClockInfo(reader: TpmReader): ClockInfo {
  return {
    clock: reader.u64('clock'),
    resetCount: reader.u32('reset count'),
    restartCount: reader.u32('restart count'),
    safe: reader.yesNo('safe'),
  };
}

export function writeClockInfo(writer: TpmWriter, info: ClockInfo): void {
  writer
    .u64(info.clock)
    .u32(info.resetCount)
    .u32(info.restartCount)
    .u8(info.safe ? 1 : 0);
}

export function readAttest(reader: TpmReader): Attest {
  const magic = reader.u32('magic');
  if (magic !== TPM_GENERATED) {
    throw reader.fail(`magic 0x${magic.toString(16).padStart(8, '0')} is not TPM_GENERATED: no TPM made this`);
  }
  const tag = reader.u16('attestation type');
  const type = (Object.keys(ATTEST_TYPES) as AttestType[]).find((each) => ATTEST_TYPES[each] === tag);
  if (type === undefined) throw reader.fail(`attestation type 0x${tag.toString(16)} is not known`);
  return {
    qualifiedSigner: reader.sized('qualified signer', MAX_NAME),
    extraData: reader.sized('qualifying data', MAX_DATA),
    clockInfo: readClockInfo(reader),
    firmwareVersion: reader.u64('firmware version'),
    attested: readAttested(reader, type),
  };
}

function readAttested(reader: TpmReader, type: AttestType): Attested {
  switch (type) {
    case 'quote':
      return { type, pcrs: readPcrSelections(reader), pcrDigest: reader.sized('PCR digest', MAX_DIGEST) };
    case 'certify':
      return { type, name: reader.sized('name', MAX_NAME), qualifiedName: reader.sized('qualified name', MAX_NAME) };
    case 'creation':
      return {
        type,
        objectName: reader.sized('object name', MAX_NAME),
        creationHash: reader.sized('creation hash', MAX_DIGEST),
      };
    case 'time':
      return {
        type,
        time: reader.u64('time'),
        clockInfo: readClockInfo(reader),
        firmwareVersion: reader.u64('firmware version'),
      };
    case 'nv':
      return {
        type,
        indexName: reader.sized('index name', MAX_NAME),
        offset: reader.u16('offset'),
        contents: reader.sized('NV contents', MAX_NV),
      };
    case 'nvDigest':
      return { type, indexName: reader.sized('index name', MAX_NAME), digest: reader.sized('NV digest', MAX_DIGEST) };
    case 'commandAudit':
      return {
        type,
        auditCounter: reader.u64('audit counter'),
        hash: readHash(reader, 'hash of the audit'),
        auditDigest: reader.sized('audit digest', MAX_DIGEST),
        commandDigest: reader.sized('command digest', MAX_DIGEST),
      };
    case 'sessionAudit':
      return { type, exclusive: reader.yesNo('exclusive'), sessionDigest: reader.sized('session digest', MAX_DIGEST) };
  }
}

export function writeAttest(writer: TpmWriter, attest: Attest): void {
  const { attested } = attest;
  writer.u32(TPM_GENERATED).u16(ATTEST_TYPES[attested.type]).sized(attest.qualifiedSigner).sized(attest.extraData);
  writeClockInfo(writer, attest.clockInfo);
  writer.u64(attest.firmwareVersion);
  switch (attested.type) {
    case 'quote':
      writePcrSelections(writer, attested.pcrs);
      writer.sized(attested.pcrDigest);
      break;
    case 'certify':
      writer.sized(attested.name).sized(attested.qualifiedName);
      break;
    case 'creation':
      writer.sized(attested.objectName).sized(attested.creationHash);
      break;
    case 'time':
      writer.u64(attested.time);
      writeClockInfo(writer, attested.clockInfo);
      writer.u64(attested.firmwareVersion);
      break;
    case 'nv':
      writer.sized(attested.indexName).u16(attested.offset).sized(attested.contents);
      break;
    case 'nvDigest':
      writer.sized(attested.indexName).sized(attested.digest);
      break;
    case 'commandAudit':
      writer.u64(attested.auditCounter);
      writeAlgorithm(writer, attested.hash);
      writer.sized(attested.auditDigest).sized(attested.commandDigest);
      break;
    case 'sessionAudit':
      writer.u8(attested.exclusive ? 1 : 0).sized(attested.sessionDigest);
      break;
    default:
      attested satisfies never;
  }
}

/** TPMS_ATTEST → object. @throws Tpm2Error `tpm2.malformed` (fault peer) */
export const parseAttest = (bytes: Uint8Array): Attest => readAll(bytes, 'TPMS_ATTEST', readAttest);

/** Object → TPMS_ATTEST: for tests and for attesters that are no TPM. */
export const encodeAttest = (attest: Attest): Uint8Array => writeAll((writer) => writeAttest(writer, attest));
