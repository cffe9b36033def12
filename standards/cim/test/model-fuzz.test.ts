/** Exchanges changed at random: whatever is in them, reading, applying and checking end in findings. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkModel } from '../src/check/check.ts';
import { CimError } from '../src/error.ts';
import { applyDifferences, readModel } from '../src/model.ts';
import { CONTAINERS, document, FEED, full, LOAD, line, SSH } from './exchange.ts';

const EQ = full('EQ', CONTAINERS + line() + LOAD + FEED);
const DIFFERENCE =
  document(`<dm:DifferenceModel rdf:about="urn:uuid:d1"><md:Model.profile>http://iec.ch/TC57/ns/CIM/CoreEquipment-EU/3.0</md:Model.profile>
<dm:reverseDifferences rdf:parseType="Statements"><rdf:Description rdf:about="#_line"><cim:ACLineSegment.x>10</cim:ACLineSegment.x></rdf:Description>
<cim:EnergyConsumer rdf:about="#_load"/></dm:reverseDifferences>
<dm:forwardDifferences rdf:parseType="Statements"><rdf:Description rdf:about="#_line"><cim:ACLineSegment.x>11</cim:ACLineSegment.x></rdf:Description>
</dm:forwardDifferences></dm:DifferenceModel>`);

/** Words of the exchanges themselves, so that an edit is often still XML and says something else. */
const WORDS = [
  ...new Set(`${EQ}${DIFFERENCE}`.match(/[#"]_?[a-z0-9-]+"|cim:[A-Za-z.]+|rdf:[A-Za-z]+|dm:[A-Za-z]+|>[0-9]+</g)),
];

type Edit = readonly [at: number, word: string, put: string];
const edit = fc.tuple(
  fc.nat(),
  fc.constantFrom(...WORDS),
  fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 4 })),
);

/** Replaces one occurrence of a word, the `at`th, by another. */
function apply(text: string, [at, word, put]: Edit): string {
  const places = [...text.matchAll(new RegExp(word.replaceAll('.', '\\.'), 'g'))];
  const place = places[at % (places.length || 1)];
  return place ? text.slice(0, place.index) + put + text.slice(place.index + word.length) : text;
}

test('words changed for others: no exception but of a difference that is not whole, and every finding has a code', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(edit, { minLength: 1, maxLength: 4 }),
      fc.array(edit, { maxLength: 2 }),
      async (eq, difference) => {
        const texts = [eq.reduce(apply, EQ), SSH, difference.reduce(apply, DIFFERENCE)];
        const model = await readModel(
          texts.map((text, index) => ({
            name: `${index}.xml`,
            open: async function* () {
              yield Buffer.from(text);
            },
          })),
        );
        try {
          applyDifferences(model);
        } catch (error) {
          if (!(error instanceof CimError) || error.code !== 'cim.difference') throw error;
        }
        checkModel(model);
        for (const { code, text } of model.findings.list) {
          expect(code).toMatch(/^(xml|rdf|cim|grid)\.[a-z-]+$/);
          expect(text).not.toMatch(/undefined|\[object/);
          seen.add(code);
        }
      },
    ),
    { numRuns: 600 },
  );
  // Not all of them end at the first rule.
  expect(seen.size).toBeGreaterThan(12);
});
