/** The SCD of the lab's substation in a site file: points stand at their equipment of the grid, and nobody has typed an address. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSite } from '@enerchain/edge';
import { readSclFile } from '@enerchain/iec61850';
import { buildLabGrid } from '@enerchain/lab';
import { equipmentAt, quantityOf } from '@enerchain/model';
import { afterAll, expect, test } from 'vitest';

const SCD = join(import.meta.dirname, '../../lab/substation/brunnfeld.scd');
const folder = mkdtempSync(join(tmpdir(), 'enerchain-places-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('nearly all points whose logical node stands somewhere are placed, each at what its path names', async () => {
  const { scl } = await readSclFile(SCD);
  const endpoints = scl!.ieds.map(
    ({ name }) => `  - { id: ${name}, protocol: iec61850, scl: '${SCD}', ied: '${name}' }\n`,
  );
  writeFileSync(join(folder, 'site.yaml'), `source: gw\nsite: { id: s }\nendpoints:\n${endpoints.join('')}`);
  const { site } = openSite(join(folder, 'site.yaml'));
  const { model } = buildLabGrid();
  const points = site.endpoints.flatMap((endpoint) => endpoint.points.map(({ point }) => point));
  const withPath = points.filter(({ equipmentPath }) => equipmentPath !== undefined);
  const placed = withPath.flatMap((point) => {
    const found = equipmentAt(model, point.equipmentPath!.split('/'), quantityOf(point));
    return found && found.certain >= 0.75 ? [{ point, ...found }] : [];
  });
  expect(scl!.ieds.length).toBeGreaterThanOrEqual(6);
  expect(withPath.length).toBeGreaterThan(400);
  expect(placed.length / withPath.length).toBeGreaterThan(0.95);
  for (const { point, item } of placed) {
    // A switch is named by the last name of the path; a value of a bay is of what the bay leads to.
    if (point.measurementType === 'SwitchPosition') expect(point.equipmentPath).toMatch(new RegExp(`/${item.name}$`));
    if (point.measurementType === 'ThreePhaseActivePower')
      expect(item.class).not.toMatch(/Breaker|Disconnector|Busbar/);
  }
});
