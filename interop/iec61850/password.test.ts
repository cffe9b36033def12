/** Associations with a password (X.227 § 8.1, mechanism 2.2.3.1) in both roles with libiec61850; the other stacks here have none. */
import { Iec61850Client, Iec61850Server } from '@enerchain/iec61850';
import { OID } from '@enerchain/mms';
import { tcpConnect } from '@enerchain/transport';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../peer-process.ts';
import { missing, python } from '../pyiec61850.ts';
import { peerProgram, sampleIed } from './stacks.ts';

const PROGRAM = 'libiec61850_password.py';
const WORD = 'open sesame';

describe.skipIf(missing !== undefined)(`passwords with libiec61850${missing ? ` (skipped: ${missing})` : ''}`, () => {
  test('its client with our server', async () => {
    const shown: (string | undefined)[] = [];
    const server = new Iec61850Server(sampleIed(), {
      port: 0,
      authenticate: (authentication) => {
        const { value } = authentication ?? {};
        const password = value?.kind === 'charstring' ? value.value : undefined;
        shown.push(password);
        return authentication?.mechanism === OID.password && password === WORD;
      },
    });
    const { port } = await server.listen();
    onTestFinished(() => server.close());
    const peer = await peerProgram(python, PROGRAM, 'client');
    expect(await peer.call('connect', port, WORD)).toBe(0);
    expect(await peer.call('connect', port, 'guessed')).not.toBe(0);
    expect(await peer.call('connect', port, null)).not.toBe(0);
    expect(shown).toEqual([WORD, 'guessed', undefined]);
  });

  test('its server with our client', async () => {
    const port = await freePort();
    const peer = await peerProgram(python, PROGRAM, 'server', String(port), WORD);
    const connect = async (word?: string): Promise<string[]> => {
      const transport = await tcpConnect('127.0.0.1', port)(AbortSignal.timeout(60_000));
      const authentication =
        word === undefined
          ? undefined
          : { mechanism: OID.password, value: { kind: 'charstring', value: word } as const };
      const client = await Iec61850Client.connect(transport, authentication ? { association: { authentication } } : {});
      const devices = await client.devices();
      await client.close();
      return devices;
    };
    expect(await connect(WORD)).toEqual(['IEDLD0']);
    // It closes the connection; ours answers with an AARE that says why.
    await expect(connect('guessed')).rejects.toMatchObject({ code: 'association.lost' });
    await expect(connect()).rejects.toMatchObject({ code: 'association.lost' });
    expect(await peer.call('asked')).toEqual([WORD, 'guessed', null]);
  });
});
