/** Captures between ours and Wireshark's programs: what we write it reads, what dumpcap and tcpdump capture on an interface we hear. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  captureFile,
  captureProgram,
  ETHERTYPE,
  encodeFrame,
  type Frame,
  mac,
  memoryLan,
  packetLink,
  record,
  tcpdump,
} from '@enerchain/ethernet';
import { until } from '@enerchain/transport/testing';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { noPacketSockets, veth } from '../../standards/ethernet/test/support/veth.ts';

const here = (program: string): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

const FRAMES: Frame[] = [
  { vlan: { id: 5, priority: 4 } },
  {},
  { redundancy: { protocol: 'PRP', lan: 'A', sequence: 4711 } as const },
  { vlan: { id: 5, priority: 4 }, redundancy: { protocol: 'PRP', lan: 'B', sequence: 4712 } as const },
  { redundancy: { protocol: 'HSR', path: 1, sequence: 4713 } as const },
].map((part) => ({
  destination: mac('01-0C-CD-01-00-01'),
  source: mac('00-11-22-33-44-55'),
  etherType: ETHERTYPE.goose,
  payload: Uint8Array.of(0, 1, 0, 10, 0, 0, 0, 0, 0x61, 0),
  ...part,
}));

describe.skipIf(!here('tshark'))('captures and tshark', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'wireshark-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('it reads ours field by field, tags and redundancy trailers as well; we read what editcap makes of it', async () => {
    const lan = memoryLan({ clock: { now: () => 1_767_225_600_123_456_789n, schedule: () => () => {} } });
    const [bay, tap] = [lan.station('bay'), lan.station('tap')];
    const file = join(folder, 'ours.pcap');
    const recording = await record(tap, file);
    const sent = FRAMES.map(encodeFrame);
    for (const frame of sent) bay.send(frame);
    await until(() => recording.counters.recorded === sent.length, 'recorded');
    await recording.stop();
    const fields = [
      'frame.time_epoch',
      'eth.dst',
      'vlan.id',
      'vlan.priority',
      'prp.trailer.prp_sequence_nr',
      'prp.trailer.prp_lan',
      'prp.trailer.prp_size',
      'hsr.sequence_nr',
      'hsr.path',
      'hsr.lsdu_size',
      'goose.appid',
    ];
    const args = ['-r', file, '--enable-protocol', 'prp', '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
    const out = execFileSync('tshark', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const always = ['1767225600.123456789', '01:0c:cd:01:00:01'];
    expect(out.trimEnd().split('\n')).toEqual(
      [
        [...always, '5', '4', '', '', '', '', '', '', '0x0001'],
        [...always, '', '', '', '', '', '', '', '', '0x0001'],
        [...always, '', '', '4711', '10', '46', '', '', '', '0x0001'],
        [...always, '5', '4', '4712', '11', '42', '', '', '', '0x0001'],
        [...always, '', '', '', '', '', '4713', '1', '46', '0x0001'],
      ].map((line) => line.join('\t')),
    );

    for (const format of ['pcap', 'pcapng', 'nsecpcap']) {
      const converted = join(folder, `by-editcap.${format}`);
      execFileSync('editcap', ['-F', format, file, converted], { stdio: 'ignore' });
      const link = captureFile(converted);
      const frames: Uint8Array[] = [];
      const times = new Set<bigint>();
      link.listen((frame, at) => {
        frames.push(frame.slice());
        times.add(at);
      });
      await link.closed;
      expect(frames).toEqual(sent);
      expect([...times]).toEqual([format === 'pcap' ? 1_767_225_600_123_456_000n : 1_767_225_600_123_456_789n]);
    }
  });
});

const CAPTURERS = [
  { program: 'dumpcap', command: (end: string) => ['dumpcap', '-q', '-i', end, '-w', '-'] },
  { program: 'tcpdump', command: (end: string) => tcpdump(end, [ETHERTYPE.goose]) },
].map((one) => ({ ...one, why: here(one.program) ? noPacketSockets() : `there is no ${one.program}` }));

for (const { program, command, why } of CAPTURERS)
  test.skipIf(why !== undefined)(
    `what ${program} captures is heard, with tags${why === undefined ? '' : ` (${why})`}`,
    async () => {
      const { namespace, ends, remove } = veth();
      onTestFinished(remove);
      const sender = packetLink(ends[0], { namespace });
      onTestFinished(() => sender.close());
      const link = captureProgram(['ip', 'netns', 'exec', namespace, ...command(ends[1])], program);
      onTestFinished(() => link.close());
      const frames: Uint8Array[] = [];
      link.listen((frame) => frames.push(frame.slice()));
      const ended = link.closed.then(() => Promise.reject(new Error(`${program} has ended`)));
      const captured = (condition: () => boolean, what: string) => Promise.race([until(condition, what), ended]);
      const sent = FRAMES.map(encodeFrame);
      // Nobody says when it has begun.
      const again = setInterval(() => sender.send(sent[0]!), 50);
      onTestFinished(() => clearInterval(again));
      await captured(() => frames.length > 0, 'the first frame');
      clearInterval(again);
      for (const frame of sent) sender.send(frame);
      const last = () => frames.slice(-sent.length);
      await captured(
        () => frames.length > sent.length && last().every((frame, index) => Buffer.compare(frame, sent[index]!) === 0),
        'all frames',
      );
      expect(last()).toEqual(sent);
    },
  );
