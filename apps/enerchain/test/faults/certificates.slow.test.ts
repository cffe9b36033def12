/** Certificates that live for seconds: they renew themselves, nothing is lost, and no connection ends for it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClient } from '../../src/system-client.ts';
import { Journey, until, wrongWith } from './journey.ts';

const SECONDS = 6;

describe('certificates that live for seconds', { timeout: 60_000 }, () => {
  const journey = new Journey();
  const { station } = journey;
  const certificate = () => readFileSync(join(journey.edgeFolder(), 'identity', 'certificate.pem'), 'utf8');
  const centreCertificate = () => readFileSync(join(journey.centreFolder, 'identity', 'certificate.pem'), 'utf8');
  const key = () => readFileSync(join(journey.edgeFolder(), 'identity', 'key.pem'), 'utf8');
  const audit = async (action: string) => {
    const { items } = await journey.get<{ items: { action: string; actor: string; subject?: string }[] }>(
      '/audit?limit=1000',
    );
    return items.filter((item) => item.action === action);
  };

  beforeAll(() => journey.startCentre({ certificateHours: SECONDS / 3600 }));
  afterAll(async () => {
    await journey.end();
    journey.remove();
  });

  it('renew themselves for the same key, on the connection that is there, and values go on', async () => {
    const edge = await journey.startEdge();
    await until('the link', () => edge.connected);
    const began = performance.now();
    const seen = new Set<string>();
    const firstKey = key();
    const firstOfCentre = centreCertificate();
    await until('beyond the end of the second certificate', () => {
      station.produce(10);
      seen.add(certificate());
      return seen.size >= 4 && performance.now() - began > 2 * SECONDS * 1000;
    });
    await until('acknowledged to the device', () => station.acknowledged === station.produced);
    await until('acknowledged by the centre', () => edge.report().outbox?.batches === 0);
    await until('the history', async () => (await journey.history()).length >= station.produced);
    expect(key()).toBe(firstKey);
    expect(wrongWith(await journey.history(), station.produced)).toEqual([]);
    await until('the audit', async () => (await audit('source.renewed')).length >= 1);
    expect(await audit('source.connected')).toHaveLength(1);
    expect(await audit('ingest.refused')).toEqual([]);
    expect(readdirSync(join(journey.centreFolder, 'ca', 'issued')).length).toBeGreaterThanOrEqual(4);
    // The centre's own was renewed beside them, for the same key, and its own chain names the new one.
    expect(centreCertificate()).not.toBe(firstOfCentre);
  });

  it('go out of use at once when they are revoked, and are not renewed', async () => {
    const token = () => readFileSync(join(journey.centreFolder, 'admin.token'), 'utf8').trim();
    const client = new SystemClient(journey.url, token);
    const before = (await audit('source.revoked')).length;
    const { revoked } = await client.request<{ revoked: string[] }>('POST', '/sources/edge-nord/revoke', {
      reason: 'stolen',
    });
    expect(revoked.length).toBeGreaterThanOrEqual(1);
    await until('the end of the session', async () => {
      const { items } = await journey.get<{ items: { source: string; connected: boolean }[] }>('/sources');
      return items.some(({ source, connected }) => source === 'edge-nord' && !connected);
    });
    await until('the audit', async () => (await audit('source.revoked')).length > before);
    expect((await audit('source.revoked')).at(-1)).toMatchObject({ actor: 'token:local', subject: 'edge-nord' });
    station.produce(10);
    await until('acknowledged to the device', () => station.acknowledged === station.produced);
    const last = certificate();
    await until('the renewal is refused', async () => (await audit('source.renew')).at(-1) !== undefined);
    expect(certificate()).toBe(last);
  });
});
