// Runs every test here and adds them up in a line of the form that cargo prints, which `.ci/run` sums over all.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from 'node:test';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const names = process.argv.slice(2);
const files = (await readdir(here)).filter((name) => name.endsWith('.test.js') && (names.length === 0 || names.some((part) => name.includes(part)))).map((name) => join(here, name));
const begun = Date.now();
let [passed, failed] = [0, 0];

const events = run({ files, concurrency: 2, timeout: 600_000 });
/** A file or a suite is no test of its own. @param {any} event */
const isTest = (event) => event.details?.type !== 'suite' && !files.some((file) => event.name === file || file.endsWith(`/${event.name}`));
events.on('test:pass', (event) => {
  if (!isTest(event)) return;
  passed += 1;
  console.log(`ok     ${event.name}`);
});
events.on('test:fail', (event) => {
  const cause = event.details?.error?.cause ?? event.details?.error;
  // A test whose parts fail is counted by its parts.
  if (isTest(event) && event.details?.error?.failureType !== 'subtestsFailed') failed += 1;
  else if (event.details?.error?.failureType === 'subtestsFailed') return;
  else failed += 1;
  console.log(`FAILED ${event.name}\n${String(cause?.stack ?? cause).replaceAll(/^/gm, '       ')}`);
});
events.on('test:stdout', (event) => process.stdout.write(event.message));
events.on('test:stderr', (event) => process.stderr.write(event.message));
events.resume();
await new Promise((done) => events.once('end', done));

if (passed + failed === 0) {
  console.log('No test was run.');
  failed = 1;
}
console.log(`\ntest result: ${failed === 0 ? 'ok' : 'FAILED'}. ${passed} passed; ${failed} failed; 0 ignored; ${Math.round((Date.now() - begun) / 1000)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
