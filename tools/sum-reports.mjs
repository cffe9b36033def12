/**
 * Adds up the reports of the suites into the line that closes a CI run. A suite that failed without a failed test (it
 * could not start, a check before it failed) counts as one failure, so that the line never looks better than the run.
 */
import { existsSync, readFileSync } from 'node:fs';

const failedSteps = Number(process.argv[2] ?? 0);
let passed = 0;
let failed = 0;
let skipped = 0;
let stepsExplained = 0;
for (const suite of ['fast', 'slow', 'interop']) {
  const path = new URL(`../.reports/${suite}.json`, import.meta.url);
  if (!existsSync(path)) continue;
  const report = JSON.parse(readFileSync(path, 'utf8'));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests;
  if (report.numFailedTests > 0) stepsExplained += 1;
  for (const file of report.testResults) {
    for (const test of file.assertionResults) {
      if (test.status === 'failed') console.log(`failed: ${test.fullName}`);
    }
  }
}
failed += Math.max(0, failedSteps - stepsExplained);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
