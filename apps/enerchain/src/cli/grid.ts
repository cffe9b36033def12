/** Grids in files and in the running system: read, compare, calculate. */
import type { Command } from 'commander';
import { data, json } from './options.ts';

export function gridCommands(program: Command): void {
  program
    .command('import')
    .description('read a grid model (CGMES 3.0 or 2.4.15), say what is wrong with it, and put it in force')
    .argument('<files...>', 'equipment, hypothesis, topology, … and their boundary: XML files, folders, zips')
    .option('--check', 'only read and check; nothing is stored')
    .option(
      '--shacl <files...>',
      'check SHACL shapes too: Turtle files or folders of them; takes minutes for large models',
    )
    .option('--points <file>', 'write the measurements and controls (OP) as a point list, to which addresses are added')
    .option('--partial', 'store the grid without the equipment that cannot be taken over')
    .option('--name <name>', 'name of the grid; default: the authority of the equipment file')
    .option('--frequency <hz>', 'nominal frequency, which CIM does not say', '50')
    .option('--limit <n>', 'findings told of each kind', '10')
    .option(...data)
    .option(...json)
    .action(async (files, options) => (await import('../commands/import.ts')).importModel(files, options));

  program
    .command('link')
    .description('propose where in the grid the points belong that do not say it, and ask; nothing is linked silently')
    .option('--scl <files...>', 'SCL files: LNode links and IEC 61850-80-1 addresses')
    .option('--min <confidence>', 'only proposals of at least this confidence, 0 to 1', '0.25')
    .option('--out <file>', 'write the proposals for review instead of asking')
    .option('--apply <file>', 'store what was accepted in a reviewed file')
    .option('--no-ask', 'only show them')
    .option(...data)
    .option(...json)
    .action(async (options) => (await import('../commands/link.ts')).link(options));

  const model = program.command('model').description('grid models: compare them, write them');

  model
    .command('diff')
    .description('objects and properties that changed between two models, by mRID; exit status 1 when something did')
    .argument('<before>', 'XML or JSON-LD file, folder, zip; or the number of a version of the running system')
    .argument('<after>', 'likewise')
    .option('--spelling', 'tell 1.0 from 1')
    .option('--difference <folder>', 'write difference models there (IEC 61970-552), one for each file that changed')
    .option('--limit <n>', 'objects told of each class', '20')
    .option(...data)
    .option(...json)
    .action(async (before, after, options) => (await import('../commands/model.ts')).diff(before, after, options));

  model
    .command('points')
    .description('write the points of the running system as measurements and controls of CIM: Operation profile (OP)')
    .requiredOption('--out <file>', 'where the file goes')
    .option('--authority <uri>', 'modelling authority', 'urn:enerchain:operation')
    .option(...data)
    .action(async (options) => (await import('../commands/model.ts')).exportPoints(options));

  model
    .command('versions')
    .description('versions of the grid that the running system keeps: when, by whom, from which files')
    .option('--limit <n>', 'the newest n', '100')
    .option(...data)
    .option(...json)
    .action(async (options) => (await import('../commands/model.ts')).versions(options));

  model
    .command('export')
    .description('write a model as it is with its differences applied, or a version of the running system')
    .argument(
      '<files...>',
      'full and difference models: XML or JSON-LD files, folders, zips; or the number of a version of the running system',
    )
    .option('--format <format>', 'cgmes (CGMES 3.0) or jsonld (JSON-LD 1.1)', 'cgmes')
    .option('--solve', 'a version: with its buses and the state that the power flow has (TP, SV)')
    .option('--authority <uri>', 'a version: modelling authority', 'urn:enerchain:grid')
    .requiredOption('--out <folder>', 'where the files go; nothing is written over')
    .option(...data)
    .action(async (files, options) => (await import('../commands/model.ts')).exportModel(files, options));

  program
    .command('estimate')
    .description('state estimation of a grid in files; exit status 0 only when all of it is observable and estimated')
    .argument('<files...>', 'MATPOWER (.m), power-grid-model (JSON), CGMES (XML files, folders, zips) or a grid model')
    .option(
      '--measurements <file>',
      'JSON or CSV: of a case under its bus numbers in pu and degrees, else at terminals',
    )
    .option('--simulate <seed>', 'make the measurements up: the power flow with Gaussian noise')
    .option('--save <file>', 'write the measurements made up to a file (.json or .csv)')
    .option('--no-zero-injections', 'do not take for granted that nothing is injected where a case has nothing')
    .option('--hypothesis', 'take steps and sections from SSH although there is a solution (SV)')
    .option('--json', 'print one JSON object: as powerflow, and all with its deviation')
    .action(async (files, options) => (await import('../commands/estimate.ts')).estimate(files, options));

  program
    .command('powerflow')
    .description('power flow of a grid in files; exit status 0 only when it converged')
    .argument(
      '<case...>',
      'MATPOWER (.m), power-grid-model (JSON), CGMES (XML files, folders, zips) or a grid model of this platform (JSON)',
    )
    .option('--q-limits', 'hold generators at their reactive limits, where they no longer hold the voltage')
    .option('--taps', 'let tap changers and shunts move that regulate something')
    .option('--hypothesis', 'CGMES: steps and sections as the hypothesis (SSH) has them, not as the solution (SV) has')
    .option('--frequency <hz>', 'CGMES: nominal frequency, which CIM does not say', '50')
    .option(
      '--json',
      'print one JSON object: voltages and powers in pu, angles in degrees, the bus numbers of the file',
    )
    .action(async (files, options) => (await import('../commands/powerflow.ts')).powerflow(files, options));

  program
    .command('contingencies')
    .description('what each single outage would do to a grid; exit status 0 only when none breaks a limit')
    .argument('<files...>', 'a grid: MATPOWER, power-grid-model (JSON), CGMES (files, folders, zips)')
    .option('--all-ac', 'the full power flow for every outage, not for those alone that an estimate does not clear')
    .option('--outages <kinds>', 'branches,generators,buses: which single outages (default: all)')
    .option(
      '--groups <file>',
      'JSON: [{"name": …, "branches": […], "buses": […], "generators": […]}], each lost together; of CGMES "equipment": [mRIDs or names]',
    )
    .option('--q-limits', 'hold generators at their reactive limits, where they no longer hold the voltage')
    .option('--distributed-slack', 'share what is missing among the generators as their capacities are')
    .option('--limit <number>', 'outages to print, the worst', '20')
    .option('--workers <number>', 'threads; 0 calculates without (default: one per processor where it pays)')
    .option('--json', 'print one JSON object: powers in MW and MVA, voltages in pu, the bus numbers of the file')
    .action(async (files, options) => (await import('../commands/contingencies.ts')).contingencies(files, options));
}
