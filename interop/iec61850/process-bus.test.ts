/** GOOSE over a real link: both roles beside libiec61850 on a veth pair, and the command line on the same wire. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { decodeFrame, ETHERTYPE, formatMac, type LinkLayer, packetLink } from '@enerchain/ethernet';
import {
  checkScl,
  type GooseEvent,
  type GooseLinkEvent,
  type GooseState,
  gooseControls,
  publicationOf,
  publishGoose,
  readScl,
  subscribeGoose,
} from '@enerchain/iec61850';
import { systemClock } from '@enerchain/transport';
import { until } from '@enerchain/transport/testing';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { noPacketSockets, type Veth, veth } from '../../standards/ethernet/test/support/veth.ts';
import { PeerProcess } from '../peer-process.ts';
import { missing, python } from '../pyiec61850.ts';
import { boolean, sclFile } from './stacks.ts';

const SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="h"/>
<Communication><SubNetwork name="Bus"><ConnectedAP iedName="BCU1" apName="AP1"><GSE ldInst="CTRL" cbName="gcb"><Address>
<P type="MAC-Address">01-0C-CD-01-00-01</P><P type="APPID">0001</P><P type="VLAN-ID">005</P><P type="VLAN-PRIORITY">4</P></Address>
<MinTime unit="s" multiplier="m">20</MinTime><MaxTime unit="s" multiplier="m">200</MaxTime></GSE></ConnectedAP></SubNetwork></Communication>
<IED name="BCU1"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL">
<LN0 lnClass="LLN0" inst="" lnType="LLN0"><DataSet name="D"><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="Ind1" daName="stVal" fc="ST"/><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="Cnt1" daName="actVal" fc="ST"/><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="AnIn1" daName="mag.f" fc="MX"/></DataSet>
<GSEControl name="gcb" appID="Bay1" datSet="D" confRev="3"/></LN0><LN lnClass="GGIO" inst="1" lnType="GGIO"/></LDevice></Server></AccessPoint></IED>
<DataTypeTemplates><LNodeType id="LLN0" lnClass="LLN0"/><LNodeType id="GGIO" lnClass="GGIO"><DO name="Ind1" type="SPS"/><DO name="Cnt1" type="BCR"/><DO name="AnIn1" type="MV"/></LNodeType>
<DOType id="SPS" cdc="SPS"><DA name="stVal" bType="BOOLEAN" fc="ST"/></DOType><DOType id="BCR" cdc="BCR"><DA name="actVal" bType="INT32" fc="ST"/></DOType>
<DOType id="MV" cdc="MV"><DA name="mag" bType="Struct" type="AV" fc="MX"/></DOType><DAType id="AV"><BDA name="f" bType="FLOAT32"/></DAType></DataTypeTemplates></SCL>`;
const REFERENCE = 'BCU1CTRL/LLN0$GO$gcb';

const why = missing ?? noPacketSockets();

describe.skipIf(why !== undefined)(
  `GOOSE on a veth pair beside libiec61850${why === undefined ? '' : `: skipped, ${why}`}`,
  () => {
    let pair: Veth;
    beforeAll(() => {
      pair = veth();
    });
    afterAll(() => pair.remove());

    const control = () => {
      const { scl } = readScl(SCD);
      return gooseControls(scl!, checkScl(scl!).models)[0]!;
    };

    async function peer(): Promise<PeerProcess> {
      const script = join(import.meta.dirname, 'peers', 'goose.py');
      const command = ['ip', 'netns', 'exec', pair.namespace, python, script];
      const process = new PeerProcess({ name: 'goose.py', version: '', licence: '', command }, [pair.ends[0]]);
      onTestFinished(() => process.stop());
      await process.expect(({ event }) => event === 'ready', 'goose.py ready');
      return process;
    }

    function ours(): LinkLayer {
      const link = packetLink(pair.ends[1], { namespace: pair.namespace });
      onTestFinished(() => link.close());
      return link;
    }

    /** As our SCL file has it. */
    const ORDER = [REFERENCE, 'Bay1', 'BCU1CTRL/LLN0$D', 1, 3, '010ccd010001', 5, 4, 2000];

    test('what it publishes is a state, a change, a repetition; when it falls silent that is told', async () => {
      const link = ours();
      const states: GooseState[] = [];
      const events: (GooseEvent | GooseLinkEvent)[] = [];
      const listening = subscribeGoose(link, systemClock, {
        expected: [control()],
        onState: (_subscriber, { state }) => states.push(state!),
        onEvent: (event) => events.push(event),
      });
      const it = await peer();
      await it.call('publisher', ...ORDER.slice(0, -1), 2000);
      await it.call('publish', [false, 7, 1.5], false);
      await it.call('publish', [true, -8, 2.5], true);
      await it.call('publish', [true, -8, 2.5], false);
      const subscriber = () => listening.subscribers.get(REFERENCE)!;
      await until(() => subscriber().counters.messages === 3 && subscriber().status === 'expired', 'expired');
      expect(states.map(({ stNum, values }) => [stNum, ...values.map(({ value }) => value)])).toEqual([
        [1, false, 7, 1.5],
        [2, true, -8, 2.5],
      ]);
      expect(listening.subscribers.get(REFERENCE)).toMatchObject({
        status: 'expired',
        counters: { messages: 3, states: 2, repetitions: 1, lost: 0, refused: 0 },
      });
      // It counts from 0; 7-2 has the first message as 1.
      expect(events.filter(({ kind }) => kind !== 'expired')).toEqual([]);
    });

    test('another confRev than that of the file is refused and told', async () => {
      const events: (GooseEvent | GooseLinkEvent)[] = [];
      const states: GooseState[] = [];
      subscribeGoose(ours(), systemClock, {
        expected: [control()],
        onState: (_subscriber, { state }) => states.push(state!),
        onEvent: (event) => events.push(event),
      });
      const it = await peer();
      await it.call('publisher', ...ORDER.map((part, index) => (index === 4 ? 4 : part)));
      await it.call('publish', [false, 7, 1.5], false);
      await until(() => events.length > 0, 'an event');
      expect(events[0]).toMatchObject({ kind: 'problem', problem: 'conf-rev', standing: true });
      expect(states).toEqual([]);
    });

    test('what we publish it takes as valid: numbers, time allowed to live, values of each change', async () => {
      const it = await peer();
      await it.call('subscribe', REFERENCE, 1);
      const link = ours();
      const values = (on: boolean, count: number, value: number) =>
        [boolean(on), { kind: 'integer', value: count }, { kind: 'float', value }] as const;
      const publishing = publishGoose(link, systemClock, publicationOf(control()), {
        source: link.address!,
        values: values(false, 7, 1.5),
      });
      onTestFinished(() => publishing.stop());
      const heard = (
        { event, valid, stNum, sqNum }: { event: string; [name: string]: unknown },
        st: number,
        sq: number,
      ) => event === 'goose' && valid === true && stNum === st && Number(sqNum) >= sq;
      expect(await it.expect((event) => heard(event, 1, 3), 'repetitions')).toMatchObject({
        gocbRef: REFERENCE,
        goId: 'Bay1',
        datSet: 'BCU1CTRL/LLN0$D',
        confRev: 3,
        ndsCom: false,
        valid: true,
        values: [false, 7, 1.5],
      });
      publishing.update('BCU1CTRL/GGIO1.Ind1', { stVal: boolean(true) });
      expect(await it.expect((event) => heard(event, 2, 0), 'the change')).toMatchObject({ values: [true, 7, 1.5] });
      publishing.change(values(false, -9, 2.5));
      expect(await it.expect((event) => heard(event, 3, 5), 'the heartbeat')).toMatchObject({
        valid: true,
        values: [false, -9, 2.5],
      });
    });

    test('our frames have their tag, their address and their priority on the wire', async () => {
      const sender = packetLink(pair.ends[0], { namespace: pair.namespace });
      onTestFinished(() => sender.close());
      const link = ours();
      const frames: Uint8Array[] = [];
      link.listen((frame) => frames.push(frame.slice()), { etherTypes: [ETHERTYPE.goose] });
      publishGoose(sender, systemClock, publicationOf(control()), { source: sender.address! }).stop();
      await until(() => frames.length > 0, 'a frame');
      const { destination, source, vlan } = decodeFrame(frames[0]!);
      expect([formatMac(destination), formatMac(source)]).toEqual(['01-0C-CD-01-00-01', formatMac(sender.address!)]);
      expect(vlan).toEqual({ id: 5, priority: 4, dropEligible: false });
    });

    test('enerchain goose listen names the values of the file; goose publish is heard', {
      timeout: 60_000,
    }, async () => {
      const scd = sclFile(SCD);
      const enerchain = (...args: string[]) => {
        const main = join(import.meta.dirname, '../../apps/enerchain/src/main.ts');
        const node = ['--disable-warning=ExperimentalWarning', main, 'goose', ...args, '--namespace', pair.namespace];
        const child = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'pipe'] });
        onTestFinished(() => void child.kill('SIGKILL'));
        const said = { stdout: '', stderr: '' };
        for (const stream of ['stdout', 'stderr'] as const)
          child[stream].setEncoding('utf8').on('data', (text: string) => {
            said[stream] += text;
          });
        return { said, closed: once(child, 'close') };
      };
      const listen = enerchain('listen', pair.ends[1], '--scd', scd, '--count', '2');
      await until(() => listen.said.stderr.includes('listening on bus'), 'listening');
      const it = await peer();
      await it.call('publisher', ...ORDER);
      await it.call('publish', [false, 7, 1.5], false);
      await it.call('publish', [true, 7, 1.5], true);
      await listen.closed;
      expect(listen.said.stdout).toContain('BCU1CTRL/LLN0$GO$gcb  stNum 1 sqNum 0');
      expect(listen.said.stdout).toContain('    BCU1CTRL/GGIO1.Cnt1.actVal [ST]  7\n');
      expect(listen.said.stdout).toContain('    BCU1CTRL/GGIO1.Ind1.stVal [ST]  false → true\n');

      await it.call('subscribe', REFERENCE, 1);
      const set = 'BCU1CTRL/GGIO1.AnIn1.mag.f=12.5';
      const publish = enerchain(
        'publish',
        pair.ends[1],
        '--scd',
        scd,
        '--cb',
        REFERENCE,
        '--set',
        set,
        '--count',
        '6',
        '--real',
      );
      await publish.closed;
      expect(publish.said.stderr).toContain('6 messages sent, 0 lost');
      expect(
        await it.expect(({ event, sqNum }) => event === 'goose' && Number(sqNum) >= 4, 'one of the last'),
      ).toMatchObject({
        valid: true,
        stNum: 1,
        values: [false, 0, 12.5],
      });
    });
  },
);
