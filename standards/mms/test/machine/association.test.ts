import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MmsPdu } from '../../src/codec/pdu.ts';
import { Association, negotiate } from '../../src/machine/association.ts';
import { DEFAULT_ASSOCIATION } from '../../src/machine/defaults.ts';
import { DIAGNOSTIC, OID } from '../../src/upper/acse.ts';
import { random, unhex } from '../support/fuzz.ts';
import { Wire } from '../support/wire.ts';

const read: MmsPdu = { kind: 'confirmedRequest', value: { invokeId: 1, service: { kind: 'identify', value: null } } };
const initiate = DEFAULT_ASSOCIATION.initiate;

describe('associating', () => {
  test('both sides agree on the smaller of both offers', () => {
    const offer = { ...initiate, localDetail: 5000, outstandingCalling: 3 };
    const wire = new Wire(
      { initiate: { ...initiate, outstandingCalled: 2, nesting: 5 } },
      { initiate: offer },
    ).connect();
    const agreed = { ...initiate, localDetail: 5000, outstandingCalling: 3, outstandingCalled: 2, nesting: 5 };
    expect(wire.of('initiator')).toEqual([{ kind: 'associated', initiate: agreed }]);
    expect(wire.of('responder').at(-1)).toEqual({ kind: 'associated', initiate: agreed });
    expect(negotiate(initiate, offer).localDetail).toBe(5000);
  });

  test('a password is shown to the responder, who may refuse', () => {
    const authentication = { mechanism: OID.password, value: { kind: 'charstring', value: 'secret' } } as const;
    const wire = new Wire({ authentication }).connect({ accept: false });
    expect(wire.of('responder')[0]).toMatchObject({ kind: 'asked', authentication });
    wire.run('responder', wire.responder.refuse(DIAGNOSTIC.authenticationFailure));
    expect(wire.closedWith('initiator')).toBe('association.refused');
    expect(wire.closedWith('responder')).toBe('association.refused');
  });

  test('time-outs: no association, and an idle peer of a responder', () => {
    const alone = new Association('initiator', DEFAULT_ASSOCIATION);
    alone.start(100);
    expect(alone.deadline).toBe(10_100);
    expect(alone.tick(10_099)).toEqual([]);
    expect(alone.tick(10_100)).toMatchObject([{ kind: 'closed', error: { code: 'association.timeout' } }]);
    const wire = new Wire({}, { idleTimeout: 500 }).connect();
    expect(wire.responder.deadline).toBe(500);
    wire.run('initiator', wire.initiator.send(read));
    wire.run('responder', wire.responder.tick(500));
    expect(wire.closedWith('responder')).toBe('association.idle');
    expect(wire.closedWith('initiator')).toBe('association.aborted');
    expect(wire.initiator.deadline).toBeUndefined();
  });
});

describe('associated', () => {
  test('PDUs go both ways in TPDUs of the agreed size', () => {
    const wire = new Wire({ tpduSize: 128 }).connect();
    const long: MmsPdu = {
      kind: 'confirmedResponse',
      value: {
        invokeId: 1,
        service: { kind: 'fileRead', value: { data: new Uint8Array(5000).fill(3), moreFollows: false } },
      },
    };
    wire.run('initiator', wire.initiator.send(read));
    wire.run('responder', wire.responder.send(long));
    expect(wire.of('responder').at(-1)).toEqual({ kind: 'pdu', pdu: read });
    expect(wire.of('initiator').at(-1)).toEqual({ kind: 'pdu', pdu: long });
    for (const bytes of [...wire.sent.initiator, ...wire.sent.responder]) expect(bytes.length).toBeLessThanOrEqual(132);
  });

  test('a PDU that is larger than agreed is not sent', () => {
    const wire = new Wire({ initiate: { ...initiate, localDetail: 1000 } }).connect();
    const data = new Uint8Array(1000);
    const pdu: MmsPdu = {
      kind: 'confirmedResponse',
      value: { invokeId: 1, service: { kind: 'fileRead', value: { data, moreFollows: true } } },
    };
    expect(() => wire.responder.send(pdu)).toThrow('1000 are agreed');
  });

  test('abort, loss and end', () => {
    const aborted = new Wire().connect();
    aborted.run('initiator', aborted.initiator.abort());
    expect([aborted.closedWith('initiator'), aborted.closedWith('responder')]).toEqual(['none', 'association.aborted']);
    expect(() => aborted.initiator.send(read)).toThrow('no association');
    const lost = new Wire().connect();
    expect(lost.initiator.lost(new Error('reset'))).toMatchObject([
      { kind: 'closed', error: { fault: 'environment' } },
    ]);
    expect(lost.initiator.lost()).toEqual([]);
    expect(lost.responder.end()).toEqual([{ kind: 'closed' }]);
  });

  test('a release is answered', () => {
    const wire = new Wire().connect();
    // TPKT, DT, FINISH with RLRQ in context 1.
    wire.run('responder', wire.responder.receive(unhex('0300001902f0800910c10e610c300a020101a0056203800100'), 0));
    expect(wire.closedWith('responder')).toBe('none');
    expect(Buffer.from(wire.sent.responder.at(-1)!).toString('hex')).toContain('6303800100');
  });
});

describe('a peer that breaks rules is aborted', () => {
  test.each([
    ['what is not TPKT', '16030100', 'tpkt.version'],
    ['data without a connection', '0300000702f080', 'association.unexpected'],
    ['a CC to a responder', '0300000b06d00001000200', 'association.unexpected'],
  ])('%s', (_, text, code) => {
    const responder = new Association('responder', DEFAULT_ASSOCIATION);
    responder.start(0);
    expect(responder.receive(unhex(text), 0).at(-1)).toMatchObject({ kind: 'closed', error: { code, fault: 'peer' } });
    expect(responder.receive(unhex(text), 0)).toEqual([]);
  });

  test('a PDU that cannot be decoded', () => {
    const wire = new Wire().connect();
    wire.run('responder', wire.responder.receive(unhex('0300001802f08001000100610b3009020103a004a002ffff'), 0));
    expect(wire.closedWith('responder')).toBe('ber.tag');
    expect(wire.closedWith('initiator')).toBe('association.aborted');
  });

  test('a message without end', () => {
    const wire = new Wire().connect();
    const part = new Uint8Array(8007);
    part.set(unhex('03001f4702f000'));
    for (let i = 0; i < 20; i++) wire.run('responder', wire.responder.receive(part, 0));
    expect(wire.closedWith('responder')).toBe('cotp.tsdu');
  });

  test('octets of an association with changes anywhere: closed or going on, and no bug', () => {
    const good = new Wire().connect();
    good.run('initiator', good.initiator.send(read));
    const next = random(11);
    fc.assert(
      fc.property(fc.nat(), () => {
        const responder = new Association('responder', DEFAULT_ASSOCIATION);
        responder.start(0);
        for (const original of good.sent.initiator) {
          const bytes = original.slice();
          for (let changes = next() % 3; changes > 0; changes--) bytes[next() % bytes.length] = next();
          for (const effect of responder.receive(bytes, 0)) {
            if (effect.kind === 'closed' && effect.error) expect(effect.error.fault).toBe('peer');
            if (effect.kind === 'asked') responder.accept(0);
          }
        }
      }),
      { numRuns: 800 },
    );
  });
});
