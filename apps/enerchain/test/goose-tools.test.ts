import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { captureHeader, captureRecord, ETHERTYPE, encodeFrame, memoryLan } from '@enerchain/ethernet';
import {
  checkScl,
  type GooseControl,
  GoosePublisher,
  gooseControls,
  localAddress,
  publicationOf,
  readScl,
  subscribeGoose,
} from '@enerchain/iec61850';
import { type Data, utcTimeFromMillis } from '@enerchain/mms';
import { systemClock } from '@enerchain/transport';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishOn } from '../src/commands/goose.ts';
import { enerchain } from './enerchain.ts';

const SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="h"/>
<Communication><SubNetwork name="Bus"><ConnectedAP iedName="BCU1" apName="AP1">
<GSE ldInst="CTRL" cbName="gcb"><Address><P type="MAC-Address">01-0C-CD-01-00-01</P><P type="APPID">0001</P><P type="VLAN-ID">005</P><P type="VLAN-PRIORITY">4</P></Address><MinTime unit="s" multiplier="m">4</MinTime><MaxTime unit="s" multiplier="m">1000</MaxTime></GSE>
<GSE ldInst="CTRL" cbName="silent"><Address><P type="MAC-Address">01-0C-CD-01-00-02</P><P type="APPID">0002</P></Address><MaxTime unit="s" multiplier="m">1000</MaxTime></GSE></ConnectedAP></SubNetwork></Communication>
<IED name="BCU1"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL">
<LN0 lnClass="LLN0" inst="" lnType="LLN0"><DataSet name="D"><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="Ind1" daName="stVal" fc="ST"/><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="Ind1" daName="q" fc="ST"/><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="Ind2" fc="ST"/></DataSet>
<GSEControl name="gcb" appID="Bay1" datSet="D" confRev="3"/><GSEControl name="silent" appID="Bay1b" datSet="D" confRev="1"/></LN0>
<LN lnClass="GGIO" inst="1" lnType="GGIO"/></LDevice></Server></AccessPoint></IED>
<DataTypeTemplates><LNodeType id="LLN0" lnClass="LLN0"/><LNodeType id="GGIO" lnClass="GGIO"><DO name="Ind1" type="SPS"/><DO name="Ind2" type="SPS"/></LNodeType>
<DOType id="SPS" cdc="SPS"><DA name="stVal" bType="BOOLEAN" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST"/><DA name="t" bType="Timestamp" fc="ST"/></DOType></DataTypeTemplates></SCL>`;
const REFERENCE = 'BCU1CTRL/LLN0$GO$gcb';

const SECOND = 1_000_000_000n;
const BEGIN = 1_767_225_600n * SECOND; // 2026-01-01
const boolean = (value: boolean): Data => ({ kind: 'boolean', value });
const quality: Data = { kind: 'bitString', value: { length: 13, bytes: new Uint8Array(2) } };
const time = (seconds: number): Data => ({ kind: 'utcTime', value: utcTimeFromMillis(seconds * 1000) });
const values = (ind1: boolean, ind2: boolean): Data[] => [
  boolean(ind1),
  quality,
  { kind: 'structure', value: [boolean(ind2), quality, time(1_767_225_600)] },
];

describe('enerchain goose', () => {
  let folder: string;
  let scd: string;
  let capture: string;
  let control: GooseControl;

  /** A second of start, a change of one member at 1.5 s, two messages that do not come, then nothing for ten seconds. */
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'goose-'));
    scd = join(folder, 'bay.scd');
    capture = join(folder, 'bay.pcap');
    writeFileSync(scd, SCD);
    const { scl } = readScl(SCD);
    control = gooseControls(scl!, checkScl(scl!).models).find(({ gocbRef }) => gocbRef === REFERENCE)!;
    const publication = publicationOf(control);
    const publisher = new GoosePublisher(publication, values(false, true));
    const records: Uint8Array[] = [captureHeader()];
    const put = (payload: Uint8Array | undefined, millis: number, to = publication.destination): void => {
      const frame = encodeFrame({
        destination: to,
        source: localAddress('BCU1'),
        vlan: publication.vlan!,
        etherType: ETHERTYPE.goose,
        payload: payload!,
      });
      records.push(captureRecord(frame, BEGIN + BigInt(Math.round(millis * 1e6))));
    };
    put(publisher.start(utcTimeFromMillis(1_767_225_600_000), 0), 0);
    const repeat = (until: number, skipped = 0): void => {
      let left = skipped;
      while (publisher.due <= until) {
        const at = publisher.due;
        const payload = publisher.repeat(at);
        if (left-- > 0) continue;
        put(payload, at);
      }
    };
    repeat(1500);
    put(publisher.change(values(true, true), utcTimeFromMillis(1_767_225_601_500), 1500), 1500);
    repeat(6000, 2);
    // Something else on the bus, ten seconds later: by its time the control block has fallen silent.
    put(Uint8Array.of(0, 9, 0, 10, 0, 0, 0, 0, 1, 2), 16_000);
    writeFileSync(capture, Buffer.concat(records));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const lines = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('listen prints one line a value that changed, with its full reference', async () => {
    const { stdout, status } = await enerchain(['goose', 'listen', capture, '--scd', scd, '--json']);
    expect(status).toBe(0);
    const changes = lines(stdout).filter(({ reference }) => reference !== undefined);
    const first = { at: '2026-01-01T00:00:00.000000Z', gocbRef: REFERENCE, fc: 'ST', stNum: 1, sqNum: 1 };
    const t = '2026-01-01T00:00:00.000000Z';
    expect(changes).toEqual([
      { ...first, t, reference: 'BCU1CTRL/GGIO1.Ind1.stVal', value: false },
      { ...first, t, reference: 'BCU1CTRL/GGIO1.Ind1.q', value: 'good' },
      { ...first, t, reference: 'BCU1CTRL/GGIO1.Ind2.stVal', value: true },
      { ...first, t, reference: 'BCU1CTRL/GGIO1.Ind2.q', value: 'good' },
      { ...first, t, reference: 'BCU1CTRL/GGIO1.Ind2.t', value: t },
      {
        at: '2026-01-01T00:00:01.500000Z',
        gocbRef: REFERENCE,
        reference: 'BCU1CTRL/GGIO1.Ind1.stVal',
        fc: 'ST',
        value: true,
        stNum: 2,
        sqNum: 0,
        t: '2026-01-01T00:00:01.500000Z',
      },
    ]);
  });

  it('listen tells what was lost, what ran out, and what never came', async () => {
    const { stdout } = await enerchain(['goose', 'listen', capture, '--scd', scd, '--json']);
    const events = lines(stdout).filter(({ event }) => event !== undefined);
    expect(events).toContainEqual(
      expect.objectContaining({ gocbRef: REFERENCE, event: 'lost', messages: 2, states: 0 }),
    );
    expect(events).toContainEqual(expect.objectContaining({ gocbRef: REFERENCE, event: 'expired' }));
    expect(events).toContainEqual(expect.objectContaining({ event: 'malformed' }));
    const silent = 'BCU1CTRL/LLN0$GO$silent';
    expect(events).toContainEqual(expect.objectContaining({ gocbRef: silent, event: 'expired' }));
    expect(events.slice(-2)).toMatchObject([
      { gocbRef: REFERENCE, event: 'summary', status: 'expired', states: 2, lost: 2 },
      { gocbRef: silent, event: 'summary', messages: 0 },
    ]);
  });

  it('listen is readable, and needs no SCL file', async () => {
    const { stdout, stderr } = await enerchain(['goose', 'listen', capture]);
    const text = stdout.split('\n');
    expect(text[0]).toMatch(
      /^2026-01-01T00:00:00\.000000Z {2}BCU1CTRL\/LLN0\$GO\$gcb {2}stNum 1 sqNum 1 {2}TAL \d+ ms confRev 3 {2}02-.* → 01-0C-CD-01-00-01 VLAN 5 priority 4 APPID 0001$/,
    );
    expect(text).toContain('    [0]  false → true');
    expect(stdout).toMatch(/! GOOSE BCU1CTRL\/LLN0\$GO\$gcb: .*2 /);
    expect(text.at(-2)).toMatch(/^BCU1CTRL\/LLN0\$GO\$gcb: expired, stNum 2 sqNum \d+; \d+ messages, 2 states, 2 lost/);
    expect(stderr).toMatch(/bay\.pcap: \d+ frames, 0 lost/);
  });

  it('listen can be told which IEDs and how many states; what is not there is a sentence', async () => {
    const one = await enerchain(['goose', 'listen', capture, '--scd', scd, '--ied', 'BCU1', '--count', '1', '--json']);
    expect(lines(one.stdout).filter(({ stNum }) => stNum === 2)).toEqual([]);
    const said = async (...args: string[]) => (await enerchain(['goose', 'listen', ...args])).stderr;
    expect(await said(capture, '--scd', scd, '--ied', 'BCU9')).toContain('has no IED BCU9; it has BCU1');
    expect(await said('none.pcap')).toContain('There is no file none.pcap');
    expect(await said(scd)).toContain('bay.scd is neither pcap nor pcapng');
    expect(await said('fd:9999')).toContain('Descriptor 9999 is no socket');
  });

  it('publish sends what the file describes and what it was told, as a test set unless told otherwise', async () => {
    for (const real of [false, true]) {
      const lan = memoryLan();
      const seen: { values: readonly Data[]; simulated: boolean; stNum: number }[] = [];
      const subscription = subscribeGoose(lan.station('relay'), systemClock, {
        expected: [control],
        simulation: true,
        onState: (_subscriber, { state }) => seen.push(state!),
      });
      await publishOn(lan.station('tool'), control, localAddress('BCU1'), {
        set: ['BCU1CTRL/GGIO1.Ind1.stVal=on', 'BCU1CTRL/GGIO1.Ind2.stVal=true'],
        count: '3',
        real,
        json: true,
      });
      await new Promise((resolve) => setImmediate(resolve));
      subscription.stop();
      expect(seen).toMatchObject([{ simulated: !real, stNum: 1 }]);
      expect(seen[0]!.values[0]).toEqual(boolean(true));
      expect(seen[0]!.values[2]).toMatchObject({ value: [boolean(true), quality, { kind: 'utcTime' }] });
      expect(subscription.subscribers.get(REFERENCE)!.counters.messages).toBe(3);
    }
  });

  it('publish refuses what the data set does not have, before anything is sent', async () => {
    const lan = memoryLan();
    const tool = (text: string) => publishOn(lan.station('tool'), control, localAddress('BCU1'), { set: [text] });
    await expect(tool('BCU1CTRL/GGIO1.Ind9.stVal=on')).rejects.toThrow(
      /is no reference=value of this data set; its members are BCU1CTRL\/GGIO1\.Ind1\.stVal/,
    );
    await expect(tool('BCU1CTRL/GGIO1.Ind1.stVal=maybe')).rejects.toThrow("'maybe' is no boolean");
    const { stderr, status } = await enerchain([
      'goose',
      'publish',
      'eth99',
      '--scd',
      scd,
      '--cb',
      'BCU1CTRL/LLN0$GO$none',
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain(`has no GOOSE control block BCU1CTRL/LLN0$GO$none; it has ${REFERENCE}`);
  });
});
