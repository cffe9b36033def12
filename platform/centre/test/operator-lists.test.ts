import { generateKeyPairSync } from 'node:crypto';
import type { OperatorKeyList } from '@enerchain/model';
import { FileKeySigner } from '@enerchain/pki';
import { acceptOperatorList, encodeOperatorList, OPERATORS_METHOD } from '@enerchain/trust';
import { SoftwareAuthenticator } from '@enerchain/trust/testing';
import pino from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { Findings } from '../src/ingest/findings.ts';
import { OperatorLists } from '../src/sources/operators.ts';
import type { SourceSession } from '../src/sources/registry.ts';
import { MemoryLog, TestClock } from './doubles.ts';

const anna = new SoftwareAuthenticator('anna');
const bert = new SoftwareAuthenticator('bert');
const signer = FileKeySigner.fromPem(
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
);
const listOf = (version: number, ...who: SoftwareAuthenticator[]) => {
  const payload = encodeOperatorList({ version, keys: who.map(({ entry }) => entry) });
  return { payload, approval: version === 1 ? undefined : anna.approveList(payload) };
};
const ALL = [listOf(1, anna), listOf(2, anna, bert), listOf(3, anna)];

/** A gateway that takes lists as a real one does. */
class Edge implements SourceSession {
  readonly from = 'test';
  held: OperatorKeyList | undefined;
  asked = 0;
  command(): void {}
  close(): void {}
  async request(method: string, params: unknown) {
    expect(method).toBe(OPERATORS_METHOD);
    this.asked++;
    for (const each of (params as { documents: Uint8Array[] }).documents)
      this.held = acceptOperatorList(each, this.held, () => signer.publicKey);
    return { version: this.held!.version };
  }
}

let log: MemoryLog;
let lists: OperatorLists;
let known: typeof ALL;
const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};
const hear = async (edge: Edge) => {
  lists.heard('edge-a', edge, { challenge: new Uint8Array(16), operators: edge.held?.version ?? 0 });
  await settle();
};

beforeEach(() => {
  const clock = new TestClock();
  log = new MemoryLog(clock);
  lists = new OperatorLists({
    signing: () => ({ signer, kid: Buffer.alloc(32, 1) }),
    findings: new Findings(log, pino({ level: 'silent' }), clock),
  });
  known = ALL.slice(0, 2);
  lists.attach({
    get version() {
      return known.length;
    },
    listsAfter: (version) => (version === 0 ? known.slice(-1) : known.slice(version)),
  });
});

describe('the list of operators on its way to the gateways', () => {
  it('goes to one that holds none, to one that holds an older one, and to all when it changes', async () => {
    const edge = new Edge();
    await hear(edge);
    expect(edge.held?.version).toBe(2);
    await hear(edge);
    expect(edge.asked).toBe(1);
    known = ALL;
    lists.changed();
    lists.changed();
    await settle();
    expect([edge.held?.version, edge.asked]).toEqual([3, 2]);
    expect(log.alarms()).toEqual([]);
  });

  it('brings one that was away for long over every step', async () => {
    const edge = new Edge();
    known = ALL.slice(0, 1);
    await hear(edge);
    known = ALL;
    lists.left('edge-a', edge);
    lists.changed();
    await hear(edge);
    expect([edge.held?.version, edge.asked]).toEqual([3, 2]);
  });

  it('that a gateway refuses, or that is older than the one there, is an alarm until it is in order', async () => {
    const edge = new Edge();
    edge.held = { version: 9, keys: [anna.entry] };
    await hear(edge);
    await hear(edge);
    expect(log.alarms()).toMatchObject([
      { active: true, source: 'edge-a', message: /holds version 9, the centre has 2/ },
    ]);
    // Somebody else's list of version 1: what follows here is approved by nobody on it.
    edge.held = { version: 1, keys: [bert.entry] };
    await hear(edge);
    expect(edge.held.version).toBe(1);
    expect(log.alarms()).toHaveLength(1);
    edge.held = undefined;
    await hear(edge);
    expect(log.alarms().at(-1)).toMatchObject({ active: false });
  });

  it('is not minded by those who say nothing of it', async () => {
    const edge = new Edge();
    for (const params of [null, {}, { operators: -1 }, { operators: 'two' }]) lists.heard('edge-a', edge, params);
    await settle();
    expect(edge.asked).toBe(0);
  });
});
