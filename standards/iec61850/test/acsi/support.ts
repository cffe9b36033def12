import { PAIRS, turn, until, VirtualClock } from '@enerchain/transport/testing';
import { onTestFinished } from 'vitest';
import {
  Iec61850Client,
  type Iec61850ClientOptions,
  Iec61850Server,
  type Iec61850ServerOptions,
  type IedModel,
} from '../../src/index.ts';
import { sampleModel } from './sample.ts';

export { PAIRS, turn, until };

/** A server of the sample, and clients that connect to it over a kind of transport. */
export function station(
  pair: (typeof PAIRS)[number],
  options: Iec61850ServerOptions = {},
  model: IedModel = sampleModel(),
) {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const server = new Iec61850Server(model, { clock, onError: (error) => errors.push(error), ...options });
  onTestFinished(() => server.close());
  return {
    clock,
    server,
    errors,
    /** @param subject who it is, for what outlasts an association */
    async connect(own: Iec61850ClientOptions = {}, subject?: string): Promise<Iec61850Client> {
      const { left, right, shutdown } = await pair.open();
      onTestFinished(shutdown);
      server.attach(right, subject);
      return Iec61850Client.connect(left, { clock, ...own });
    },
  };
}

/** Everybody may do everything. */
export const ANYBODY: Iec61850ServerOptions = { access: () => true };

export const float = (value: number) => ({ kind: 'float', value }) as const;
export const bool = (value: boolean) => ({ kind: 'boolean', value }) as const;
