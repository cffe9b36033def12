/** Writes numbered observations into an outbox until it is killed, and tells its parent which ones it let go of. */
import { systemClock } from '@enerchain/model';
import { Outbox } from '../src/outbox/outbox.ts';
import { OutboxStore } from '../src/outbox/store.ts';
import { DEFAULT_OUTBOX } from '../src/site/site.ts';
import { KID, pointOf, silent, testSigner } from './helpers.ts';

const store = new OutboxStore(process.argv[2]!, { retainObservations: 0 });
store.commit({ batches: [], changes: [{ meta: { clean: '0' } }] });
const outbox = new Outbox({
  store,
  settings: { ...DEFAULT_OUTBOX, batchCount: 7, batchTime: 3 },
  source: 'edge-test',
  signer: testSigner,
  kid: KID,
  points: [pointOf(0)],
  clock: systemClock,
  logger: silent,
});
const round = Number(process.argv[3]);
let next = 0;
setInterval(() => {
  for (let i = 0; i < 5; i++) {
    const number = next++;
    outbox.add(0, number * 1000 + round, 0, systemClock.now(), 31, systemClock.now(), 0);
    outbox.hold({ release: () => process.send?.(number) });
  }
}, 1);
process.on('disconnect', () => process.exit());
