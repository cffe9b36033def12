/** The connector over TLS with certificates of the development authority, as a gateway and its device would have them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileKeySigner } from '@enerchain/pki';
import type { SecurityEvent } from '@enerchain/transport';
import { DevelopmentCa, requestFor } from '@enerchain/trust';
import { expect, onTestFinished, test } from 'vitest';
import { dbpos, Iec61850Station, q } from './iec61850-station.ts';

test('a device over TLS: both show certificates of the authority; a stranger gets no value', async () => {
  const station = new Iec61850Station();
  onTestFinished(() => station.close());
  const at = (name: string) => join(station.folder, name);
  const issue = async (ca: DevelopmentCa, name: string) => {
    const signer = await FileKeySigner.create(at(`${name}.key`));
    const holder = { name, role: 'network' } as const;
    const cert = await ca.issue(await requestFor(holder, signer), holder);
    writeFileSync(at(`${name}.pem`), cert);
    return { certFile: `${name}.pem`, keyFile: `${name}.key`, cert, key: readFileSync(at(`${name}.key`), 'utf8') };
  };
  const ca = await DevelopmentCa.open(at('ca'));
  writeFileSync(at('ca.pem'), ca.certificatePem);
  const device = await issue(ca, 'BCU1');
  const gateway = await issue(ca, 'gw');
  const foreign = await DevelopmentCa.open(at('foreign'));
  const stranger = await issue(foreign, 'stranger');
  const events: SecurityEvent[] = [];
  const port = await station.serve({
    tls: { cert: device.cert, key: device.key, ca: ca.certificatePem },
    onSecurityEvent: (event) => events.push(event),
  });
  station.server.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2), q: q(0, 0) });
  const tls = ({ certFile, keyFile }: { certFile: string; keyFile: string }) =>
    `    tls: { ca: ca.pem, certificate: ${certFile}, key: ${keyFile} }\n`;
  station.connect(station.site(port, tls(gateway)));
  await station.synchronized();
  expect(station.seen('BCU1CTRL/XCBR1.Pos').at(-1)).toMatchObject({ value: 2 });
  expect(events).toMatchObject([
    { name: 'session-established', certificate: { subject: expect.stringContaining('CN=gw') } },
  ]);
  expect(station.eventsOf('session-established')).toHaveLength(1);

  const refused = station.connect(station.site(port, tls(stranger)));
  await station.until(() => events.some(({ name }) => name === 'certificate-unknown-authority'), 'the refusal');
  await station.until(() => refused.health().detail !== undefined, 'the reason');
  expect(refused.health().state).toBe('connecting');
  expect(station.intake.taken).toEqual([]);
});
