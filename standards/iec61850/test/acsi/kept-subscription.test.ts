/** A data set that is changed while its block is enabled: no device of ours lets that happen, others do. */
import { turn } from '@enerchain/transport/testing';
import { expect, test } from 'vitest';
import type { Iec61850Client } from '../../src/client/client.ts';
import { KeptSubscription } from '../../src/client/kept-subscription.ts';
import type { ReportSubscription, SubscribeOptions } from '../../src/client/reports.ts';
import type { SessionGap } from '../../src/index.ts';

const BLOCK = 'LD/LLN0.RP.u';

test('reports that do not fit the data set are told once, and the block is begun anew with what the device has now', async () => {
  const gaps: SessionGap[] = [];
  const opened: SubscribeOptions[] = [];
  const ended: number[] = [];
  const client = {
    subscribe: async (reference: string, options: SubscribeOptions) => {
      opened.push(options);
      const number = opened.length;
      const member = { reference: `LD/GGIO1.Ind${number}`, fc: 'ST' } as const;
      await options.prepare?.([member]);
      return {
        reference,
        confRev: number,
        members: [member],
        end: async () => void ended.push(number),
      } as unknown as ReportSubscription;
    },
  } as unknown as Iec61850Client;
  const subscription: KeptSubscription = new KeptSubscription(
    { blocks: [BLOCK], onReport: () => {} },
    {
      now: () => 1_000,
      gap: (gap) => gaps.push(gap),
      report: () => {},
      taken: () => false,
      ended: () => {},
      again: () => void subscription.begin(client),
    },
  );
  expect(await subscription.begin(client)).toBe(true);
  for (let i = 0; i < 3; i++) opened[0]!.onGap!('configuration', 'a report of 2 members, the data set has 1; dropped');
  await turn();
  expect(ended).toEqual([1]);
  expect(subscription.members).toEqual([{ reference: 'LD/GGIO1.Ind2', fc: 'ST' }]);
  expect(gaps.map(({ kind }) => kind)).toEqual(['data-set', 'data-set', 'configuration', 'unreported']);
  expect(gaps[1]).toMatchObject({ expected: ['LD/GGIO1.Ind1 [ST]'], actual: ['LD/GGIO1.Ind2 [ST]'] });
});
