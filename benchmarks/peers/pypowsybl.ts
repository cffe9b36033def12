/** PowSyBl's CGMES importer (MPL-2.0) through pypowsybl, in a Python environment of its own: a program that runs beside ours. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

const VERSION = '1.16.1';
const folder = join(import.meta.dirname, '..', '..', 'interop', '.peers', 'pypowsybl');
const python = join(folder, 'bin', 'python');

/** The Java virtual machine starts before the clock does; a small import warms nothing up, as no user's first one is. */
const PROGRAM = `
import json, resource, sys, time
import pypowsybl as pp
pp.network.create_empty()
began = time.perf_counter()
cpu = time.process_time()
network = pp.network.load(sys.argv[1])
print(json.dumps({
  'version': pp.__version__,
  'loadSeconds': round(time.perf_counter() - began, 3),
  'loadCpuSeconds': round(time.process_time() - cpu, 3),
  'peakMegabytes': round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
  'switches': len(network.get_switches()),
  'lines': len(network.get_lines()),
}))
`;

const installed = (): boolean =>
  spawnSync(python, ['-c', `import pypowsybl; assert pypowsybl.__version__ == '${VERSION}'`]).status === 0;

/** What loading one path takes it; the reason when it cannot be asked. */
export function pypowsybl(paths: readonly string[]): object {
  try {
    if (!installed()) {
      execFileSync('python3', ['-m', 'venv', folder], { stdio: 'ignore' });
      execFileSync(python, ['-m', 'pip', 'install', '-q', `pypowsybl==${VERSION}`], { stdio: 'ignore' });
    }
  } catch {
    return { missing: `pypowsybl ${VERSION} could not be installed` };
  }
  if (paths.length !== 1) return { missing: 'pypowsybl loads one file or archive' };
  const { status, stdout, stderr } = spawnSync(python, ['-c', PROGRAM, paths[0]!], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) return { failed: stderr.trim().split('\n').at(-1) ?? `status ${status}` };
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}
