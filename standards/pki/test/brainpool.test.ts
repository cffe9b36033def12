/**
 * Signatures on Brainpool curves against the RFCs alone. No RFC holds ECDSA vectors for them, so they are made here: the curves of
 * RFC 5639, the keys of RFC 7027, the nonce of RFC 6979, in plain arithmetic that the vectors of RFC 6979 check first.
 */
import { createECDH, createHash, createHmac, createPublicKey, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import * as der from '../src/der-writer.ts';
import {
  ALGORITHMS,
  algorithmIdentifier,
  fileKeySource,
  type SignatureAlgorithm,
  signatureToDer,
  signedBy,
  TLS_TR03116_3,
  tlsClientOptions,
  toPem,
  verifyRaw,
} from '../src/index.ts';
import { authority } from './authority.ts';

interface Curve {
  readonly p: bigint;
  readonly a: bigint;
  readonly g: Point;
  readonly q: bigint;
}
type Point = readonly [x: bigint, y: bigint];

const n = (hex: string) => BigInt(`0x${hex}`);
const CURVES: Partial<Record<SignatureAlgorithm, Curve>> = {
  // FIPS 186-4 D.1.2.3
  ES256: {
    p: n('ffffffff00000001000000000000000000000000ffffffffffffffffffffffff'),
    a: n('ffffffff00000001000000000000000000000000fffffffffffffffffffffffc'),
    g: [
      n('6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296'),
      n('4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5'),
    ],
    q: n('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'),
  },
  // RFC 5639 § 3.4, § 3.6
  ESB256: {
    p: n('A9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377'),
    a: n('7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9'),
    g: [
      n('8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262'),
      n('547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997'),
    ],
    q: n('A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7'),
  },
  ESB384: {
    p: n('8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B412B1DA197FB71123ACD3A729901D1A71874700133107EC53'),
    a: n('7BC382C63D8C150C3C72080ACE05AFA0C2BEA28E4FB22787139165EFBA91F90F8AA5814A503AD4EB04A8C7DD22CE2826'),
    g: [
      n('1D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3DB7FCAFE0CBD10E8E826E03436D646AAEF87B2E247D4AF1E'),
      n('8ABE1D7520F9C2A45CB1EB8E95CFD55262B70B29FEEC5864E19C054FF99129280E4646217791811142820341263C5315'),
    ],
    q: n('8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B31F166E6CAC0425A7CF3AB6AF6B7FC3103B883202E9046565'),
  },
};

/** RFC 7027 appendix A: private and public keys of two parties, and the x coordinate of what they share. */
const RFC7027 = [
  {
    curve: 'brainpoolP256r1',
    algorithm: 'ESB256',
    a: [
      '81DB1EE100150FF2EA338D708271BE38300CB54241D79950F77B063039804F1D',
      '44106E913F92BC02A1705D9953A8414DB95E1AAA49E81D9E85F929A8E3100BE5',
      '8AB4846F11CACCB73CE49CBDD120F5A900A69FD32C272223F789EF10EB089BDC',
    ],
    b: [
      '55E40BC41E37E3E2AD25C3C6654511FFA8474A91A0032087593852D3E7D76BD3',
      '8D2D688C6CF93E1160AD04CC4429117DC2C41825E1E9FCA0ADDD34E6F1B39F7B',
      '990C57520812BE512641E47034832106BC7D3E8DD0E4C7F1136D7006547CEC6A',
    ],
    shared: '89AFC39D41D3B327814B80940B042590F96556EC91E6AE7939BCE31F3A18BF2B',
  },
  {
    curve: 'brainpoolP384r1',
    algorithm: 'ESB384',
    a: [
      '1E20F5E048A5886F1F157C74E91BDE2B98C8B52D58E5003D57053FC4B0BD65D6F15EB5D1EE1610DF870795143627D042',
      '68B665DD91C195800650CDD363C625F4E742E8134667B767B1B476793588F885AB698C852D4A6E77A252D6380FCAF068',
      '55BC91A39C9EC01DEE36017B7D673A931236D2F1F5C83942D049E3FA20607493E0D038FF2FD30C2AB67D15C85F7FAA59',
    ],
    b: [
      '032640BC6003C59260F7250C3DB58CE647F98E1260ACCE4ACDA3DD869F74E01F8BA5E0324309DB6A9831497ABAC96670',
      '4D44326F269A597A5B58BBA565DA5556ED7FD9A8A9EB76C25F46DB69D19DC8CE6AD18E404B15738B2086DF37E71D1EB4',
      '62D692136DE56CBE93BF5FA3188EF58BC8A3A0EC6C1E151A21038A42E9185329B5B275903D192F8D4E1F32FE9CC78C48',
    ],
    shared: '0BD9D3A7EA0B3D519D09D8E48D0785FB744A6B355E6304BC51C229FBBCE239BBADF6403715C35D4FB2A5444F575D4F42',
  },
] as const;

const mod = (value: bigint, m: bigint) => ((value % m) + m) % m;

function inverse(value: bigint, m: bigint): bigint {
  let [r, newR, t, newT] = [m, mod(value, m), 0n, 1n];
  while (newR > 0n) {
    const quotient = r / newR;
    [r, newR, t, newT] = [newR, r - quotient * newR, newT, t - quotient * newT];
  }
  return mod(t, m);
}

function add({ p, a }: Curve, one: Point | undefined, two: Point | undefined): Point | undefined {
  if (!one || !two) return one ?? two;
  const [[x1, y1], [x2, y2]] = [one, two];
  if (x1 === x2 && mod(y1 + y2, p) === 0n) return undefined;
  const slope = x1 === x2 ? (3n * x1 * x1 + a) * inverse(2n * y1, p) : (y2 - y1) * inverse(x2 - x1, p);
  const x = mod(slope * slope - x1 - x2, p);
  return [x, mod(slope * (x1 - x) - y1, p)];
}

function multiply(curve: Curve, factor: bigint): Point {
  let result: Point | undefined;
  let power: Point | undefined = curve.g;
  for (let rest = factor; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(curve, result, power);
    power = add(curve, power, power);
  }
  return result!;
}

const bytesOf = (value: bigint, size: number) => Buffer.from(value.toString(16).padStart(2 * size, '0'), 'hex');

/** ECDSA with the nonce of RFC 6979 § 3.2; the order has as many bits as the hash. @returns r‖s */
function sign(algorithm: SignatureAlgorithm, d: bigint, message: string): Buffer {
  const curve = CURVES[algorithm]!;
  const { hash, size } = ALGORITHMS[algorithm];
  const digest = createHash(hash).update(message).digest();
  const z = n(digest.toString('hex'));
  const mac = (key: Buffer, ...parts: Buffer[]) => createHmac(hash, key).update(Buffer.concat(parts)).digest();
  const seed = Buffer.concat([bytesOf(d, size), bytesOf(mod(z, curve.q), size)]);
  let v: Buffer = Buffer.alloc(size, 1);
  let k: Buffer = Buffer.alloc(size, 0);
  for (const octet of [0, 1]) {
    k = mac(k, v, Buffer.of(octet), seed);
    v = mac(k, v);
  }
  for (;;) {
    v = mac(k, v);
    const nonce = n(v.toString('hex'));
    if (nonce > 0n && nonce < curve.q) {
      const r = mod(multiply(curve, nonce)[0], curve.q);
      const s = mod(inverse(nonce, curve.q) * (z + r * d), curve.q);
      return Buffer.concat([bytesOf(r, size), bytesOf(s, size)]);
    }
    k = mac(k, v, Buffer.of(0));
    v = mac(k, v);
  }
}

function publicKey(algorithm: SignatureAlgorithm, [x, y]: Point): KeyObject {
  const { size, curveOid } = ALGORITHMS[algorithm];
  const identifier = der.sequence(der.objectIdentifier('1.2.840.10045.2.1'), der.objectIdentifier(curveOid));
  const point = Buffer.concat([Buffer.of(4), bytesOf(x, size), bytesOf(y, size)]);
  return createPublicKey({
    key: Buffer.from(der.sequence(identifier, der.bitString(point))),
    format: 'der',
    type: 'spki',
  });
}

describe('the arithmetic of these tests', () => {
  it('makes the signature of RFC 6979 A.2.5', () => {
    const d = n('C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721');
    expect(sign('ES256', d, 'sample').toString('hex').toUpperCase()).toBe(
      'EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716' +
        'F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8',
    );
  });
});

describe.each(RFC7027)('$curve', ({ curve, algorithm, a, b, shared }) => {
  const domain = CURVES[algorithm]!;

  it('has the keys and the shared secret of RFC 7027', () => {
    for (const [d, x, y] of [a, b]) {
      expect(multiply(domain, n(d))).toEqual([n(x), n(y)]);
      const party = createECDH(curve);
      party.setPrivateKey(d, 'hex');
      expect(party.getPublicKey('hex').toUpperCase()).toBe(`04${x}${y}`);
    }
    const alice = createECDH(curve);
    alice.setPrivateKey(a[0], 'hex');
    expect(alice.computeSecret(`04${b[1]}${b[2]}`, 'hex', 'hex').toUpperCase()).toBe(shared);
  });

  it('verifies the signatures of the keys of RFC 7027, and of nobody else', () => {
    for (const [own, other] of [
      [a, b],
      [b, a],
    ]) {
      const key = publicKey(algorithm, [n(own![1]), n(own![2])]);
      const stranger = publicKey(algorithm, [n(other![1]), n(other![2])]);
      for (const message of ['sample', 'test', '']) {
        const signature = sign(algorithm, n(own![0]), message);
        expect(verifyRaw(algorithm, key, Buffer.from(message), signature)).toBe(true);
        expect(verifyRaw(algorithm, key, Buffer.from(`${message}.`), signature)).toBe(false);
        expect(verifyRaw(algorithm, stranger, Buffer.from(message), signature)).toBe(false);
      }
    }
  });

  const { size } = ALGORITHMS[algorithm];
  const { q } = domain;
  const good = sign(algorithm, n(a[0]), 'sample');
  const [r, s] = [n(good.subarray(0, size).toString('hex')), n(good.subarray(size).toString('hex'))];
  it.each([
    ['r = 0', 0n, s],
    ['s = 0', r, 0n],
    ['both 0', 0n, 0n],
    ['r = q', q, s],
    ['s = q', r, q],
    ['r = q - 1', q - 1n, s],
    ['s = 1', r, 1n],
    ['r and s exchanged', s, r],
    ['all ones', (1n << BigInt(8 * size)) - 1n, (1n << BigInt(8 * size)) - 1n],
  ])('refuses a signature with %s', (_what, badR, badS) => {
    const key = publicKey(algorithm, [n(a[1]), n(a[2])]);
    const bad = Buffer.concat([bytesOf(badR, size), bytesOf(badS, size)]);
    expect(verifyRaw(algorithm, key, Buffer.from('sample'), bad)).toBe(false);
  });

  it('refuses signatures in certificates that are not DER', () => {
    const key = publicKey(algorithm, [n(a[1]), n(a[2])]);
    const toBeSigned = Buffer.from('sample');
    const object = (signature: Uint8Array) => ({
      der: toBeSigned,
      toBeSigned,
      signatureAlgorithm: ALGORITHMS[algorithm].oid,
      signature,
    });
    const whole = signatureToDer(good);
    expect(signedBy(object(whole), key)).toBe(true);
    const negative = der.sequence(der.integer(-1), der.unsignedInteger(good.subarray(size)));
    const larger = der.sequence(der.integer(r + q), der.integer(s));
    const padded = Buffer.concat([whole, Buffer.of(0)]);
    for (const bad of [negative, larger, padded, whole.subarray(0, -1), new Uint8Array(0)]) {
      expect(signedBy(object(bad), key)).toBe(false);
    }
    expect(algorithmIdentifier(algorithm)).toHaveLength(12);
  });
});

describe('RFC 8734 § 3', () => {
  it('names Brainpool in TLS 1.3 by code points of its own', async () => {
    const ca = await authority('x', undefined, { algorithm: 'ESB256' });
    const hello = new Promise<Buffer>((resolve) => {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', (chunk) => {
          resolve(chunk as Buffer);
          socket.destroy();
          server.close();
        });
      });
      server.listen(0, '127.0.0.1', () => {
        // Nobody answers: key and certificate are not needed before the server has spoken.
        const keys = { ...fileKeySource('', ''), options: () => ({}) };
        const options = tlsClientOptions(
          TLS_TR03116_3,
          { keys, ca: [toPem('CERTIFICATE', ca.certificate.der)] },
          false,
        );
        const client = connect({ ...options, host: '127.0.0.1', port: (server.address() as AddressInfo).port });
        client.on('error', () => {});
      });
      void once(server, 'close');
    });
    const bytes = await hello;
    // supported_groups (10): brainpoolP256r1 26, P384 27, P512 28 (RFC 7027) and their TLS 1.3 forms 31, 32, 33.
    expect(numbersOf(bytes, 10)).toEqual([26, 27, 28, 31, 32, 33, 23, 24]);
    // signature_algorithms (13): 0x081a and 0x081b.
    expect(numbersOf(bytes, 13)).toEqual([0x081a, 0x081b, 0x0403, 0x0503]);
  });
});

/** The list of 16-bit numbers in an extension of a ClientHello (RFC 8446 § 4.1.2). */
function numbersOf(record: Buffer, extension: number): number[] {
  let at = 5 + 4 + 2 + 32;
  at += 1 + record[at]!;
  at += 2 + record.readUInt16BE(at);
  at += 1 + record[at]!;
  const end = at + 2 + record.readUInt16BE(at);
  for (at += 2; at < end; ) {
    const [type, size] = [record.readUInt16BE(at), record.readUInt16BE(at + 2)];
    at += 4;
    if (type === extension) {
      const count = record.readUInt16BE(at) / 2;
      return Array.from({ length: count }, (_, i) => record.readUInt16BE(at + 2 + 2 * i));
    }
    at += size;
  }
  return [];
}
