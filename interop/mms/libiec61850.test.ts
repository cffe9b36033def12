/** Our client with a server of libiec61850, and a client of libiec61850 with our server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { MmsClient, MmsServerSession, nameOf } from '@enerchain/mms';
import { socketTransport, tcpConnect } from '@enerchain/transport';
import { describe, expect, onTestFinished, test } from 'vitest';
import { missing, python } from '../pyiec61850.ts';

const script = (name: string) => join(import.meta.dirname, 'peers', name);
const access = {
  kind: 'variables',
  value: [{ specification: { kind: 'name', value: nameOf('GGIO1$ST$Ind1', 'IEDLD0') } }],
} as const;

describe.skipIf(missing !== undefined)(`libiec61850${missing ? ` (skipped: ${missing})` : ''}`, () => {
  test('its server with our client: browse, type, read, refusals, conclude', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as { port: number };
    free.close();
    await once(free, 'close');
    const server = spawn(python, [script('libiec61850_server.py'), String(port)], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    onTestFinished(() => {
      server.kill();
    });
    expect(String((await once(server.stdout, 'data'))[0])).toContain('ready');
    const client = await MmsClient.associate(await tcpConnect('127.0.0.1', port)(AbortSignal.timeout(60_000)));
    expect(await client.call('identify', null)).toMatchObject({ model: 'LIBIEC61850' });
    const domains = { class: { kind: 'basic', value: 9 }, scope: { kind: 'vmd', value: null } } as const;
    expect((await client.call('getNameList', domains)).names).toEqual(['IEDLD0']);
    const variables = { class: { kind: 'basic', value: 0 }, scope: { kind: 'domain', value: 'IEDLD0' } } as const;
    expect((await client.call('getNameList', variables)).names).toContain('GGIO1$ST$Ind1$stVal');
    const { type } = await client.call('getVariableAccessAttributes', access.value[0].specification);
    expect(type).toMatchObject({
      kind: 'structure',
      value: { components: [{ name: 'stVal' }, { name: 'q' }, { name: 't' }] },
    });
    const { results } = await client.call('read', { withSpecification: false, access });
    expect(results).toMatchObject([
      { kind: 'success', value: { kind: 'structure', value: [{ kind: 'boolean', value: false }, {}, {}] } },
    ]);
    const answer = await client.call('write', { access, data: [{ kind: 'boolean', value: true }] });
    expect(answer).toMatchObject([{ kind: 'failure' }]);
    await expect(client.call('fileOpen', { name: ['none'], position: 0 })).rejects.toMatchObject({
      code: 'service.file',
    });
    await client.conclude();
  });

  test('its client with our server: connect, read, a value that is not there', async () => {
    const listener = createServer({ pauseOnConnect: true }, (socket) => {
      new MmsServerSession(socketTransport(socket), {
        handlers: {
          read: ({ access: asked }) => ({
            results: (asked.kind === 'variables' ? asked.value : []).map(({ specification }) =>
              JSON.stringify(specification).includes('Ind1')
                ? { kind: 'success', value: { kind: 'boolean', value: true } }
                : { kind: 'failure', value: 10 },
            ),
          }),
        },
      });
    }).listen(0, '127.0.0.1');
    onTestFinished(() => {
      listener.close();
    });
    await once(listener, 'listening');
    const { port } = listener.address() as { port: number };
    const client = spawn(python, [script('libiec61850_client.py'), String(port)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    client.stdout.on('data', (chunk) => {
      text += chunk;
    });
    await once(client, 'close');
    expect(text.trim().split('\n')).toEqual(['connect 0', 'read True 0', 'missing True']);
  });
});
