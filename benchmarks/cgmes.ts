/**
 * Reads and checks about 90 MB of CGMES XML that it writes itself: one EQ file of many substations, each with a double
 * busbar, breakers, lines and transformers, identifiers and names all different. Prints one JSON object. Give folders or
 * archives to read those instead.
 */

import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkModel, openSources, readModel } from '@enerchain/cim';

const TARGET = 90e6;
const uuid = (counter: number): string => {
  // Spread over all digits, as identifiers drawn at random are.
  const mixed = [1, 2, 3, 4].map((salt) => Math.imul(counter + salt, 0x9e3779b1 ^ (salt * 0x85ebca6b)) >>> 0);
  const hex = mixed.map((word) => word.toString(16).padStart(8, '0')).join('');
  return `_${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
};

const HEAD = `<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:cim="http://iec.ch/TC57/CIM100#" xmlns:md="http://iec.ch/TC57/61970-552/ModelDescription/1#" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <md:FullModel rdf:about="urn:uuid:00000000-0000-4000-8000-000000000001">
    <md:Model.profile>http://iec.ch/TC57/ns/CIM/CoreEquipment-EU/3.0</md:Model.profile>
  </md:FullModel>
  <cim:GeographicalRegion rdf:ID="_region"><cim:IdentifiedObject.name>region</cim:IdentifiedObject.name></cim:GeographicalRegion>
  <cim:SubGeographicalRegion rdf:ID="_sub"><cim:IdentifiedObject.name>sub</cim:IdentifiedObject.name><cim:SubGeographicalRegion.Region rdf:resource="#_region" /></cim:SubGeographicalRegion>
  <cim:BaseVoltage rdf:ID="_bv"><cim:IdentifiedObject.name>110</cim:IdentifiedObject.name><cim:BaseVoltage.nominalVoltage>110</cim:BaseVoltage.nominalVoltage></cim:BaseVoltage>
`;

let counter = 0;
function object(name: string, label: string, properties: readonly string[]): [id: string, text: string] {
  const id = uuid(counter++);
  const body = properties.map((property) => `    ${property}\n`).join('');
  const named = `    <cim:IdentifiedObject.mRID>${id.slice(1)}</cim:IdentifiedObject.mRID>\n    <cim:IdentifiedObject.name>${label}</cim:IdentifiedObject.name>\n`;
  return [id, `  <cim:${name} rdf:ID="${id}">\n${named}${body}  </cim:${name}>\n`];
}
const value = (name: string, text: string | number | boolean): string => `<cim:${name}>${text}</cim:${name}>`;
const reference = (name: string, id: string): string => `<cim:${name} rdf:resource="#${id}" />`;

function station(index: number, before: string | undefined): [text: string, exit: string] {
  const parts: string[] = [];
  const add = (name: string, label: string, ...properties: string[]): string => {
    const [id, text] = object(name, label, properties);
    parts.push(text);
    return id;
  };
  const substation = add('Substation', `Station ${index}`, reference('Substation.Region', '_sub'));
  const level = add(
    'VoltageLevel',
    `110 kV of ${index}`,
    reference('VoltageLevel.Substation', substation),
    reference('VoltageLevel.BaseVoltage', '_bv'),
  );
  const node = (label: string): string =>
    add('ConnectivityNode', label, reference('ConnectivityNode.ConnectivityNodeContainer', level));
  const connect = (equipment: string, ...nodes: string[]): void => {
    for (const [at, to] of nodes.entries()) {
      add(
        'Terminal',
        `T${at + 1} of ${equipment.slice(1, 9)}`,
        value('ACDCTerminal.sequenceNumber', at + 1),
        reference('Terminal.ConductingEquipment', equipment),
        reference('Terminal.ConnectivityNode', to),
      );
    }
  };
  const within = reference('Equipment.EquipmentContainer', level);
  const bar = node(`bar ${index}`);
  connect(add('BusbarSection', `Bar ${index}`, within), bar);
  let exit = bar;
  for (let bay = 0; bay < 8; bay++) {
    const near = node(`bay ${bay} of ${index}`);
    const far = node(`exit ${bay} of ${index}`);
    const open = [within, value('Switch.normalOpen', bay === 7), value('Switch.retained', false)];
    connect(add('Disconnector', `Q${bay}1`, ...open), bar, near);
    connect(add('Breaker', `Q${bay}0`, ...open, value('Switch.ratedCurrent', 1250 + bay)), near, far);
    if (bay > 1) connect(add('EnergyConsumer', `Load ${index}.${bay}`, within), far);
    if (bay === 1) exit = far;
    if (bay === 0 && before !== undefined) {
      const line = add(
        'ACLineSegment',
        `Line ${index}`,
        reference('ConductingEquipment.BaseVoltage', '_bv'),
        value('Conductor.length', (10 + (index % 17) * 1.37).toFixed(3)),
        value('ACLineSegment.r', (0.5 + (index % 101) * 0.0131).toFixed(6)),
        value('ACLineSegment.x', (3 + (index % 103) * 0.0573).toFixed(6)),
        value('ACLineSegment.bch', (2.1e-5 + (index % 107) * 1e-7).toExponential(6)),
      );
      connect(line, before, far);
    }
  }
  return [parts.join(''), exit];
}

async function write(path: string): Promise<void> {
  const stream = createWriteStream(path);
  stream.write(HEAD);
  let octets = HEAD.length;
  let exit: string | undefined;
  for (let index = 0; octets < TARGET; index++) {
    const [text, next] = station(index, exit);
    exit = next;
    octets += text.length;
    if (!stream.write(text)) await once(stream, 'drain');
  }
  stream.end('</rdf:RDF>\n');
  await once(stream, 'finish');
}

const folder = mkdtempSync(join(tmpdir(), 'enerchain-cgmes-'));
try {
  let paths = process.argv.slice(2);
  if (paths.length === 0) {
    paths = [join(folder, 'eq.xml')];
    await write(paths[0]!);
    console.error(`written: ${statSync(paths[0]!).size} octets`);
  }
  const cpu = process.cpuUsage();
  const began = performance.now();
  const model = await readModel(openSources(paths));
  const read = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  checkModel(model);
  const checked = performance.now();
  const octets = model.files.reduce((sum, file) => sum + file.octets, 0);
  const seconds = (from: number, to: number): number => Math.round(to - from) / 1000;
  console.log(
    JSON.stringify({
      octets,
      objects: model.store.objects,
      statements: model.store.statements,
      readSeconds: seconds(began, read),
      readCpuSeconds: Math.round((user + system) / 1000) / 1000,
      checkSeconds: seconds(read, checked),
      storeMegabytes: Math.round(model.store.octets / 1e6),
      peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1000),
      findings: model.findings.byCode,
      node: process.version,
      processor: cpus()[0]?.model,
      load: loadavg()[0],
    }),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
