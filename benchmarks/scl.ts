/**
 * Reads an SCD of about 40 MB with 100 000 data objects that is made here, in a process of its own: the file as tables, then types
 * resolved, models of all IEDs and the rules applied. Beside it, in the same run, on the same file: lxml (libxml2, whole tree, no
 * meaning of SCL), the readers of open61850 (Python) and iec61850-rust. Prints one JSON object and writes `results/scl.json`.
 * Give a file to read that instead.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/scl.ts [file]
 */
import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { checkScl, readSclFile } from '@enerchain/iec61850';
import { OPEN61850, open61850, RUST, rust } from '../interop/iec61850/packages.ts';
import { pythonEnvironment } from '../interop/python-environment.ts';
import { substation } from './scl/substation.ts';

const LXML = { name: 'lxml', version: '6.1.3', module: 'lxml.etree', licence: 'BSD-3-Clause' } as const;
const RUNS = 3;
const round = (value: number): number => Number(value.toPrecision(4));

interface Reading {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Of the whole process, its runtime and its code included. */
  readonly peakMegabytes: number;
}

/** In the process that is measured. */
async function read(path: string): Promise<void> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const { scl, findings } = await readSclFile(path);
  const tables = performance.now();
  const { models } = checkScl(scl!, findings);
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  let objects = 0;
  for (const { devices } of models.values())
    for (const { nodes } of devices) for (const { type } of nodes) objects += type?.objects.length ?? 0;
  console.log(
    JSON.stringify({
      seconds,
      tablesSeconds: (tables - began) / 1000,
      cpuSeconds: (user + system) / 1e6,
      peakMegabytes: process.resourceUsage().maxRSS / 1000,
      objects,
      ieds: models.size,
      findings: findings.list.length,
    }),
  );
}

const PROGRAM = (load: string): string => `
import json, resource, sys, time
began, cpu = time.perf_counter(), time.process_time()
${load}
print(json.dumps({'seconds': time.perf_counter() - began, 'cpuSeconds': time.process_time() - cpu,
  'peakMegabytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}))
`;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
function summary(readings: readonly Reading[]) {
  const of = (each: (reading: Reading) => number) => round(median(readings.map(each)));
  return {
    seconds: of((r) => r.seconds),
    cpuSeconds: of((r) => r.cpuSeconds),
    peakMegabytes: of((r) => r.peakMegabytes),
  };
}

/** The programs that read, by name. */
function readers(path: string): [name: string, command: readonly string[] | { readonly missing: string }][] {
  const lxml = pythonEnvironment('lxml', LXML);
  const py = ({ python, missing }: typeof lxml, load: string) =>
    missing === undefined ? [python, '-c', PROGRAM(load), path] : { missing };
  return [
    ['ours', [process.execPath, '--disable-warning=ExperimentalWarning', import.meta.filename, '--read', path]],
    [`lxml ${LXML.version} (tree only)`, py(lxml, 'import lxml.etree\ntree = lxml.etree.parse(sys.argv[1])')],
    [
      `open61850 ${OPEN61850.version} (addresses, data sets, control blocks)`,
      py(open61850, 'import open61850.scl\nieds = open61850.scl.load_ieds(sys.argv[1])'),
    ],
    [
      `iec61850-rust ${RUST.version} (resolved document)`,
      py(rust, 'import iec61850\nscl = iec61850.load_scl(sys.argv[1])'),
    ],
  ];
}

if (process.argv[2] === '--read') await read(process.argv[3]!);
else {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-scl-'));
  try {
    const path = process.argv[2] ?? join(folder, 'benchmark.scd');
    if (process.argv[2] === undefined) await pipeline(Readable.from(substation()), createWriteStream(path));
    const before = loadavg()[0]!;
    const results: Record<string, object> = {};
    let found: Partial<Reading & { objects: number; ieds: number; findings: number; tablesSeconds: number }> = {};
    for (const [name, command] of readers(path)) {
      if ('missing' in command) {
        results[name] = command;
        continue;
      }
      const readings: Reading[] = [];
      for (let run = 0; run < RUNS; run++) {
        const { status, stdout, stderr } = spawnSync(command[0]!, command.slice(1), {
          encoding: 'utf8',
          timeout: 300_000,
        });
        if (status !== 0) {
          results[name] = { failed: stderr.trim().split('\n').at(-1) ?? `status ${status}` };
          break;
        }
        readings.push(JSON.parse(stdout) as Reading);
      }
      if (readings.length < RUNS) continue;
      results[name] = summary(readings);
      if (name === 'ours') found = readings[0]!;
    }
    const result = {
      what: 'an SCD read whole: ours with types resolved, models of all IEDs and rules applied',
      measured: new Date().toISOString(),
      machine: {
        cpu: cpus()[0]?.model,
        cores: cpus().length,
        node: process.version,
        load: { before, after: loadavg()[0] },
      },
      runs: RUNS,
      file: {
        megabytes: round(statSync(path).size / 1e6),
        ieds: found.ieds,
        dataObjects: found.objects,
        findings: found.findings,
      },
      readers: results,
    };
    const text = `${JSON.stringify(result, undefined, 2)}\n`;
    process.stdout.write(text);
    mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
    writeFileSync(join(import.meta.dirname, 'results', 'scl.json'), text);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
