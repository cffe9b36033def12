/** An authenticator in software, as a browser shows it to a page: for tests of whoever verifies what it signs. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { type CommandApproval, type ListApproval, newMrid, type OperatorKey } from '@enerchain/model';
import { type ApprovalSubject, approvalChallenge, encodeCbor, operatorListChallenge } from '../src/index.ts';

export interface Signing {
  readonly challenge: Uint8Array;
  readonly origin?: string;
  readonly type?: string;
  readonly flags?: number;
  readonly crossOrigin?: boolean;
}

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest();
const base64url = (data: Uint8Array) => Buffer.from(data).toString('base64url');

export class SoftwareAuthenticator {
  readonly id = randomBytes(16);
  readonly name: string;
  readonly rpId: string;
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;
  /** Grows with each signature; 0 stays 0, like authenticators that keep none. */
  counter: number;

  constructor(
    name: string,
    options: { readonly rpId?: string; readonly type?: 'ES256' | 'EdDSA'; readonly counter?: number } = {},
  ) {
    this.name = name;
    this.rpId = options.rpId ?? 'localhost';
    this.counter = options.counter ?? 1;
    const { publicKey, privateKey } =
      options.type === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  get credential(): string {
    return base64url(this.id);
  }

  /** Its entry in the list of operators. */
  get entry(): OperatorKey {
    const publicKey = base64url(this.publicKey.export({ type: 'spki', format: 'der' }));
    return { credentialId: this.credential, publicKey, name: this.name, rpId: this.rpId };
  }

  /** COSE_Key (RFC 9052 § 7). */
  coseKey(): Uint8Array {
    const jwk = this.publicKey.export({ format: 'jwk' });
    const part = (text: string | undefined) => Buffer.from(text ?? '', 'base64url');
    return encodeCbor(
      jwk.kty === 'EC'
        ? new Map<number, number | Uint8Array>([
            [1, 2],
            [3, -7],
            [-1, 1],
            [-2, part(jwk.x)],
            [-3, part(jwk.y)],
          ])
        : new Map<number, number | Uint8Array>([
            [1, 1],
            [3, -8],
            [-1, 6],
            [-2, part(jwk.x)],
          ]),
    );
  }

  /** What `navigator.credentials.create` gives. */
  create({ challenge, origin, type = 'webauthn.create', flags = 0x45, crossOrigin }: Signing, fmt = 'none') {
    const attested = Buffer.concat([Buffer.alloc(16), Buffer.from([0, this.id.length]), this.id, this.coseKey()]);
    const authData = Buffer.concat([this.#head(flags), flags & 0x40 ? attested : Buffer.alloc(0)]);
    return {
      clientDataJSON: this.#clientData(type, challenge, origin, crossOrigin),
      attestationObject: encodeCbor({ fmt, attStmt: {}, authData }),
    };
  }

  /** What `navigator.credentials.get` gives. */
  get({ challenge, origin, type = 'webauthn.get', flags = 0x05, crossOrigin }: Signing) {
    if (this.counter > 0) this.counter++;
    const authenticatorData = this.#head(flags);
    const clientDataJSON = this.#clientData(type, challenge, origin, crossOrigin);
    const signed = Buffer.concat([authenticatorData, sha256(clientDataJSON)]);
    const digest = this.publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return { authenticatorData, clientDataJSON, signature: sign(digest, signed, this.#privateKey) };
  }

  approve(subject: ApprovalSubject): CommandApproval {
    return { session: subject.session, ...this.#assertion(approvalChallenge(subject)) };
  }

  approveList(payload: Uint8Array): ListApproval {
    return this.#assertion(operatorListChallenge(payload));
  }

  #assertion(challenge: Uint8Array): ListApproval {
    const { authenticatorData, clientDataJSON, signature } = this.get({ challenge });
    return {
      credential: this.credential,
      authenticatorData: base64url(authenticatorData),
      clientData: base64url(clientDataJSON),
      signature: base64url(signature),
    };
  }

  #head(flags: number): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.counter);
    return Buffer.concat([sha256(this.rpId), Buffer.from([flags]), counter]);
  }

  #clientData(type: string, challenge: Uint8Array, origin?: string, crossOrigin = false): Buffer {
    const local = this.rpId === 'localhost' ? 'http://localhost:8080' : `https://${this.rpId}`;
    return Buffer.from(JSON.stringify({ type, challenge: base64url(challenge), origin: origin ?? local, crossOrigin }));
  }
}

/** Something that can be approved. */
export const approvalSubject = (fields: Partial<ApprovalSubject> = {}): ApprovalSubject => ({
  id: newMrid(),
  point: newMrid(),
  value: 2,
  target: 'edge-nord',
  test: false,
  requestedBy: 'anna',
  session: '0f'.repeat(16),
  ...fields,
});
