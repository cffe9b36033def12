/** A service that commands, in the way a real one does: enrolled, over its own link, through its port. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandEvent, systemClock } from '@enerchain/model';
import { runService, type Service } from '@enerchain/service';
import { enrol } from '@enerchain/trust';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CentreHandle, runCentre } from '../src/centre.ts';
import { newDataFolder, removeDataFolder } from './data-folder.ts';
import { breaker, Gateway, position, voltage } from './gateway.ts';

const dataDir = newDataFolder('service-commands');
const logger = pino({ level: 'silent' });
let centre: CentreHandle;
let gateway: Gateway;
const services: Service[] = [];
const steps: CommandEvent[] = [];

/** What the first administrator's command line may do. */
// biome-ignore lint/suspicious/noExplicitAny: answers are checked by what the tests expect of them
async function get(path: string): Promise<any> {
  const authorization = `Bearer ${readFileSync(centre.adminTokenFile, 'utf8').trim()}`;
  return (await fetch(`${centre.url}/api/v1${path}`, { headers: { authorization } })).json();
}

async function start(name: string): Promise<Service> {
  const service = await runService({
    name,
    software: 'test 1.0',
    dataDir: join(dataDir, 'service', name),
    centre: { url: centre.linkUrl, token: await centre.createEnrolmentToken(name, 'service') },
    logger,
    onRecord: ({ content }) => {
      if (content.kind === 'commandEvents' && name === 'switching') steps.push(...content.events);
    },
  });
  services.push(service);
  await expect.poll(() => service.online && service.sites.has('edge-a')).toBe(true);
  return service;
}

beforeAll(async () => {
  const local = { host: '127.0.0.1', port: 0 };
  const signal = new AbortController().signal;
  centre = await runCentre({ dataDir, http: local, link: local, logger, signal, commandingServices: ['switching'] });
  const token = await centre.createEnrolmentToken('edge-a', 'edge');
  gateway = new Gateway(await enrol({ dir: join(dataDir, 'edge-a'), token }), centre.linkUrl);
  await gateway.announce();
  await gateway.observe(position.mRID, 2);
});
afterAll(async () => {
  for (const service of services) await service.close();
  await gateway?.link.close();
  await centre?.close();
  removeDataFolder(dataDir);
});

describe('a service that commands', () => {
  it('prepares, selects and operates under its own name, and reads the result from the log', async () => {
    const { commands } = await start('switching');
    const began = systemClock.now();
    const prepared = await commands.prepare({ point: breaker.mRID, value: 1 });
    expect(prepared).toMatchObject({ state: 'prepared', by: 'service:switching', target: 'edge-a', ctlModel: 'sbo' });
    expect(prepared.checks.every(({ ok }) => ok)).toBe(true);
    await commands.select(prepared.id);
    const seen = (step: string) => () => steps.some((event) => event.command === prepared.id && event.step === step);
    await expect.poll(seen('selected')).toBe(true);
    await commands.operate(prepared.id);
    await expect.poll(seen('terminated')).toBe(true);
    expect(steps.every(({ at }) => BigInt(at) >= began)).toBe(true);
    await expect.poll(async () => (await get(`/commands/${prepared.id}`)).state).toBe('feedbackSeen');
    // Each step stands in the log with who took it.
    await expect
      .poll(async () => {
        const { items } = await get('/audit?limit=1000');
        const own = items.filter(({ actor }: { actor: string }) => actor === 'service:switching');
        return own.map(({ action, outcome }: { action: string; outcome: string }) => `${action} ${outcome}`);
      })
      .toEqual(expect.arrayContaining(['command.prepare ok', 'command.select ok', 'command.operate ok']));
  });

  it('passes the same checks as a person, and touches only its own commands', async () => {
    const [{ commands }] = services as [Service];
    const refused = await commands.prepare({ point: voltage.mRID, value: 1 });
    expect(refused).toMatchObject({ state: 'refusedByCentre', final: true });
    expect(refused.checks.find(({ name }) => name === 'point')).toMatchObject({ ok: false });
    await expect(commands.operate(refused.id)).rejects.toThrow();
    await expect(commands.cancel('5e1a7a3e-0000-4000-8000-000000000000')).rejects.toThrow();
  });

  it('stands in the audit with the start of the centre', async () => {
    await expect
      .poll(async () => (await get('/audit?limit=1000')).items)
      .toContainEqual(
        expect.objectContaining({
          action: 'centre.start',
          detail: expect.objectContaining({ commandingServices: ['switching'] }),
        }),
      );
  });

  it('is refused when the centre has not been told to take commands from it, and that is audited', async () => {
    const { commands } = await start('curious');
    const sent = (await get('/commands?limit=100')).items.length;
    for (const order of [
      commands.prepare({ point: breaker.mRID, value: 1 }),
      commands.operate('5e1a7a3e-0000-4000-8000-000000000000'),
    ]) {
      await expect(order).rejects.toMatchObject({ code: 'service.right' });
    }
    expect((await get('/commands?limit=100')).items).toHaveLength(sent);
    await expect
      .poll(async () => (await get('/audit?limit=1000')).items)
      .toContainEqual(expect.objectContaining({ actor: 'curious', action: 'service.refused', outcome: 'refused' }));
  });
});
