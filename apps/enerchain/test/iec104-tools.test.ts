import { Iec104Server } from '@enerchain/iec60870';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandValue, parseAddress } from '../src/commands/iec104.ts';
import { enerchainProcess } from './enerchain.ts';

describe('enerchain iec104', () => {
  const operated: number[] = [];
  const server = new Iec104Server({
    port: 0,
    commonAddresses: [7],
    handlers: {
      interrogation: () => [
        { typeId: 1, objects: [{ address: 100, element: { kind: 'single', value: 1, quality: 0x80 } }] },
        { typeId: 13, objects: [{ address: 400, element: { kind: 'short', value: 20.5, quality: 0 } }] },
      ],
      command: (_context, request) => {
        if (request.address !== 500) return { refuse: 'unknown object address' };
        if (request.phase === 'execute') operated.push(request.value);
        return 'accept';
      },
    },
  });
  let at: string;
  beforeAll(async () => {
    await server.listen();
    at = `127.0.0.1:${server.address!.port}`;
  });
  afterAll(() => server.close());

  it('listen --json prints one line per information object', async () => {
    const { status, stdout } = await enerchainProcess(['iec104', 'listen', at, '--json', '--count', '2']);
    expect(status).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([
      {
        ca: 7,
        ioa: 100,
        type: 'M_SP_NA_1',
        typeId: 1,
        cot: 20,
        cause: 'inrogen',
        value: 1,
        quality: ['IV'],
        time: null,
      },
      {
        ca: 7,
        ioa: 400,
        type: 'M_ME_NC_1',
        typeId: 13,
        cot: 20,
        cause: 'inrogen',
        value: 20.5,
        quality: [],
        time: null,
      },
    ]);
  });

  it('command operates once, and its exit status says whether it happened', async () => {
    const done = await enerchainProcess([
      ...[
        'iec104',
        'command',
        at,
        '--ca',
        '7',
        '--ioa',
        '500',
        '--type',
        'C_DC_NA_1',
        '--value',
        'on',
        '--select',
        '--json',
      ],
    ]);
    expect(done).toMatchObject({ status: 0 });
    expect(JSON.parse(done.stdout)).toMatchObject({ kind: 'confirmed' });
    expect(operated).toEqual([2]);
    const refused = await enerchainProcess([
      ...['iec104', 'command', at, '--ca', '7', '--ioa', '501', '--type', 'C_SC_NA_1', '--value', 'on'],
    ]);
    expect(refused.status).toBe(1);
    expect(refused.stdout).toMatch(/unknown information object address/);
  });

  it('scan drafts a point list that names each object', async () => {
    const { status, stdout } = await enerchainProcess(['iec104', 'scan', at, '--settle', '0']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^name[;,]/);
    expect(stdout).toMatch(/400[;,].*M_ME_NC_1/);
  });

  it('says plainly when nobody is there', async () => {
    const { status, stderr } = await enerchainProcess(['iec104', 'listen', '127.0.0.1:1']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('options of the field tools', () => {
  it('take host, host:port and [v6]:port', async () => {
    expect(parseAddress('10.0.3.7')).toEqual({ host: '10.0.3.7', port: 2404 });
    expect(parseAddress('rtu:19998')).toEqual({ host: 'rtu', port: 19998 });
    expect(parseAddress('[::1]:2404')).toEqual({ host: '::1', port: 2404 });
    expect(() => parseAddress('a:b:c')).toThrow(/host:port/);
    expect(() => parseAddress('rtu:99999')).toThrow(/65535/);
  });

  it('take on and off as the type means them', async () => {
    expect(commandValue('on', 'C_SC_NA_1')).toBe(1);
    expect(commandValue('on', 'C_DC_NA_1')).toBe(2);
    expect(commandValue('0.5', 'C_SE_NA_1')).toBe(16384);
    expect(commandValue('0.5', 'C_SE_NC_1')).toBe(0.5);
    expect(() => commandValue('', 'C_SC_NA_1')).toThrow(/--value/);
  });
});
