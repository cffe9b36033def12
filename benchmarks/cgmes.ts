/**
 * Reads and checks about 90 MB of CGMES that our own writer writes: one EQ of many substations, each with a double busbar,
 * breakers, lines and loads, identifiers and names all different. Beside it, in the same run, the importer of PowSyBl
 * (pypowsybl, PyPI) reads the same file. Prints one JSON object. Give folders or archives to read those instead.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/cgmes.ts [paths…]
 */
import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { checkModel, ModelBuilder, openSources, PROFILE_URIS, readModel, writeFile } from '@enerchain/cim';
import { pypowsybl } from './peers/pypowsybl.ts';

/** About 40 kB of XML each. */
const STATIONS = 2_250;
const BAYS = 8;

let counter = 0;
function identifier(): string {
  const at = counter++;
  // Spread over all digits, as identifiers drawn at random are.
  const mixed = [1, 2, 3, 4].map((salt) => Math.imul(at + salt, 0x9e3779b1 ^ (salt * 0x85ebca6b)) >>> 0);
  const hex = mixed.map((word) => word.toString(16).padStart(8, '0')).join('');
  return `_${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

function build(): ModelBuilder {
  const builder = new ModelBuilder();
  const time = '2026-01-01T00:00:00Z';
  builder.file('eq.xml', {
    id: identifier().slice(1),
    profileUris: [PROFILE_URIS.EQ],
    created: time,
    scenarioTime: time,
    modelingAuthoritySet: 'http://benchmark.example/planning',
  });
  const add = (
    className: string,
    name: string,
    values: Readonly<Record<string, string | number | boolean>> = {},
  ): string => {
    const key = identifier();
    builder.object(className, key, { 'IdentifiedObject.mRID': key.slice(1), 'IdentifiedObject.name': name, ...values });
    return key;
  };
  const region = add('GeographicalRegion', 'region');
  const part = add('SubGeographicalRegion', 'part', { 'SubGeographicalRegion.Region': region });
  const base = add('BaseVoltage', '110 kV', { 'BaseVoltage.nominalVoltage': 110 });
  let before: string | undefined;
  for (let index = 0; index < STATIONS; index++) {
    const substation = add('Substation', `Station ${index}`, { 'Substation.Region': part });
    const level = add('VoltageLevel', `110 kV of ${index}`, {
      'VoltageLevel.Substation': substation,
      'VoltageLevel.BaseVoltage': base,
    });
    const node = (name: string): string =>
      add('ConnectivityNode', name, { 'ConnectivityNode.ConnectivityNodeContainer': level });
    const connect = (equipment: string, ...nodes: string[]): void => {
      for (const [at, to] of nodes.entries()) {
        add('Terminal', `T${at + 1} of ${equipment.slice(1, 9)}`, {
          'ACDCTerminal.sequenceNumber': at + 1,
          'Terminal.ConductingEquipment': equipment,
          'Terminal.ConnectivityNode': to,
        });
      }
    };
    const within = { 'Equipment.EquipmentContainer': level };
    const bar = node(`bar ${index}`);
    connect(add('BusbarSection', `Bar ${index}`, within), bar);
    let exit = bar;
    for (let bay = 0; bay < BAYS; bay++) {
      const near = node(`bay ${bay} of ${index}`);
      const far = node(`exit ${bay} of ${index}`);
      const open = { ...within, 'Switch.normalOpen': bay === BAYS - 1, 'Switch.retained': false };
      connect(add('Disconnector', `Q${bay}1`, open), bar, near);
      connect(add('Breaker', `Q${bay}0`, { ...open, 'Switch.ratedCurrent': 1250 + bay }), near, far);
      if (bay > 1) connect(add('EnergyConsumer', `Load ${index}.${bay}`, within), far);
      if (bay === 1) exit = far;
      if (bay === 0 && before !== undefined) {
        const line = add('ACLineSegment', `Line ${index}`, {
          'ConductingEquipment.BaseVoltage': base,
          'Conductor.length': Number((10 + (index % 17) * 1.37).toFixed(3)),
          'ACLineSegment.r': Number((0.5 + (index % 101) * 0.0131).toFixed(6)),
          'ACLineSegment.x': Number((3 + (index % 103) * 0.0573).toFixed(6)),
          'ACLineSegment.bch': Number((2.1e-5 + (index % 107) * 1e-7).toPrecision(7)),
        });
        connect(line, before, far);
      }
    }
    before = exit;
  }
  return builder;
}

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000;

if (process.argv[2] === '--write') {
  // In a process of its own: what writing takes is no part of what reading takes.
  const began = performance.now();
  const model = build().build();
  const built = performance.now();
  await pipeline(Readable.from(writeFile(model, 0)), createWriteStream(process.argv[3]!));
  const written = performance.now();
  console.log(
    JSON.stringify({ buildSeconds: round((built - began) / 1000), writeSeconds: round((written - built) / 1000) }),
  );
} else {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-cgmes-'));
  try {
    let paths = process.argv.slice(2);
    let written: object = {};
    if (paths.length === 0) {
      paths = [join(folder, 'eq.xml')];
      const args = ['--disable-warning=ExperimentalWarning', import.meta.filename, '--write', paths[0]!];
      written = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
      console.error(`written: ${statSync(paths[0]!).size} octets`);
    }
    const cpu = process.cpuUsage();
    const began = performance.now();
    const model = await readModel(openSources(paths));
    const read = performance.now();
    const { user, system } = process.cpuUsage(cpu);
    checkModel(model);
    const checked = performance.now();
    const peakMegabytes = Math.round(process.resourceUsage().maxRSS / 1000);
    console.log(
      JSON.stringify({
        octets: model.files.reduce((sum, file) => sum + file.octets, 0),
        objects: model.store.objects,
        statements: model.store.statements,
        ...written,
        readSeconds: round((read - began) / 1000),
        readCpuSeconds: round((user + system) / 1e6),
        checkSeconds: round((checked - read) / 1000),
        storeMegabytes: Math.round(model.store.octets / 1e6),
        peakMegabytes,
        findings: model.findings.byCode,
        pypowsybl: pypowsybl(paths),
        node: process.version,
        processor: cpus()[0]?.model,
        load: loadavg()[0],
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
