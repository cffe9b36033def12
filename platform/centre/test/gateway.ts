/** A gateway of three points for tests of the whole centre. */
import { BatchBuilder, batchToBytes, ChainWriter, type Content, LinkClient, MemoryBatchStore } from '@enerchain/link';
import { type CommandStep, type Point, systemClock, TIME_GOOD } from '@enerchain/model';
import { CommandGuard, type Identity, SESSION_METHOD } from '@enerchain/trust';
import { mRID, siteOf } from './doubles.ts';

export const position: Point = {
  mRID: mRID(1),
  name: 'CB position',
  kind: 'discrete',
  cdc: 'DPS',
  normalValue: 2,
  alarmPriority: 1,
};
export const breaker: Point = {
  mRID: mRID(2),
  name: 'CB',
  kind: 'command',
  cdc: 'DPC',
  ctlModel: 'sbo',
  feedback: position.mRID,
};
export const voltage: Point = { mRID: mRID(3), name: 'U', kind: 'analog', unitSymbol: 'V', unitMultiplier: 'k' };

/** A gateway as the centre sees it: real identity, real chain, real link; its device does what it is told. */
export class Gateway {
  readonly #identity: Identity;
  readonly #writer: ChainWriter;
  readonly #store = new MemoryBatchStore();
  readonly #guard: CommandGuard;
  link: LinkClient;
  #writing = Promise.resolve();

  constructor(identity: Identity, url: string) {
    this.#identity = identity;
    const { name: source, signer, kid } = identity;
    this.#writer = new ChainWriter({ source, signer, kid });
    this.link = this.#linkTo(url);
    this.#guard = new CommandGuard({ source, clock: systemClock, keyOf: (key) => this.link.centreKeyOf(key) });
    this.link.start();
  }

  /** Goes on with what it has, at a centre that was started again elsewhere. */
  moveTo(url: string): void {
    this.link = this.#linkTo(url);
    this.link.start();
  }

  #linkTo(url: string): LinkClient {
    return new LinkClient({
      url,
      identity: this.#identity,
      software: 'test 1.0',
      store: this.#store,
      backoff: { initial: 50, maximum: 200 },
      onWelcome: () => {
        this.#guard.newSession();
        void this.link.request(SESSION_METHOD, { challenge: this.#guard.challenge() });
      },
      onCommand: (bytes) => this.#onCommand(bytes),
      onAcknowledged: ({ epoch, sequence }) => this.#store.acknowledge(epoch, sequence),
    });
  }

  put(content: Content): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const batch = await this.#writer.next(content);
      const { epoch, sequence } = batch.header;
      const bytes = batchToBytes(batch);
      this.#store.append({ epoch, sequence }, bytes);
      this.link.send({ epoch, sequence, bytes });
    });
    return this.#writing;
  }

  announce(): Promise<void> {
    return this.put({ kind: 'site', document: siteOf(this.#identity.name, [position, breaker, voltage]) });
  }

  observe(point: string, value: number): Promise<void> {
    const builder = new BatchBuilder();
    const now = systemClock.now();
    builder.add({
      point,
      value,
      quality: 0,
      sourceTime: now,
      timeQuality: TIME_GOOD,
      receiveTime: now,
      cause: 'spontaneous',
      repeat: false,
    });
    return this.put({ kind: 'observations', batch: builder.build() });
  }

  #onCommand(bytes: Uint8Array): void {
    const { command } = this.#guard.accept(bytes);
    const { id, point, action, value } = command;
    const report = (...steps: CommandStep[]) => {
      const events = steps.map((step) => ({ command: id, point, action, step, at: String(systemClock.now()) }));
      void this.put({ kind: 'commandEvents', events });
    };
    if (action === 'select') {
      report('received', 'selected');
      return;
    }
    report('received', 'operateSent', 'confirmed', 'terminated');
    void this.observe(position.mRID, value);
  }
}
