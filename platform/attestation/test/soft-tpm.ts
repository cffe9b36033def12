/** A TPM as far as attestation needs one, with its keys in the open: what it does wrong is for the test to say. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { certificateFromPem } from '@enerchain/pki';
import {
  type Attest,
  attestationKey,
  encodeAttest,
  encodeSignature,
  extendPcr,
  fromKeyObject,
  initialPcr,
  type ObjectAttribute,
  type PcrBank,
  type PcrSelection,
  pcrDigest,
  TpmKey,
  type TpmPublic,
} from '@enerchain/tpm2';
import type { Assurance, DevelopmentCa, Holder, Signer } from '@enerchain/trust';
import type { QuotingTpm } from '../src/index.ts';
import type { World } from './world.ts';

export class SoftTpm implements QuotingTpm {
  readonly description = 'a TPM of this test';
  readonly #key: KeyObject;
  readonly publicKey: KeyObject;
  readonly area: TpmPublic;
  readonly pcrs = new Map<number, Uint8Array>();
  clock = 1000n;
  resetCount = 3;
  restartCount = 0;
  safe = true;
  firmwareVersion = 0x20191023_00163636n;
  /** Changes what is signed. */
  forge: (attest: Attest) => Attest = (attest) => attest;
  quotes = 0;

  constructor(attributes: readonly ObjectAttribute[] = attestationKey().attributes) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#key = privateKey;
    this.publicKey = publicKey;
    this.area = fromKeyObject(publicKey, { attributes, scheme: { scheme: 'ecdsa', hash: 'sha256' } });
    this.boot();
  }

  get ak(): TpmKey {
    return new TpmKey(this.area, new Uint8Array(0));
  }

  /** The key as if it were in a file: what a TPM never does with such a key. */
  get signer(): Signer {
    return {
      algorithm: 'ES256',
      origin: 'file',
      publicKey: this.publicKey,
      sign: (data) => sign('sha256', data, { key: this.#key, dsaEncoding: 'ieee-p1363' }),
    };
  }

  /** Power off and on. */
  boot(): void {
    this.resetCount++;
    for (let pcr = 0; pcr < 24; pcr++) this.pcrs.set(pcr, initialPcr('sha256', pcr));
  }

  async pcrRead([selection]: readonly PcrSelection[]): Promise<readonly PcrBank[]> {
    const values = new Map((selection?.pcrs ?? []).map((pcr) => [pcr, this.pcrs.get(pcr) as Uint8Array]));
    return [{ hash: 'sha256', values }];
  }

  async pcrExtend(pcr: number, digests: ReadonlyMap<string, Uint8Array>): Promise<void> {
    this.pcrs.set(pcr, extendPcr('sha256', this.pcrs.get(pcr) as Uint8Array, digests.get('sha256') as Uint8Array));
  }

  async quote(_key: TpmKey, extraData: Uint8Array, selection: readonly PcrSelection[]) {
    this.quotes++;
    this.clock += 100n;
    const pcrs = await this.pcrRead(selection);
    const attest = encodeAttest(
      this.forge({
        qualifiedSigner: new Uint8Array(34),
        extraData,
        clockInfo: {
          clock: this.clock,
          resetCount: this.resetCount,
          restartCount: this.restartCount,
          safe: this.safe,
        },
        firmwareVersion: this.firmwareVersion,
        attested: { type: 'quote', pcrs: [...selection], pcrDigest: pcrDigest('sha256', pcrs) },
      }),
    );
    const pair = sign('sha256', attest, { key: this.#key, dsaEncoding: 'ieee-p1363' });
    const signature = encodeSignature({
      scheme: 'ecdsa',
      hash: 'sha256',
      r: pair.subarray(0, 32),
      s: pair.subarray(32),
    });
    return { attest, signature, pcrs };
  }
}

/** The certificate of an attestation key, as the authority of the world issues it, DER. */
export async function akCertificate(
  world: World,
  holder: Holder,
  publicKey: KeyObject,
  more: { assurance?: readonly Assurance[]; ca?: DevelopmentCa } = {},
): Promise<Uint8Array> {
  const { assurance = ['tpm'], ca = world.ca } = more;
  return certificateFromPem(await ca.issueAttestation(publicKey, { ...holder, assurance })).der;
}
