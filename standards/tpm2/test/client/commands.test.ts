import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { password, policy } from '../../src/client/command-frame.ts';
import {
  attestationKey,
  COMMANDS,
  tpmCommands as c,
  decodeResponse,
  digest,
  EK_POLICY_SHA256,
  encodeCommand,
  fromKeyObject,
  HANDLES,
  identityKey,
  nvName,
  objectName,
  parseSignature,
  Tpm2Error,
  type TpmCommand,
  toKeyObject,
  verifySignature,
} from '../../src/index.ts';
import { responseCode } from '../../src/spec/response-codes.ts';
import { commandOf, names, type Recorded, responseOf } from './recording.ts';

const none = new Uint8Array(0);
const decoded = <T>(command: TpmCommand<T>, name: Recorded): T => decodeResponse(command, responseOf(name));
const createPrimary = c.createPrimary('endorsement', attestationKey(), none, none);
const ak = decoded(createPrimary, 'createPrimary');
const create = c.create(0x80000002, identityKey(), none, none);
const child = decoded(create, 'create');
const nonce = Buffer.from('nonce');
const selection = [{ hash: 'sha256', pcrs: [0, 7] }] as const;
const secret = Buffer.from('a credential');
const makeCredential = c.makeCredentialInTpm(0x81010001, secret, ak.name);
const credential = decoded(makeCredential, 'makeCredential');
const start = c.startPolicySession(commandOf('startAuthSession').subarray(20, 36), 'sha256');
const session = decoded(start, 'startAuthSession');
const activate = (handle: number) => c.activateCredential(handle, none, 0x81010001, policy(session.handle), credential);

const COMMANDS_AS_RECORDED: Readonly<Record<Recorded, TpmCommand<unknown>>> = {
  startup: c.startup('clear'),
  selfTest: c.selfTest(true),
  getRandom: c.getRandom(8),
  getHandles: c.getHandles(0x81000000),
  getPcrBanks: c.getPcrBanks(),
  readClock: c.readClock(),
  pcrExtend: c.pcrExtend(
    16,
    new Map([
      ['sha256', Buffer.alloc(32, 1)],
      ['sha1', Buffer.alloc(20, 2)],
    ]),
  ),
  pcrRead: c.pcrRead([
    { hash: 'sha256', pcrs: [0, 16] },
    { hash: 'sha1', pcrs: [16] },
  ]),
  pcrReset: c.pcrReset(16),
  createPrimary,
  readPublic: c.readPublicArea(ak.handle),
  quote: c.quote(ak.handle, none, nonce, selection),
  certify: c.certify(0x80000001, none, ak.handle, none, nonce),
  sign: c.sign(0x80000001, none, digest('sha256', Buffer.from('hello'))),
  hash: c.hash(Buffer.from('hello'), 'sha256', 'owner'),
  create,
  load: c.load(0x80000002, child.private, child.public, none),
  contextSave: c.contextSave(0x80000000),
  flushContext: c.flushContext(0x80000000),
  contextLoad: c.contextLoad(commandOf('contextLoad').subarray(10)),
  loadExternal: c.loadExternal(fromKeyObject(toKeyObject(ak.public), { attributes: ['userWithAuth', 'sign'] }), 'null'),
  evictControl: c.evictControl('owner', 0x80000001, 0x81000010, none),
  nvReadPublic: c.nvReadPublic(0x01c00016),
  nvRead: c.nvRead(0x01c00016, none, 0x01c00016, 842, 0),
  makeCredential,
  startAuthSession: start,
  policySecret: c.policySecret(HANDLES.endorsement, none, session.handle),
  activateCredential: activate(0x80000001),
  refused: activate(0x80000002),
  shutdown: c.shutdown('clear'),
};

describe('commands', () => {
  it.each(names)('%s is written octet by octet as it was recorded', (name) => {
    expect(Buffer.from(encodeCommand(COMMANDS_AS_RECORDED[name])).toString('hex')).toBe(
      Buffer.from(commandOf(name)).toString('hex'),
    );
  });

  it('a frame is tag, size, code, handles, authorisations, parameters', () => {
    const bytes = encodeCommand(c.quote(0x80000000, Buffer.from('pw'), Buffer.of(0xaa), selection));
    expect(Buffer.from(bytes).toString('hex')).toBe(
      `8002 0000002c 00000158 80000000 0000000b 40000009 0000 01 0002 7077 0001 aa 0010 00000001 000b 03 810000`.replaceAll(
        ' ',
        '',
      ),
    );
  });

  it('the endorsement policy is PolicySecret of the endorsement hierarchy', () => {
    const first = digest('sha256', new Uint8Array(32), Buffer.of(0, 0, 1, 0x51), Buffer.of(0x40, 0, 0, 0x0b));
    expect(Buffer.from(digest('sha256', first))).toEqual(Buffer.from(EK_POLICY_SHA256));
  });

  it('the codes are those of the specification', () => {
    expect(COMMANDS).toMatchObject({ Quote: 0x158, Certify: 0x148, PCR_Extend: 0x182, GetCapability: 0x17a });
    expect(new Set(Object.values(COMMANDS)).size).toBe(Object.keys(COMMANDS).length);
  });
});

describe('responses', () => {
  it('are read as recorded', () => {
    expect(Buffer.from(ak.name)).toEqual(Buffer.from(objectName(ak.public)));
    expect(decoded(c.readPublicArea(ak.handle), 'readPublic').name).toEqual(ak.name);
    const nv = decoded(c.nvReadPublic(0), 'nvReadPublic');
    expect(nv.public).toMatchObject({ index: 0x01c00016, type: 'ordinary', dataSize: 842 });
    expect(nv.public.attributes).toContain('authRead');
    expect(Buffer.from(nv.name)).toEqual(Buffer.from(nvName(nv.public)));
    expect(decoded(c.nvRead(0, none, 0, 842, 0), 'nvRead')).toHaveLength(842);
    expect(decoded(c.getHandles(0), 'getHandles').values).toEqual([0x81010001, 0x81010016]);
    const banks = decoded(c.getPcrBanks(), 'getPcrBanks').values;
    expect(banks.filter(({ pcrs }) => pcrs.length > 0).map(({ hash }) => hash)).toEqual(['sha1', 'sha256', 'sha384']);
    const pcrs = decoded(c.pcrRead([]), 'pcrRead');
    expect(pcrs.digests.map(({ length }) => length)).toEqual([32, 32, 20]);
    expect(decoded(activate(0), 'activateCredential')).toEqual(secret);
    expect(decoded(c.readClock(), 'readClock').clockInfo).toMatchObject({ resetCount: 2, safe: true });
    const quoted = decoded(c.quote(0, none, none, []), 'quote');
    expect(quoted.attest.subarray(0, 4)).toEqual(Buffer.from('ff544347', 'hex'));
    expect(decoded(c.hash(none, 'sha256', 'owner'), 'hash').digest).toEqual(digest('sha256', Buffer.from('hello')));
  });

  it('a signature holds over what was signed', () => {
    const { attest, signature } = decoded(c.quote(0, none, none, []), 'quote');
    expect(verifySignature(ak.public, attest, parseSignature(signature))).toBe(true);
  });

  it('a refusal says which command, what, and about which parameter', () => {
    expect(() => decoded(activate(0), 'refused')).toThrow(
      'TPM2_ActivateCredential was refused with TPM_RC_INTEGRITY (parameter 1): integrity check failed',
    );
    try {
      decoded(activate(0), 'refused');
    } catch (error) {
      expect((error as Tpm2Error).refusal).toEqual({
        command: 'TPM2_ActivateCredential',
        responseCode: 0x1df,
        name: 'TPM_RC_INTEGRITY',
        about: { kind: 'parameter', number: 1 },
      });
    }
  });

  it.each([
    [0x000, 'TPM_RC_0x000', undefined],
    [0x01e, 'TPM_RC_BAD_TAG', undefined],
    [0x100, 'TPM_RC_INITIALIZE', undefined],
    [0x902, 'TPM_RC_OBJECT_MEMORY', undefined],
    [0x911, 'TPM_RC_REFERENCE_H1', undefined],
    [0x922, 'TPM_RC_RETRY', undefined],
    [0x18b, 'TPM_RC_HANDLE', { kind: 'handle', number: 1 }],
    [0x2d2, 'TPM_RC_SCHEME', { kind: 'parameter', number: 2 }],
    [0x98e, 'TPM_RC_AUTH_FAIL', { kind: 'session', number: 1 }],
    [0x9a2, 'TPM_RC_BAD_AUTH', { kind: 'session', number: 1 }],
    [0x5c4, 'TPM_RC_VALUE', { kind: 'parameter', number: 5 }],
    [0x7ff, 'TPM_RC_0x7ff', { kind: 'parameter', number: 7 }],
  ])('code 0x%s is taken apart', (code, name, about) => {
    expect(responseCode(code)).toMatchObject({ name });
    expect(responseCode(code).about).toEqual(about);
  });

  it.each(names.filter((name) => name !== 'startup' && name !== 'refused'))(
    '%s cut short anywhere is refused',
    (name) => {
      const whole = responseOf(name);
      const command = COMMANDS_AS_RECORDED[name];
      expect(() => decodeResponse(command, whole)).not.toThrow();
      for (let size = 0; size < whole.length; size++) {
        const cut = Uint8Array.from(whole.subarray(0, size));
        expect(() => decodeResponse(command, cut)).toThrow(Tpm2Error);
        // With a header that says so.
        if (size < 10) continue;
        new DataView(cut.buffer).setUint32(2, size);
        if (name !== 'contextSave') expect(() => decodeResponse(command, cut)).toThrow(Tpm2Error);
      }
    },
  );

  it('of any octets are read or refused with a typed error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(2000), fc.nat(255), (name, at, value) => {
        const bytes = Uint8Array.from(responseOf(name));
        bytes[at % bytes.length] = value;
        try {
          decodeResponse(COMMANDS_AS_RECORDED[name], bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Tpm2Error);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('with a session where none was sent, or the other way round, is refused', () => {
    expect(() => decodeResponse({ ...c.getRandom(8), authorizations: [password()] }, responseOf('getRandom'))).toThrow(
      'other sessions',
    );
  });
});
