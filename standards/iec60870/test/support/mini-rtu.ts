import { type Clock, type Connect, memoryPair } from '@enerchain/transport';
import { type Asdu, asdu } from '../../src/codec/asdu.ts';
import { Iec104Error } from '../../src/errors.ts';
import { Connection } from '../../src/session/connection.ts';
import { completeParameters, type Parameters } from '../../src/spec/parameters.ts';

export type Answer = (received: Asdu, rtu: MiniRtu) => void;

/** A controlled station that does nothing but what a test tells it to. */
export class MiniRtu {
  readonly received: Asdu[] = [];
  readonly connections: Connection[] = [];
  /** Whether it takes connections. */
  up = true;
  attempts = 0;
  answer: Answer;
  readonly #clock: Clock;
  readonly #parameters: Parameters;

  constructor(clock: Clock, answer: Answer = () => {}, parameters: Partial<Parameters> = {}) {
    this.#clock = clock;
    this.answer = answer;
    this.#parameters = completeParameters(parameters);
  }

  get connection(): Connection {
    return this.connections.at(-1)!;
  }

  readonly connect: Connect = async () => {
    this.attempts++;
    if (!this.up) throw new Iec104Error('environment', 'connect', 'No connection to the RTU: refused');
    const [left, right] = memoryPair();
    this.connections.push(
      new Connection({
        role: 'controlled',
        transport: right,
        parameters: this.#parameters,
        clock: this.#clock,
        handler: {
          onAsdu: (received) => {
            this.received.push(received);
            this.answer(received, this);
          },
        },
      }),
    );
    return left;
  };

  /** Sends the received ASDU back with another cause. */
  mirror(received: Asdu, cause: number, negative = false): void {
    this.connection.send({ ...received, cause, negative });
  }

  value(address: number, cause: number, commonAddress = 1): void {
    this.connection.send(
      asdu({
        typeId: 1,
        cause,
        commonAddress,
        objects: [{ address, element: { kind: 'single', value: 1, quality: 0 } }],
      }),
    );
  }
}
