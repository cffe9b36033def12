import type { Data } from '@enerchain/mms';
import { describe, expect, test } from 'vitest';
import { qualityText, type ReceivedReport } from '../../src/index.ts';
import { servicesModel } from './services-sample.ts';
import { ANYBODY, bool, float, PAIRS, station, turn } from './support.ts';

const LD = 'PROT1LD';
const IND = `${LD}/GGIO1.Ind1`;
const POWER = `${LD}/MMXU1.TotW`;
const magnitude = (value: number): Data => ({ kind: 'structure', value: [float(value)] });
const quality = (...bytes: number[]) =>
  ({ kind: 'bitString', value: { length: 13, bytes: Uint8Array.from(bytes) } }) as const;

describe.each(PAIRS)('substitution over $name', (pair) => {
  const open = (options = ANYBODY) => station(pair, options, servicesModel());
  const shown = (data: Data): unknown =>
    data.kind === 'structure'
      ? data.value.map(shown)
      : data.kind === 'bitString'
        ? qualityText(data.value)
        : data.value;

  test('what somebody puts in is served, says so, and is reported; then the process is back as it is now', async () => {
    const { server, connect, clock } = open();
    const [client, other] = [await connect(), await connect()];
    const reports: ReceivedReport[] = [];
    await other.subscribe(`${LD}/LLN0.BR.events`, { onReport: (report) => reports.push(report), interrogate: false });
    const read = async () => shown(await other.read(IND, 'ST'));
    await client.substitution.begin(IND, bool(true), { by: 'shift 2' });
    expect(await read()).toMatchObject([true, 'good,substituted', { seconds: Math.floor(clock.now() / 1000) }]);
    expect(await other.substitution.state(IND)).toEqual({ enabled: true, value: bool(true), by: 'shift 2' });
    server.update(IND, { stVal: bool(false), q: quality(0x40, 0) });
    server.update(IND, { stVal: bool(true), t: { kind: 'utcTime', value: { seconds: 77, fraction: 0, quality: 0 } } });
    server.update(IND, { stVal: bool(false) });
    expect(await read()).toMatchObject([true, 'good,substituted', {}]);
    await client.write(`${IND}.subVal`, 'SV', bool(false));
    await client.write(`${IND}.subQ`, 'SV', quality(0xc0, 0));
    expect(await read()).toMatchObject([false, 'questionable,substituted', {}]);
    await client.substitution.end(IND);
    expect(await read()).toEqual([false, 'invalid', { seconds: 77, fraction: 0, quality: 0 }]);
    expect(await other.substitution.state(IND)).toMatchObject({ enabled: false });
    server.update(IND, { stVal: bool(true) });
    await turn();
    expect(
      reports.flatMap(({ members }) =>
        members.map(({ value, reasons }) => [...(shown(value) as unknown[]).slice(0, 2), reasons.join()]),
      ),
    ).toEqual([
      [true, 'good,substituted', 'dchg,qchg'],
      [false, 'good,substituted', 'dchg'],
      [false, 'questionable,substituted', 'qchg'],
      [false, 'invalid', 'qchg'],
      [true, 'invalid', 'dchg'],
    ]);
  });

  test('measured values: both magnitudes follow; a substitution outlasts its association', async () => {
    const { server, connect } = open();
    const client = await connect();
    server.update(POWER, { 'mag.f': float(5), 'instMag.f': float(5.1) });
    await client.substitution.begin(POWER, magnitude(42));
    client.abort();
    await turn();
    const other = await connect();
    expect(shown(await other.read(POWER, 'MX'))).toMatchObject([[42], [42], 'good,substituted', {}]);
    await other.substitution.end(POWER);
    expect(shown(await other.read(POWER, 'MX'))).toMatchObject([[expect.closeTo(5.1)], [5], 'good', {}]);
  });

  test('a blocked value stays as it is, and says that it is old', async () => {
    const { server, connect } = open();
    const client = await connect();
    server.update(IND, { stVal: bool(true) });
    const block = (on: boolean) => client.write(`${IND}.blkEna`, 'BL', bool(on));
    const read = async () => (shown(await client.read(IND, 'ST')) as unknown[]).slice(0, 2);
    await block(true);
    server.update(IND, { stVal: bool(false) });
    expect(await read()).toEqual([true, 'good,oldData,operatorBlocked']);
    await client.substitution.begin(IND, bool(true));
    expect(await read()).toEqual([true, 'good,substituted,operatorBlocked']);
    await client.substitution.end(IND);
    expect(await read()).toEqual([false, 'good,oldData,operatorBlocked']);
    await block(false);
    expect(await read()).toEqual([false, 'good']);
  });

  test('not by everybody, not of another kind, not where there is no place for it', async () => {
    const { connect } = open();
    const client = await connect();
    await expect(client.substitution.begin(IND, float(1))).rejects.toMatchObject({ code: 'access.type-inconsistent' });
    await expect(client.substitution.begin(`${LD}/PTOC1.StrVal`, float(1))).rejects.toMatchObject({
      code: 'service.access',
    });
    expect(await client.substitution.state(IND)).toMatchObject({ enabled: false });
    const shut = await open({}).connect();
    await expect(shut.substitution.begin(IND, bool(true))).rejects.toMatchObject({ code: 'access.access-denied' });
    await expect(shut.write(`${IND}.blkEna`, 'BL', bool(true))).rejects.toMatchObject({ code: 'access.access-denied' });
    const asked: string[] = [];
    const { connect: guarded } = open({
      access: ({ service, right, reference }) => {
        if (right === 'read') return true;
        asked.push(`${service} ${right} ${reference}`);
        return false;
      },
    });
    await expect((await guarded()).substitution.begin(IND, bool(true))).rejects.toThrow();
    expect(asked).toEqual([`Substitute control ${IND}.subVal`]);
  });
});
