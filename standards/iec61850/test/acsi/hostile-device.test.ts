/** What a device may answer that is in the words of MMS and makes no sense: a client ends with an error of the peer, in bounded memory, and goes on where it can. */
import { type InformationReport, MmsServerSession, type ResponseOf, type ServiceHandlers } from '@enerchain/mms';
import { memoryPair } from '@enerchain/transport';
import { turn, until, VirtualClock } from '@enerchain/transport/testing';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { browse, Iec61850Client, type Iec61850ClientOptions, type ReceivedReport } from '../../src/index.ts';

type Names = ResponseOf<'getNameList'>;

/** A client at a device that answers what the test wants. */
async function device(handlers: ServiceHandlers, options: Iec61850ClientOptions = {}) {
  const clock = new VirtualClock();
  const [left, right] = memoryPair();
  const session = new MmsServerSession(right, { clock, handlers });
  onTestFinished(() => session.abort());
  return { clock, session, client: await Iec61850Client.connect(left, { clock, ...options }) };
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    ({ code }: { code: string }) => code,
  );
const number = (value: number) => ({ kind: 'success', value: { kind: 'float', value } }) as const;

test('names that go on for ever, or come again and again, are given up', async () => {
  let asked = 0;
  const again = await device({ getNameList: (): Names => ({ names: ['A'], moreFollows: true }) });
  expect(await codeOf(again.client.devices())).toBe('client.names');
  const endless = await device({
    getNameList: (): Names => ({
      names: Array.from({ length: 3_000 }, (_, index) => `N${asked++}_${index}`),
      moreFollows: true,
    }),
  });
  expect(await codeOf(endless.client.variables('A'))).toBe('client.names');
  expect(asked).toBeLessThan(1_100_000);
});

test('a device of more devices than can be told is given up while it is browsed', async () => {
  const { client } = await device({
    getNameList: ({ scope }): Names => ({
      names: scope.kind === 'vmd' ? Array.from({ length: 3_000 }, (_, index) => `D${index}`) : ['N'],
      moreFollows: false,
    }),
    getVariableAccessAttributes: () => ({
      deletable: false,
      type: {
        kind: 'structure',
        value: {
          packed: false,
          components: [
            {
              name: 'ST',
              type: {
                kind: 'structure',
                value: {
                  packed: false,
                  components: Array.from({ length: 3_000 }, (_, index) => ({
                    name: `A${index}`,
                    type: { kind: 'boolean', value: null } as const,
                  })),
                },
              },
            },
          ],
        },
      },
    }),
  });
  expect(await codeOf(browse(client, 20_000))).toBe('client.names');
});

test('fewer values than were asked for: those that are left out say so; more: none is believed', async () => {
  let values = 1;
  const { client } = await device({ read: () => ({ results: Array.from({ length: values }, (_, at) => number(at)) }) });
  const variable = (name: string) => ({
    specification: { kind: 'name', value: { kind: 'domain', value: { domain: 'LD', item: name } } } as const,
  });
  const both = [variable('A$ST$B$a'), variable('A$ST$B$b')];
  expect(await client.readMany(both)).toMatchObject([{ value: 0 }, { fault: 'peer', code: 'access.none' }]);
  values = 0;
  expect(await codeOf(client.read('LD/A.B.a', 'ST'))).toBe('access.none');
  values = 3;
  expect(await codeOf(client.readMany(both))).toBe('client.answer');
  // The association goes on.
  values = 2;
  expect(await client.readMany(both)).toMatchObject([{ value: 0 }, { value: 1 }]);
});

const LIST = { kind: 'list', value: { kind: 'vmd', value: 'RPT' } } as const;
const text = (value: string) => ({ kind: 'success', value: { kind: 'visibleString', value } }) as const;
const bits = (length: number, ...bytes: number[]) =>
  ({ kind: 'success', value: { kind: 'bitString', value: { length, bytes: Uint8Array.from(bytes) } } }) as const;

test('reports that nobody asked for, or of which nothing can be made, are dropped one by one', async () => {
  const strays: string[] = [];
  const { client, session } = await device(
    { identify: () => ({ vendor: 'v', model: 'm', revision: '1' }) },
    { onStray: (why) => strays.push(why) },
  );
  const result = fc.oneof(
    fc.constant(text('R')),
    fc.constant(number(1)),
    fc.constant({ kind: 'failure', value: 3 } as const),
    fc.uint8Array({ maxLength: 4 }).map((octets) => bits(octets.length * 8, ...octets)),
  );
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(result, { maxLength: 8 }), async (results) => {
      sent++;
      session.report({ access: LIST, results } as InformationReport);
      await turn();
      expect(strays).toHaveLength(sent);
    }),
    { numRuns: 200 },
  );
  await client.close();
});

test('a flood of reports keeps neither timers nor answers from coming', async () => {
  const reports: ReceivedReport[] = [];
  let flooding = false;
  const flood = (session: MmsServerSession): void => {
    if (!flooding) return;
    const report = { access: LIST, results: [text('R'), bits(10, 0, 0), bits(1, 0x80), number(1)] } as const;
    for (let i = 0; i < 200; i++) session.report(report);
    setImmediate(flood, session);
  };
  const { client, session } = await device({
    // Those of the block, in the order in which they are asked for.
    read: () => ({
      results: [
        text('R'),
        { kind: 'success', value: { kind: 'boolean', value: false } },
        text('LD/LLN0$D'),
        { kind: 'success', value: { kind: 'unsigned', value: 1 } },
      ],
    }),
    getNamedVariableListAttributes: () => ({
      deletable: false,
      variables: [
        { specification: { kind: 'name', value: { kind: 'domain', value: { domain: 'LD', item: 'A$MX$B$f' } } } },
      ],
    }),
    write: () => [{ kind: 'success', value: null }],
    identify: () => ({ vendor: 'v', model: 'm', revision: '1' }),
  });
  await client.subscribe('LD/LLN0.RP.r', { interrogate: false, onReport: (report) => reports.push(report) });
  flooding = true;
  flood(session);
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  onTestFinished(() => clearInterval(ticking));
  await until(() => reports.length > 20_000 && ticks > 5, 'reports and timers');
  expect(await client.call('identify', null)).toMatchObject({ vendor: 'v' });
  flooding = false;
  expect(reports[0]!.members).toMatchObject([{ reference: 'LD/A.B.f', value: { value: 1 } }]);
});
