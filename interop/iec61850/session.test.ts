/** A session with a server of libiec61850: cut off, and restarted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { browse, Iec61850Session, type ReceivedReport, type SessionGap } from '@enerchain/iec61850';
import { tcpConnect } from '@enerchain/transport';
import { until } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../peer-process.ts';
import { missing, python } from '../pyiec61850.ts';

describe.skipIf(missing !== undefined)(`a session with libiec61850${missing ? ` (skipped: ${missing})` : ''}`, () => {
  test('goes on after a cut without a hole, and says what a restart has lost', async () => {
    const port = await freePort();
    const start = async () => {
      const script = join(import.meta.dirname, 'peers', 'server.py');
      const child = spawn(python, [script, String(port)], { stdio: ['pipe', 'pipe', 'ignore'] });
      onTestFinished(() => void child.kill());
      expect(String((await once(child.stdout, 'data'))[0])).toContain('ready');
      return child;
    };
    let server: ChildProcess = await start();
    const change = async () => {
      server.stdin!.write('\n');
      await once(server.stdout!, 'data');
    };
    const gaps: SessionGap[] = [];
    const values: unknown[] = [];
    const unbuffered: ReceivedReport[] = [];
    const session = new Iec61850Session({
      ways: [{ name: `127.0.0.1:${port}`, connect: tcpConnect('127.0.0.1', port) }],
      pause: { first: 50, longest: 200 },
      onGap: (gap) => gaps.push(gap),
    });
    onTestFinished(() => session.close());
    session.subscribe({
      blocks: ['IEDLD0/LLN0.BR.brcb01'],
      interrogate: false,
      onReport: ({ members }) => {
        // Of the status, the one boolean is the position.
        for (const { value, reasons } of members)
          if (reasons.includes('dchg') && value.kind === 'structure')
            values.push(value.value.find(({ kind }) => kind === 'boolean')?.value);
      },
    });
    session.subscribe({ blocks: ['IEDLD0/LLN0.RP.urcb01'], onReport: (report) => unbuffered.push(report) });
    session.start();
    // It says that its buffer has overflowed also to who enables it for the first time.
    const kinds = () => gaps.map(({ kind }) => kind).filter((kind) => kind !== 'buffer-overflow');
    const up = () => until(() => session.state.kind === 'up', 'up');
    await up();
    await change();
    await until(() => values.length === 1, 'a change');
    const before = session.use();
    before.abort();
    await change();
    await change();
    await until(() => values.length === 3, 'what was buffered');
    expect(values).toEqual([true, false, true]);
    await up();
    await until(() => kinds().length >= 2, 'what was lost');
    expect(kinds()).toEqual(['connection-lost', 'unreported']);
    const outline = await browse(session.use());
    expect(outline.get('IEDLD0/GGIO1.SPCSO1.stVal [ST]')).toBe('boolean');
    expect(outline.get('IEDLD0/LLN0.brcb01 [BR]')).toBe('control block');

    server.kill();
    await once(server, 'close');
    await until(() => session.state.kind === 'connecting', 'the loss');
    server = await start();
    await up();
    await change();
    await until(() => values.length === 4, 'the first change after the restart');
    await until(() => kinds().length >= 5, 'what was lost');
    expect(kinds()).toEqual(['connection-lost', 'unreported', 'connection-lost', 'entry-unknown', 'unreported']);
  });
});
