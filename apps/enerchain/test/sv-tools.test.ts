import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { captureHeader, captureRecord, ETHERTYPE, encodeFrame } from '@enerchain/ethernet';
import { localAddress, PHS_MEAS_1, SvPublisher } from '@enerchain/iec61850';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enerchain } from './enerchain.ts';

const BEGIN = 1_767_225_600_000_000_000n; // 2026-01-01

describe('enerchain sv listen', () => {
  let folder: string;
  let capture: string;

  /** Half a second of a 9-2LE stream of 4 000 samples a second, ten of which are missing; a constant current of 100 A. */
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sv-'));
    capture = join(folder, 'bay.pcap');
    const publisher = new SvPublisher({
      appId: 0x4000,
      svId: 'MU01',
      confRev: 1,
      layout: PHS_MEAS_1,
      samplesPerSecond: 4000,
      asdus: 1,
    });
    publisher.smpSynch = 2;
    const qualities = new Uint32Array(8);
    const records: Uint8Array[] = [captureHeader()];
    for (let i = 0; i < 2000; i++) {
      const payload = publisher.add([100, 0, 0, 0, -57_000.01, 0, 0, 0], qualities, 0);
      if (i >= 1000 && i < 1010) continue;
      const frame = encodeFrame({
        destination: Uint8Array.of(0x01, 0x0c, 0xcd, 4, 0, 1),
        source: localAddress('MU01'),
        vlan: { id: 0, priority: 4 },
        etherType: ETHERTYPE.sampledValues,
        payload: payload!,
      });
      records.push(captureRecord(frame, BEGIN + BigInt(i) * 250_000n));
    }
    writeFileSync(capture, Buffer.concat(records));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('prints a sample now and then with values in their units, tells what was lost, sums up', async () => {
    const { stdout, status } = await enerchain(['sv', 'listen', capture, '--every', '200', '--json']);
    expect(status).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const values = lines.filter(({ reference }) => reference !== undefined);
    // At 0, 0.2 and 0.4 s, eight channels each.
    expect(values.length).toBe(24);
    const first = { at: '2026-01-01T00:00:00.000000Z', svId: 'MU01', smpCnt: 0, smpSynch: 'global', quality: 'good' };
    expect(values[0]).toEqual({ ...first, reference: PHS_MEAS_1.channels[0]!.reference, value: 100, unit: 'A' });
    expect(values[4]).toEqual({ ...first, reference: PHS_MEAS_1.channels[4]!.reference, value: -57_000.01, unit: 'V' });
    expect(lines).toContainEqual(expect.objectContaining({ svId: 'MU01', event: 'lost', samples: 10 }));
    expect(lines.at(-1)).toMatchObject({ svId: 'MU01', event: 'summary', samples: 1990, lost: 10 });
  });

  it('is readable', async () => {
    const { stdout } = await enerchain(['sv', 'listen', capture]);
    expect(stdout.split('\n')[0]).toMatch(
      /^2026-01-01T00:00:00\.000000Z {2}MU01 {2}smpCnt 0 synchronised global {2}1 samples, 0 lost {2}confRev 1 {2}02-.* → 01-0C-CD-04-00-01 VLAN 0 priority 4 APPID 4000$/,
    );
    expect(stdout).toMatch(/^ {4}\S+ {2}100 A {2}good$/m);
    expect(stdout).toContain('MU01: valid; 1990 samples, 10 lost, 0 copies, 0 refused');
  });
});
