/**
 * A whole system on two interfaces, for `goose-interface.test.ts`, which runs this inside a network namespace: the IEDs of the
 * lab speak GOOSE on the first, a gateway hears them on the second. Prints a line of JSON for what was seen of each step.
 * Arguments: both interfaces.
 */
import { execFileSync } from 'node:child_process';
import { Api } from '../system/api.ts';
import { enerchain } from '../system/command-line.ts';
import { startSystem, until } from '../system/running-system.ts';

const [uplink, listening] = process.argv.slice(2) as [string, string];
const BLOCK = 'BRN_J11PROT/LLN0.GO.gcbProt';

const tell = (seen: Record<string, unknown>): void => void process.stdout.write(`${JSON.stringify(seen)}\n`);

const system = await startSystem(['--no-tpm', '--goose-interface', uplink, listening]);
try {
  const api = new Api(system);
  const value = async (name: string) => (await api.value((await api.point(name)).mRID))?.v;
  const becomes = (attribute: string, fits: (value: unknown) => boolean, what: string) =>
    until(what, async () => {
      const now = await value(`${BLOCK} ${attribute}`);
      return fits(now) && { is: now };
    });

  await becomes('alive', (alive) => alive === 1, 'GOOSE of the IED');
  const said = /GOOSE between the IEDs of the lab: (.*)/.exec(system.output())?.[1];
  const before = Number((await becomes('stNum', (stNum) => typeof stNum === 'number', 'its state')).is);
  tell({ step: 'alive', said, stNum: before });

  const fault = ['lab', 'fault', 'short-circuit', 'rtu-01-b', 'bay=J11', 'percent=30', 'seconds=5'];
  const { status, stderr } = await enerchain([...fault, '--data', system.data]);
  if (status !== 0) throw new Error(stderr);
  const after = await becomes('stNum', (stNum) => Number(stNum) > before, 'the protection’s change');
  tell({ step: 'trip', stNum: after.is });

  const ip = (...args: string[]) => void execFileSync('ip', ['link', 'set', listening, ...args]);
  ip('down');
  await becomes('alive', (alive) => alive === 0, 'the silence');
  tell({ step: 'down', alive: 0 });
  ip('up');
  await becomes('alive', (alive) => alive === 1, 'GOOSE again');
  tell({ step: 'up', alive: 1 });
} finally {
  await system.stop();
}
