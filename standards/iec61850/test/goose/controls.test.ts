import { expect, test } from 'vitest';
import { gooseControls, publicationOf, subscriptionsOf } from '../../src/index.ts';
import { SCD, sample } from './sample.ts';

test('a control block with all its publisher and its subscribers need', () => {
  const { scl, models } = sample();
  const told: string[] = [];
  const [trip, whole, lost] = gooseControls(scl, models, (text) => told.push(text));
  expect(trip).toMatchObject({
    ied: 'BCU1',
    device: 'BCU1CTRL',
    gocbRef: 'BCU1CTRL/LLN0$GO$Trip',
    datSet: 'BCU1CTRL/LLN0$Positions',
    goId: 'BCU1/Trip',
    confRev: 2,
    minTime: 4,
    maxTime: 1000,
    fixedLength: false,
    subscribers: ['PROT1'],
    address: {
      destination: Uint8Array.of(1, 0x0c, 0xcd, 1, 0, 1),
      appId: 1,
      vlan: { id: 10, priority: 6 },
      subNetwork: 'W1',
      accessPoint: 'AP1',
    },
  });
  expect(trip!.members!.map(({ reference, fc, type }) => [reference, fc, type.kind])).toEqual([
    ['BCU1CTRL/QA1XCBR1.Pos.stVal', 'ST', 'bitString'],
    ['BCU1CTRL/QA1XCBR1.Pos.q', 'ST', 'bitString'],
  ]);
  expect(whole).toMatchObject({
    goId: 'BCU1CTRL/LLN0$GO$Whole',
    fixedLength: true,
    minTime: undefined,
    address: { appId: 0x3fff, vlan: { id: 0, priority: 4 } },
  });
  expect(whole!.members!.map(({ reference }) => reference)).toEqual(['BCU1CTRL/QA1XCBR1.Pos', 'BCU1CTRL/MMXU1.TotW']);
  expect(whole!.members![1]!.type).toEqual({
    kind: 'structure',
    value: {
      packed: false,
      components: [
        {
          name: 'mag',
          type: {
            kind: 'structure',
            value: {
              packed: false,
              components: [{ name: 'f', type: { kind: 'float', value: { format: 32, exponent: 8 } } }],
            },
          },
        },
        { name: 'q', type: { kind: 'bitString', value: -13 } },
        { name: 't', type: { kind: 'utcTime', value: null } },
      ],
    },
  });
  expect(lost).toMatchObject({ address: undefined, members: undefined });
  expect(told).toEqual([
    'BCU1CTRL/LLN0$GO$Lost has no address in Communication',
    'BCU1CTRL/LLN0$GO$Lost has no data set',
  ]);
  expect(() => publicationOf(lost!)).toThrow(/BCU1CTRL\/LLN0\$GO\$Lost has no multicast address/);
});

test('the inputs of an IED find their control blocks and members', () => {
  const { scl, models } = sample();
  const told: string[] = [];
  const controls = gooseControls(scl, models);
  const subscriptions = subscriptionsOf(controls, 'GOOSE', models.get('PROT1')!, (text) => told.push(text));
  expect(
    subscriptions.map(({ control, inputs }) => [
      control.name,
      ...inputs.map(({ node, reference, member, below, intAddr }) => [node, reference, member, below, intAddr]),
    ]),
  ).toEqual([
    [
      'Trip',
      ['PROT1PROT/LLN0', 'BCU1CTRL/QA1XCBR1.Pos.stVal', 0, [], 'breaker'],
      // Names no control block; two send it, of which one names PROT1.
      ['PROT1PROT/LLN0', 'BCU1CTRL/QA1XCBR1.Pos.q', 1, [], undefined],
    ],
  ]);
  expect(told).toEqual(['PROT1PROT/LLN0: input BCU1CTRL/QA1XCBR1.Pos.t is not in the data set of Trip']);
  expect(subscriptionsOf(controls, 'GOOSE', models.get('BCU1')!)).toEqual([]);
});

test('an input that is a whole object, or a part of one, is found in members of either kind', () => {
  const bound = (extRef: string) => {
    const { scl, models } = sample(SCD.replace(/<Inputs>[\s\S]*<\/Inputs>/, `<Inputs>${extRef}</Inputs>`));
    const told: string[] = [];
    const found = subscriptionsOf(gooseControls(scl, models), 'GOOSE', models.get('PROT1')!, (text) => told.push(text));
    return [
      ...found.flatMap(({ inputs }) => inputs.map(({ reference, member, below }) => [reference, member, ...below])),
      ...told,
    ];
  };
  const from = 'iedName="BCU1" ldInst="CTRL" serviceType="GOOSE"';
  const breaker = `${from} prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos"`;
  expect(bound(`<ExtRef ${breaker} srcCBName="Trip"/>`)).toEqual([
    ['BCU1CTRL/QA1XCBR1.Pos.stVal', 0],
    ['BCU1CTRL/QA1XCBR1.Pos.q', 1],
  ]);
  expect(bound(`<ExtRef ${breaker} daName="q" srcCBName="Whole"/>`)).toEqual([['BCU1CTRL/QA1XCBR1.Pos.q', 0, 'q']]);
  expect(bound(`<ExtRef ${from} lnClass="MMXU" lnInst="1" doName="TotW" daName="mag.f"/>`)).toEqual([
    ['BCU1CTRL/MMXU1.TotW.mag.f', 1, 'mag', 'f'],
  ]);
  expect(bound(`<ExtRef ${breaker} srcCBName="Lost"/>`)).toEqual([
    'PROT1PROT/LLN0: input BCU1CTRL/QA1XCBR1.Pos is sent by Lost, whose data set can not be resolved',
  ]);
  expect(bound(`<ExtRef ${breaker} srcCBName="Nothing"/>`)).toEqual([
    'PROT1PROT/LLN0: input BCU1CTRL/QA1XCBR1.Pos names the control block Nothing, which is not there',
  ]);
});
