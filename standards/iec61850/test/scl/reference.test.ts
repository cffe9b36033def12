/** Real files, where they are at hand: Open SCD's test files and the IEDs of the IEC 61850 security data set. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { referenceData } from '../../../../tools/reference-data.ts';
import {
  checkScl,
  compareFacts,
  factsOf,
  iec104Addresses,
  leaves,
  lNodeLinks,
  readScl,
  readSclFile,
  sclText,
} from '../../src/index.ts';

const FOLDER = referenceData('scl') ?? '';
const there = FOLDER !== '';
if (!there) it.skip('SCL of other tools: shared/data/scl is not beside the repository', () => {});

describe.skipIf(!there)('SCL of other tools', () => {
  const files = there ? globSync('**/*.{scd,ssd,icd,cid,iid}', { cwd: FOLDER }).sort() : [];

  it('is read whole, and what is wrong with it is said', async () => {
    expect(files.length).toBeGreaterThan(70);
    for (const file of files) {
      const { scl, findings } = await readSclFile(join(FOLDER, file));
      expect(scl, file).toBeDefined();
      checkScl(scl!, findings);
      expect(findings.byCode['scl.element'] ?? 0, file).toBeLessThan(3);
    }
  });

  it('says the same when it was written anew', async () => {
    for (const file of files) {
      const { scl } = await readSclFile(join(FOLDER, file));
      const { scl: again } = readScl(sclText(scl!));
      const facts = (of: typeof scl) => factsOf(of!, checkScl(of!).types);
      expect(compareFacts(facts(scl), facts(again)), file).toEqual([]);
      expect([...iec104Addresses(again!)].length, file).toBe([...iec104Addresses(scl!)].length);
    }
  });

  it('gives every data set member of eighteen IEDs its attributes', async () => {
    const ieds = files.filter((file) => file.endsWith('ED30.iid') || file.includes('security-dataset'));
    expect(ieds).toHaveLength(18);
    for (const file of ieds) {
      const { scl, findings } = await readSclFile(join(FOLDER, file));
      const { models } = checkScl(scl!, findings);
      // Each of these files sends a GOOSE whose control block has another name than its address: found, and nothing else.
      expect(
        findings.list.filter(({ severity }) => severity === 'error').map(({ code }) => code),
        file,
      ).toEqual(['scl.reference']);
      const [model] = models.values();
      const attributes = model!.devices.flatMap(({ nodes }) =>
        nodes.flatMap(({ type }) => type!.objects.flatMap((object) => [...leaves(object)])),
      );
      expect(attributes.length, file).toBeGreaterThan(300);
    }
  });

  it('has the 104 addresses and links of Open SCD', async () => {
    const { scl } = await readSclFile(join(FOLDER, 'open-scd/104/valid-addresses.scd'));
    expect([...iec104Addresses(scl!)]).toHaveLength(72);
    expect([...lNodeLinks(scl!)]).toHaveLength(11);
  });
});
