/** A client that has the model from an SCL file asks for nothing that the file says, and tells what the device has otherwise. */
import type { Transport } from '@enerchain/transport';
import { PAIRS, until, VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  browse,
  checkDevice,
  Iec61850Client,
  Iec61850Server,
  Iec61850Session,
  outlineOf,
  type SessionGap,
} from '../../src/index.ts';
import { sampleModel } from './sample.ts';
import { bool } from './support.ts';

/** How the device differs from the file. */
const changed = (scd: string): string =>
  scd
    .replace('confRev="7"', 'confRev="9"')
    .replace(
      '<LN lnClass="GGIO" inst="1" lnType="GGIO"/>',
      '<LN lnClass="GGIO" inst="1" lnType="GGIO"/><LN lnClass="GGIO" inst="2" lnType="GGIO"/>',
    )
    .replace('<DO name="Hz" type="MV"/>', '<DO name="Hz" type="MV"/><DO name="TotVAr" type="MV"/>')
    .replace('<DA name="db" bType="INT32U" fc="CF"><Val>100</Val></DA>', '<DA name="db" bType="FLOAT32" fc="CF"/>')
    .replace('<Val>Example</Val>', '<Val>Another</Val>')
    .replace('indexed="true" intgPd', 'indexed="false" intgPd');

describe.each(PAIRS)('a model from SCL over $name', (pair) => {
  async function connected(served = sampleModel(), model: typeof served | undefined = undefined) {
    const clock = new VirtualClock();
    const server = new Iec61850Server(served, {
      clock,
      controls: { 'BCU1CTRL/GGIO1.SPCSO4': { operate: () => undefined } },
    });
    onTestFinished(() => server.close());
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    server.attach(right);
    let writes = 0;
    const counted: Transport = Object.create(left, {
      write: {
        value: (bytes: Uint8Array) => {
          writes++;
          left.write(bytes);
        },
      },
      bufferedBytes: { get: () => left.bufferedBytes },
      remote: { value: left.remote },
      open: { value: left.open.bind(left) },
      end: { value: left.end.bind(left) },
      destroy: { value: left.destroy.bind(left) },
      pause: { value: left.pause.bind(left) },
      resume: { value: left.resume.bind(left) },
    });
    const client = await Iec61850Client.connect(counted, { clock, ...(model ? { model } : {}) });
    const before = writes;
    return { client, server, clock, sent: () => writes - before };
  }

  test('browsing a device and reading its file give the same model', async () => {
    const model = sampleModel();
    const { client } = await connected(model);
    const browsed = await browse(client);
    const fromFile = outlineOf(model);
    expect(browsed.size).toBeGreaterThan(100);
    expect([...browsed].sort()).toEqual([...fromFile].sort());
    expect(fromFile.get('BCU1CTRL/GGIO1.SPCSO1.stVal [ST]')).toBe('boolean');
    expect(fromFile.get('BCU1CTRL/LLN0.urcb02 [RP]')).toBe('control block');
    expect(await checkDevice(client, model, 'attributes')).toEqual([]);
  });

  test('types of the file are those that the device tells, and nothing is asked for them', async () => {
    const model = sampleModel();
    const plain = await connected(model);
    const knowing = await connected(model, model);
    for (const [reference, fc] of [
      ['BCU1CTRL/GGIO1.SPCSO4', 'CO'],
      ['BCU1CTRL/GGIO1.SPCSO5.Oper', 'CO'],
      ['BCU1CTRL/MMXU1.TotW', 'MX'],
      ['BCU1CTRL/LLN0.NamPlt.vendor', 'DC'],
    ] as const)
      expect(await knowing.client.type(reference, fc)).toEqual(await plain.client.type(reference, fc));
    expect(knowing.sent()).toBe(0);
    // A control: its model is read, it is selected and operated; no type is asked for.
    expect(await knowing.client.operate('BCU1CTRL/GGIO1.SPCSO4', bool(true))).toMatchObject({ ok: true });
    expect(knowing.sent()).toBe(3);
  });

  test('a reference that is not in the file is told before anything is sent', async () => {
    const model = sampleModel();
    const { client, sent } = await connected(model, model);
    const wrong: [() => Promise<unknown>, string][] = [
      [() => client.read('BCU2CTRL/GGIO1.SPCSO1.stVal', 'ST'), 'there is no logical device BCU2CTRL'],
      [() => client.read('BCU1CTRL/GGIO9.SPCSO1.stVal', 'ST'), 'BCU1CTRL has no logical node GGIO9'],
      [() => client.read('BCU1CTRL/GGIO1.SPCSO1.stval', 'ST'), 'GGIO1.ST.SPCSO1 has no stval'],
      [() => client.read('BCU1CTRL/GGIO1.SPCSO1.stVal', 'MX'), 'GGIO1 has no MX'],
      [() => client.write('BCU1CTRL/GGIO1.SPCSO7.ctlModel', 'CF', bool(true)), 'GGIO1.CF has no SPCSO7'],
      [() => client.operate('BCU1CTRL/GGIO1.SPCSO7', bool(true)), 'has no SPCSO7'],
      [() => client.subscribe('BCU1CTRL/LLN0.BR.brcb01', { onReport: () => {} }), 'no control block brcb01 [BR]'],
      [() => client.readDataSet('BCU1CTRL/LLN1.Switches'), 'no logical node LLN1'],
      [() => client.createDataSet('@x', [{ reference: 'BCU1CTRL/GGIO1.No', fc: 'ST' }]), 'has no No'],
    ];
    for (const [call, why] of wrong) {
      const error = await call().catch((e: unknown) => e);
      expect(error).toMatchObject({ fault: 'caller', code: 'model.reference', message: expect.stringContaining(why) });
    }
    expect(sent()).toBe(0);
    expect(await client.read('BCU1CTRL/GGIO1.SPCSO1.stVal', 'ST')).toEqual(bool(false));
  });

  test('what a device has otherwise than its file says', async () => {
    const model = sampleModel();
    const { client } = await connected(sampleModel(changed), model);
    const revisions = [
      { kind: 'missing', reference: 'BCU1CTRL/LLN0.urcb01 [RP]', expected: '1', actual: undefined },
      { kind: 'missing', reference: 'BCU1CTRL/LLN0.urcb02 [RP]', expected: '1', actual: undefined },
      { kind: 'configuration-revision', reference: 'BCU1CTRL/LLN0.brcb [BR]', expected: '7', actual: '9' },
      { kind: 'name-plate', reference: 'BCU1CTRL/LLN0.NamPlt.vendor', expected: 'Example', actual: 'Another' },
    ];
    expect(await checkDevice(client, model, 'revisions')).toEqual(revisions);
    const block = (reference: string) => ({ kind: 'missing', reference, expected: 'control block', actual: undefined });
    const more = (reference: string, actual: string) => ({
      kind: 'additional',
      reference,
      expected: undefined,
      actual,
    });
    const nodes = await checkDevice(client, model, 'nodes');
    expect(nodes).toEqual([
      block('BCU1CTRL/LLN0.urcb01 [RP]'),
      block('BCU1CTRL/LLN0.urcb02 [RP]'),
      more('BCU1CTRL/LLN0.urcb [RP]', 'control block'),
      more('BCU1CTRL/GGIO2', 'logical node'),
      ...revisions.slice(2),
    ]);
    const all = await checkDevice(client, model, 'attributes');
    expect(all).toContainEqual({
      kind: 'type',
      reference: 'BCU1CTRL/MMXU1.TotW.db [CF]',
      expected: 'unsigned',
      actual: 'float',
    });
    expect(all).toContainEqual(more('BCU1CTRL/MMXU1.TotVAr.mag.f [MX]', 'float'));
    expect(all.filter(({ reference }) => reference.includes('GGIO2'))).toHaveLength(1);
  });

  test('a session tells it once, and again when it is something else', async () => {
    const clock = new VirtualClock();
    let server = new Iec61850Server(sampleModel(changed), { clock });
    onTestFinished(() => server.close());
    const gaps: SessionGap[] = [];
    const ends: Transport[] = [];
    const session = new Iec61850Session({
      clock,
      random: () => 0.5,
      check: 'nodes',
      client: { model: sampleModel() },
      onGap: (gap) => gaps.push(gap),
      ways: [
        {
          name: 'a',
          connect: async () => {
            const { left, right, shutdown } = await pair.open();
            onTestFinished(shutdown);
            ends.push(right);
            server.attach(right);
            return left;
          },
        },
      ],
    });
    onTestFinished(() => session.close());
    session.subscribe({ blocks: ['BCU1CTRL/LLN0.BR.brcb'], onReport: () => {} });
    session.start();
    const up = () => until(() => session.state.kind === 'up');
    await up();
    expect(gaps.map(({ kind }) => kind)).toEqual(['model', 'configuration']);
    const again = async () => {
      ends.at(-1)!.destroy();
      await until(() => session.state.kind === 'connecting');
      await clock.advance(3_000);
      await up();
    };
    await again();
    expect(gaps.map(({ kind }) => kind)).toEqual(['model', 'configuration', 'connection-lost']);
    await server.close();
    await until(() => session.state.kind === 'connecting');
    server = new Iec61850Server(sampleModel(), { clock });
    await clock.advance(3_000);
    await up();
    const models = gaps.flatMap((gap) => (gap.kind === 'model' ? [gap.differences.length] : []));
    expect(models).toEqual([6, 0]);
  });
});
