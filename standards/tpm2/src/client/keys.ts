/** The keys of a node: endorsement, attestation, identity. */
import type { KeyObject } from 'node:crypto';
import { Tpm2Error } from '../error.ts';
import { CURVES } from '../spec/algorithms.ts';
import { EK_NV, HANDLE_TYPES, type Hierarchy, PERSISTENT } from '../spec/handles.ts';
import { digest } from '../structures/hash.ts';
import type { TpmPublic } from '../structures/public.ts';
import { ecdsaPair } from '../structures/signature.ts';
import type { TpmKey } from './object-slots.ts';
import { attestationKey, EK_ECC_P256, EK_RSA_2048, identityKey, type KeyKind } from './templates.ts';
import { madeFrom, type TpmClient } from './tpm-client.ts';

export interface OpenKeyOptions {
  /** P-256 with ECDSA by default; RSA-2048 with RSASSA. */
  readonly kind?: KeyKind;
  /** Another label, another key. */
  readonly label?: string;
  /** The endorsement hierarchy by default: its key outlives an owner, and its quotes show reset counters in the clear. */
  readonly hierarchy?: Hierarchy;
  /** Where to keep the key, between PERSISTENT.first and PERSISTENT.last; without it, the key is made anew each time (and is the same). */
  readonly persistentHandle?: number;
}

/** The attestation key: made when it is not there. @throws Tpm2Error `tpm2.key` when another key has its persistent handle */
export const openAttestationKey = (tpm: TpmClient, options: OpenKeyOptions = {}): Promise<TpmKey> =>
  open(tpm, attestationKey(options.kind, options.label), options);

/** A signing key that lives in the TPM. */
export const openIdentityKey = (tpm: TpmClient, options: OpenKeyOptions = {}): Promise<TpmKey> =>
  open(tpm, identityKey(options.kind, options.label ?? 'identity'), options);

async function open(
  tpm: TpmClient,
  template: TpmPublic,
  { hierarchy = 'endorsement', persistentHandle }: OpenKeyOptions,
): Promise<TpmKey> {
  if (persistentHandle === undefined) return tpm.createPrimary(hierarchy, template);
  const found = await tpm.persistentKey(persistentHandle);
  if (found !== undefined) {
    if (madeFrom(found.public, template)) return found;
    const at = `0x${persistentHandle.toString(16)}`;
    throw new Tpm2Error(
      'caller',
      'tpm2.key',
      `the persistent handle ${at} of ${tpm.description} holds a key of another kind`,
    );
  }
  const transient = await tpm.createPrimary(hierarchy, template);
  const key = await tpm.persist(transient, persistentHandle);
  await tpm.flush(transient);
  return key;
}

/** Persistent handles of endorsement keys (TCG Registry of Reserved TPM 2.0 Handles), with the index of their certificate. */
export const ENDORSEMENT_KEYS = [
  {
    name: 'ECC P-256',
    kind: 'ecc',
    handle: PERSISTENT.eccEk,
    certificate: EK_NV.eccP256Certificate,
    template: EK_ECC_P256,
  },
  {
    name: 'RSA 2048',
    kind: 'rsa',
    handle: PERSISTENT.rsaEk,
    certificate: EK_NV.rsa2048Certificate,
    template: EK_RSA_2048,
  },
  {
    name: 'ECC P-384',
    kind: 'ecc',
    handle: 0x81010016,
    certificate: EK_NV.eccP384HighCertificate,
    template: undefined,
  },
] as const satisfies readonly {
  readonly name: string;
  readonly kind: KeyKind;
  readonly handle: number;
  readonly certificate: number;
  /** How the key is made when it is not persistent. */
  readonly template: TpmPublic | undefined;
}[];

export interface EndorsementKey {
  readonly name: (typeof ENDORSEMENT_KEYS)[number]['name'];
  readonly key: TpmKey;
  /** X.509, DER; `undefined` when the manufacturer put none into the TPM. Its chain is for the caller to verify. */
  readonly certificate: Uint8Array | undefined;
}

/**
 * The endorsement key, one with a certificate first, and of those with one the first in the order of `ENDORSEMENT_KEYS`. Its
 * certificate must be verified, and be about this very key (`key.publicKey`).
 */
export async function openEndorsementKey(tpm: TpmClient, kind?: KeyKind): Promise<EndorsementKey> {
  const present = new Set(await tpm.handles(HANDLE_TYPES.nvIndex));
  const candidates = ENDORSEMENT_KEYS.filter((each) => kind === undefined || each.kind === kind);
  const certified = candidates.filter(({ certificate }) => present.has(certificate));
  for (const { name, handle, certificate, template } of certified) {
    const key = (await tpm.persistentKey(handle)) ?? (template && (await tpm.createPrimary('endorsement', template)));
    if (key !== undefined) return { name, key, certificate: derOf(await tpm.nvRead(certificate)) };
  }
  const { name, handle, template } = candidates[0]!;
  const key = (await tpm.persistentKey(handle)) ?? (await tpm.createPrimary('endorsement', template!));
  return { name, key, certificate: undefined };
}

/** The certificate of an endorsement key, DER; `undefined` when the TPM has none of that kind. */
export async function ekCertificate(tpm: TpmClient, kind: KeyKind): Promise<Uint8Array | undefined> {
  const present = new Set(await tpm.handles(HANDLE_TYPES.nvIndex));
  const found = ENDORSEMENT_KEYS.find((each) => each.kind === kind && present.has(each.certificate));
  return found && derOf(await tpm.nvRead(found.certificate));
}

/** An NV index may be larger than the certificate in it: what follows the SEQUENCE is filling. */
function derOf(contents: Uint8Array): Uint8Array {
  const [tag, first = 0] = contents;
  const octets = first & 0x80 ? first & 0x7f : 0;
  if (tag !== 0x30 || octets > 3) throw new Tpm2Error('peer', 'tpm2.nv', 'the NV index holds no certificate');
  const length = octets === 0 ? first : contents.subarray(2, 2 + octets).reduce((sum, each) => sum * 256 + each, 0);
  const size = 2 + octets + length;
  if (size > contents.length) throw new Tpm2Error('peer', 'tpm2.nv', 'the certificate in the NV index is cut short');
  return contents.subarray(0, size);
}

/** Signs with a key in a TPM; what `Signer` of @enerchain/pki asks for. */
export class TpmSigner {
  readonly algorithm = 'ES256';
  readonly origin = 'tpm';
  readonly publicKey: KeyObject;
  readonly key: TpmKey;
  /** Signatures per second that the TPM can keep up with; `undefined`: no limit that matters. */
  readonly rate: number | undefined;
  readonly #tpm: TpmClient;

  /** @throws Tpm2Error (fault caller) when the key is not on P-256, or signs nothing from outside */
  constructor(tpm: TpmClient, key: TpmKey, rate?: number) {
    const { public: area } = key;
    if (
      area.type !== 'ecc' ||
      area.curve !== 'nist_p256' ||
      !area.attributes.includes('sign') ||
      area.attributes.includes('restricted')
    ) {
      throw new Tpm2Error('caller', 'tpm2.key', 'only an unrestricted signing key on P-256 can be a signer');
    }
    this.#tpm = tpm;
    this.key = key;
    this.publicKey = key.publicKey;
    this.rate = rate;
  }

  /** @param data what is to be signed, not its hash. @returns r‖s, 64 octets */
  async sign(data: Uint8Array): Promise<Uint8Array> {
    const signature = await this.#tpm.sign(this.key, digest('sha256', data));
    const pair = signature.scheme === 'ecdsa' ? ecdsaPair(signature.r, signature.s, CURVES.nist_p256.size) : undefined;
    if (pair === undefined)
      throw new Tpm2Error('peer', 'tpm2.signature', `${this.#tpm.description} gave no ECDSA signature`);
    return pair;
  }
}
