/** Prints a boot log and the PCRs it leads to: `node examples/event-log.ts /sys/kernel/security/tpm0/binary_bios_measurements`. */
import { readFileSync } from 'node:fs';
import { bindingOf, parseEventLog, readEventData, replayEventLog, Tpm2Error } from '@enerchain/tpm2';

/** Without octets and with numbers that JSON has. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return `${value.length} octets`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

try {
  const log = parseEventLog(readFileSync(process.argv[2]!));
  for (const event of log.events) {
    const data = JSON.stringify(plain(readEventData(event)));
    console.log(
      event.number,
      `PCR ${event.pcr}`,
      event.name ?? `type 0x${event.type.toString(16)}`,
      bindingOf(event),
      data.slice(0, 160),
    );
  }
  const { pcrs, mismatches } = replayEventLog(log);
  for (const { hash, values } of pcrs)
    for (const [pcr, value] of values) console.log(hash, pcr, Buffer.from(value).toString('hex'));
  if (mismatches.length > 0) console.log('not what was measured: events', mismatches.join(', '));
} catch (error) {
  if (!(error instanceof Tpm2Error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
