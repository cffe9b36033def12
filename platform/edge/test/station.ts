/** A station for the tests of the edge: numbered events, and a site file that points at it. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cp56FromEpochMillis, Iec104Server, type ServerHandlers } from '@enerchain/iec60870';
import { derivedMrid } from '@enerchain/model';

export class TestStation {
  readonly server: Iec104Server;
  readonly folder = mkdtempSync(join(tmpdir(), 'enerchain-edge-'));
  readonly commands: string[] = [];
  /** Events produced so far; each has its number as value. */
  produced = 0;

  constructor(handlers: ServerHandlers = {}) {
    this.server = new Iec104Server({
      port: 0,
      commonAddresses: [1],
      queue: { capacity: 100_000 },
      handlers: {
        interrogation: () => [
          { typeId: 1, objects: [{ address: 1, element: { kind: 'single', value: 1, quality: 0 } }] },
        ],
        command: (_context, { phase, address, value }) => {
          this.commands.push(`${phase} ${address} ${value}`);
          return 'accept';
        },
        ...handlers,
      },
    });
  }

  policy = "{ forbidCommands: ['forbidden*'] }";

  async open(extra = ''): Promise<string> {
    await this.server.listen();
    return this.write(extra);
  }

  /** @param extra further points, @param head further keys of the site file */
  write(extra = '', head = ''): string {
    const file = join(this.folder, 'site.yaml');
    writeFileSync(
      file,
      `source: edge-test
site: { id: s }
policy: ${this.policy}
uplink: { reportSeconds: 0.2 }
${head}
endpoints:
  - id: rtu
    protocol: iec104
    host: 127.0.0.1
    port: ${this.server.address!.port}
    commonAddress: 1
    points:
      - { name: state, ioa: 1, type: M_SP_NA_1 }
      - { name: number, ioa: 2, type: M_ME_TF_1 }
      - { name: switch, ioa: 10, type: C_SC_NA_1 }
      - { name: forbidden switch, ioa: 11, type: C_SC_NA_1 }
${extra}`,
    );
    return file;
  }

  mrid(address: string): string {
    return derivedMrid('s', 'rtu', address);
  }

  /** Queues events; they leave the queue only when the edge has acknowledged them. */
  produce(count: number): void {
    for (let i = 0; i < count; i += 10) {
      this.server.enqueue({
        typeId: 36,
        commonAddress: 1,
        objects: Array.from({ length: Math.min(10, count - i) }, () => ({
          address: 2,
          element: { kind: 'short' as const, value: this.produced++, quality: 0 },
          time: cp56FromEpochMillis(Date.now()),
        })),
      });
    }
  }

  close(): Promise<void> {
    return this.server.close();
  }
}
