/**
 * Adds up the reports of the suites into the line that closes a CI run. A suite that failed without a failed test (it
 * could not start, a check before it failed) counts as one failure, so that the line never looks better than the run.
 * A file that failed and ran once more counts as it ended, and each of its tests that failed at first is named with the
 * reason: it waits for the wrong thing, or the product has a race. Either has to be mended.
 */
import { againOf, readReport, SUITES } from './reports.mjs';

const failedSteps = Number(process.argv[2] ?? 0);
const count = { passed: 0, failed: 0, skipped: 0 };
let stepsExplained = 0;
for (const suite of SUITES) {
  const first = readReport(suite);
  if (!first) continue;
  const again = new Map((readReport(againOf(suite))?.testResults ?? []).map((file) => [file.name, file]));
  let failedHere = 0;
  for (const file of first.testResults) {
    const second = again.get(file.name);
    for (const test of (second ?? file).assertionResults) {
      if (test.status === 'failed') {
        failedHere += 1;
        console.log(`failed: ${test.fullName}`);
      } else count[test.status === 'passed' ? 'passed' : 'skipped'] += 1;
    }
    if (!second) continue;
    for (const test of file.assertionResults.filter(({ status }) => status === 'failed'))
      console.log(`failed at first: ${test.fullName}: ${test.failureMessages[0]?.split('\n')[0] ?? 'no message'}`);
  }
  count.failed += failedHere;
  if (failedHere > 0) stepsExplained += 1;
}
count.failed += Math.max(0, failedSteps - stepsExplained);
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exitCode = count.failed > 0 || count.passed === 0 ? 1 : 0;
