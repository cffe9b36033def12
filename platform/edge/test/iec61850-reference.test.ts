/** Real files, where they are at hand: every IED of Open SCD's files as an endpoint; the IEDs of the IEC 61850 security data set, served. */
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Iec61850Server } from '@enerchain/iec61850';
import { systemClock } from '@enerchain/model';
import { afterAll, describe, expect, it } from 'vitest';
import { referenceData } from '../../../tools/reference-data.ts';
import { Iec61850Connector } from '../src/connectors/iec61850/connector.ts';
import { sourcesOf } from '../src/connectors/iec61850/scl-file.ts';
import { loadSite, openSite } from '../src/site/load-site.ts';
import { FakeIntake } from './fake-intake.ts';
import { silent } from './helpers.ts';

const FOLDER = referenceData('scl') ?? '';
const there = FOLDER !== '';
if (!there) it.skip('SCL of other tools: shared/data/scl is not beside the repository', () => {});
const files = there ? globSync('**/*.{scd,icd,cid,iid}', { cwd: FOLDER }).sort() : [];

const folder = mkdtempSync(join(tmpdir(), 'edge-61850-real-'));
afterAll(() => rmSync(folder, { recursive: true }));
let sites = 0;

/** A site with some IEDs of a file, as an engineer writes it. */
function siteOf(scl: string, ieds: readonly string[], more = ''): string {
  const site = join(folder, `site${sites++}.yaml`);
  const endpoints = ieds.map(
    (ied, n) =>
      `  - { id: ied${n}, protocol: iec61850, scl: '${join(FOLDER, scl)}', ied: '${ied}', settings: true${more} }\n`,
  );
  writeFileSync(site, `source: gw\nsite: { id: s }\nendpoints:\n${endpoints.join('')}`);
  return site;
}

describe.skipIf(!there)('SCL of other tools', () => {
  it('becomes points without a finding, every IED of it', () => {
    let points = 0;
    for (const file of files) {
      const sources = sourcesOf(file, readFileSync(join(FOLDER, file)));
      if (sources.size === 0) continue;
      const { findings } = loadSite(siteOf(file, [...sources.keys()]));
      const errors = findings.filter(({ severity }) => severity === 'error').map(({ text }) => text);
      expect(errors, file).toEqual([]);
      const { site } = openSite(siteOf(file, [...sources.keys()]));
      points += site.endpoints.reduce((sum, endpoint) => sum + endpoint.points.length, 0);
    }
    expect(points).toBeGreaterThan(5_000);
  });

  it.each(files.filter((file) => file.includes('security-dataset')))(
    'an IED of the security data set brings a value of each of its points: %s',
    async (file) => {
      const [[ied, source] = []] = [...sourcesOf(file, readFileSync(join(FOLDER, file)))];
      const server = new Iec61850Server(source!.model, { port: 0 });
      const { port } = await server.listen();
      const { site } = openSite(
        siteOf(
          file,
          [ied!],
          `, host: 127.0.0.1, port: ${port}, poll: { seconds: 60, readsPerSecond: 1000, settingsSeconds: 60 }`,
        ),
      );
      const intake = new FakeIntake();
      intake.auto = true;
      const data = join(folder, basename(file));
      const host = { intake, clock: systemClock, logger: silent, folder, data, source: 'gw' };
      const connector = new Iec61850Connector(site.endpoints[0]!, host);
      connector.start();
      const wanted = site.endpoints[0]!.points.filter(({ binding }) => binding.access === 'read').map(
        ({ point }) => point.name,
      );
      const missing = (): string[] => {
        const seen = new Set(intake.taken.map(({ name }) => name));
        return wanted.filter((name) => !seen.has(name));
      };
      for (const end = performance.now() + 60_000; missing().length > 0 && performance.now() < end; )
        await new Promise((wake) => setTimeout(wake, 20));
      expect(missing()).toEqual([]);
      expect(wanted.length).toBeGreaterThan(40);
      expect((await connector.inspect.model()).deviations).toEqual([]);
      await connector.stop();
      await server.close();
    },
    40_000,
  );
});
