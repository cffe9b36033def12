/** What the tests beside other stacks share: programs of ours that drive them, the sample on both sides. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ControlHandler,
  checkScl,
  Iec61850Client,
  Iec61850Server,
  type ReceivedReport,
  type ReportGap,
  readScl,
} from '@enerchain/iec61850';
import { tcpConnect } from '@enerchain/transport';
import { onTestFinished } from 'vitest';
import { SCD } from '../../standards/iec61850/test/acsi/sample.ts';
import { PeerProcess } from '../peer-process.ts';

/** Starts a program of ours on a stack; ended with the test. */
export async function peerProgram(python: string, script: string, ...args: readonly string[]): Promise<PeerProcess> {
  const command = [python, join(import.meta.dirname, 'peers', script)];
  const peer = new PeerProcess({ name: script, version: '', licence: '', command }, args);
  onTestFinished(() => peer.stop());
  await peer.expect(({ event }) => event === 'ready', `${script} ready`);
  return peer;
}

/** The file on disk, for as long as the test runs. */
export function sclFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-scl-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'sample.scd');
  writeFileSync(file, text);
  return file;
}

/** The IED of the sample. */
export const sampleIed = () => checkScl(readScl(SCD).scl!).models.get('BCU1')!;

/** Its four objects that can be operated, in the order of their control models. */
export const MODELS = ['direct-normal', 'sbo-normal', 'direct-enhanced', 'sbo-enhanced'] as const;

/** Our server of the sample, whose objects may be switched on but not off. */
export async function ourServer() {
  const operated: string[] = [];
  const handler: ControlHandler = {
    check: ({ ctlVal }) => (ctlVal.value === true ? undefined : 'blocked-by-interlocking'),
    operate: ({ object, model, ctlVal }) => {
      operated.push(`${object.slice(-1)} ${model} ${String(ctlVal.value)}`);
      return undefined;
    },
  };
  const controls = Object.fromEntries(MODELS.map((_, index) => [`BCU1CTRL/GGIO1.SPCSO${index + 1}`, handler]));
  const server = new Iec61850Server(sampleIed(), { port: 0, controls, access: () => true });
  const { port } = await server.listen();
  onTestFinished(() => server.close());
  return { server, port, operated };
}

/** A client of ours. @param strays gets what was unsolicited and not understood */
export const ourClient = async (port: number, strays: string[] = []): Promise<Iec61850Client> =>
  Iec61850Client.connect(await tcpConnect('127.0.0.1', port)(AbortSignal.timeout(60_000)), {
    onStray: (text) => strays.push(text),
  });

export const boolean = (value: boolean) => ({ kind: 'boolean', value }) as const;

/** What a subscription of ours gets. */
export function listen() {
  const reports: ReceivedReport[] = [];
  const gaps: ReportGap[] = [];
  return {
    reports,
    gaps,
    onReport: (report: ReceivedReport) => void reports.push(report),
    onGap: (gap: ReportGap) => void gaps.push(gap),
  };
}
