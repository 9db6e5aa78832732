// What holds of the console's files: prices, sizes, what was taken from others, how times are shown.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { frame, open, settle } from './page.js';
import { NUMBER, until } from './stack.js';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const web = resolve(here, '../../functions/console/web');
const { LEAST_CHARGE, LEAST_THRESHOLD, LEAST_TOP_UP, RATE, affordable, money, pence, price } = await import(join(web, 'lib/money.js'));
const { addDays, dayOf, duration, instant, monday, timeOfDay, wall } = await import(join(web, 'lib/time.js'));
const { phone } = await import(join(web, 'lib/phone.js'));
const require = createRequire(import.meta.url);

const { stack, browser, owner } = await frame({ speed: 60 });

test('a price is ceil(seconds × 56 / 60) for every second of twelve hours', () => {
  for (let seconds = 0; seconds <= 43_200; seconds += 1) {
    const exact = Number((BigInt(seconds) * 56n + 59n) / 60n);
    assert.equal(price(seconds), exact, `${seconds} s`);
    if (exact > 0) assert.ok(affordable(exact) >= seconds && price(affordable(exact)) === exact, `${exact}p`);
  }
  // As the README has it.
  for (const [seconds, cost] of [[0, 0], [1, 1], [26, 25], [60, 56], [61, 57], [91, 85], [120, 112], [210, 196], [300, 280], [1_200, 1_120], [3_600, 3_360]]) assert.equal(price(seconds), cost);
});

test('the prices are those that Rust’s own test has', async () => {
  const listed = Array.from({ length: 43_201 }, (_, seconds) => `${price(seconds)}\n`).join('');
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(listed)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  assert.equal(hash.toString(16), (await readFile(join(here, 'prices.fnv1a'), 'utf8')).trim());
});

test('what the stack bills is what the console says', async () => {
  await stack.pay(10_000, owner);
  // Lengths of every remainder by fifteen seconds, in which fourteen pence are used up.
  const lengths = Array.from({ length: 15 }, (_, at) => 60 + at * 16);
  for (let at = 0; at < lengths.length; at += 4) {
    await Promise.all(lengths.slice(at, at + 4).map((talk_seconds, which) => stack.ring({ to: NUMBER, from: `+4477009008${10 + at + which}`, talk_seconds })));
    await until(async () => {
      const { calls } = await stack.ask('GET', '/api/calls-dashboard?limit=100&status=completed', undefined, owner);
      return calls.length >= Math.min(at + 4, lengths.length);
    }, 'the calls are billed', 30_000);
  }
  const { calls } = await stack.ask('GET', '/api/calls-dashboard?limit=100', undefined, owner);
  for (const call of calls) assert.equal(price(call.duration_seconds), call.cost_pence, `${call.duration_seconds} s`);
  assert.ok(new Set(calls.map((call) => call.duration_seconds % 15)).size >= 12, 'nearly every remainder was talked');
});

test('the figures that the console names before the API has said them are the API’s', async () => {
  assert.equal((await stack.ask('GET', '/api/billing/wallet', undefined, owner)).rate_per_minute_pence, RATE);
  const topUp = (/** @type {number} */ amount_pence) => stack.post('/api/billing/wallet/topup', { amount_pence }, owner);
  await assert.rejects(topUp(LEAST_TOP_UP - 1), /invalid_amount/);
  assert.ok((await topUp(LEAST_TOP_UP)).url);
  const recharge = (/** @type {number} */ amount_pence, /** @type {number} */ threshold_pence) => stack.post('/api/billing/wallet/auto-recharge', { enabled: false, amount_pence, threshold_pence }, owner);
  await assert.rejects(recharge(LEAST_CHARGE - 1, LEAST_THRESHOLD), /invalid_amount/);
  await assert.rejects(recharge(LEAST_CHARGE, LEAST_THRESHOLD - 1), /invalid_amount/);
  assert.equal((await recharge(LEAST_CHARGE, LEAST_THRESHOLD)).auto_recharge_enabled, false);
});

test('money and numbers are written one way', () => {
  for (const [amount, text] of [[0, '£0.00'], [5, '£0.05'], [123_456, '£1,234.56'], [-560, '−£5.60'], [100_000_000, '£1,000,000.00']]) assert.equal(money(amount), text);
  for (const [text, amount] of [['25', 2_500], ['£1,000', 100_000], ['0.5', 50], ['25.999', null], ['', null], ['-1', null], ['1,00', null], ['1e3', null]]) assert.equal(pence(text), amount, text);
  for (const [number, text] of [['+442071838750', '+44 20 7183 8750'], ['+447700900123', '+44 7700 900123'], ['+14155550100', '+1 415 555 0100'], ['+61491570156', '+61 491 570 156'], [null, 'Withheld']]) assert.equal(phone(number), text);
  for (const [text, time] of [['9', '09:00'], ['930', '09:30'], ['09.05', '09:05'], ['23:59', '23:59'], ['24:00', null], ['9:60', null], ['x', null]]) assert.equal(timeOfDay(text), time, text);
  assert.deepEqual([duration(41), duration(200), duration(3_600), duration(3_720)], ['41 s', '3 min 20 s', '1 h', '1 h 2 min']);
});

test('a wall clock leads to its instant, also where the clocks change', () => {
  const zone = 'Europe/London';
  assert.equal(instant('2026-07-01', '09:00', zone).toISOString(), '2026-07-01T08:00:00.000Z');
  assert.equal(instant('2026-12-01', '09:00', zone).toISOString(), '2026-12-01T09:00:00.000Z');
  assert.equal(instant('2026-10-25', '01:30', zone).toISOString(), '2026-10-25T00:30:00.000Z', 'of two the first');
  assert.equal(wall(instant('2026-03-29', '01:30', zone), zone).time, '02:30', 'a time that there is not is the one it jumps to');
  assert.equal(instant('2026-11-01', '01:30', 'America/New_York').toISOString(), '2026-11-01T05:30:00.000Z');
  for (const other of ['Pacific/Auckland', 'America/Los_Angeles', 'Asia/Kolkata']) {
    for (let day = '2026-01-01'; day < '2027-01-01'; day = addDays(day, 13)) {
      const at = instant(day, '10:15', other);
      assert.deepEqual([wall(at, other).day, wall(at, other).time], [day, '10:15'], `${other} ${day}`);
    }
  }
  assert.deepEqual([monday('2026-11-29'), monday('2026-11-30'), dayOf('2026-11-28T23:30:00Z', 'Europe/Berlin')], ['2026-11-23', '2026-11-30', '2026-11-29']);
});

test('what was taken from others is what they published', async () => {
  const sha256 = (/** @type {string | Buffer} */ bytes) => createHash('sha256').update(bytes).digest('hex');
  const listed = JSON.parse(await readFile(join(web, 'vendor/hashes.json'), 'utf8'));
  const files = (await readdir(join(web, 'vendor'))).filter((name) => name !== 'hashes.json');
  assert.deepEqual(Object.keys(listed).sort(), files.sort());
  for (const [name, hash] of Object.entries(listed)) assert.equal(sha256(await readFile(join(web, 'vendor', name))), hash, name);
  const folder = (/** @type {string} */ name) => {
    const entry = require.resolve(name);
    return entry.slice(0, entry.lastIndexOf(`/node_modules/${name}/`) + `/node_modules/${name}/`.length);
  };
  const published = async (/** @type {string} */ name, /** @type {string} */ file) => (await readFile(join(dirname(`${folder(name)}x`), file), 'utf8')).replace(/\n?\/\/# sourceMappingURL=.*\n?/, '\n');
  const ours = (/** @type {string} */ name) => readFile(join(web, 'vendor', name), 'utf8');
  const same = (/** @type {string} */ one, /** @type {string} */ other, /** @type {string} */ name) => assert.ok(one.trim() === other.trim(), name);
  same(await ours('preact.js'), await published('preact', 'dist/preact.mjs'), 'preact.js');
  // The one change: a browser finds the other file by its path.
  same(await ours('hooks.js'), (await published('preact', 'hooks/dist/hooks.mjs')).replace('from"preact"', 'from"./preact.js"'), 'hooks.js');
  same(await ours('htm.js'), await published('htm', 'dist/htm.mjs'), 'htm.js');
  same(await ours('uplot.js'), await published('uplot', 'dist/uPlot.esm.js'), 'uplot.js');
  same(await ours('uplot.css'), await published('uplot', 'dist/uPlot.min.css'), 'uplot.css');
});

test('the first view is under 100 KB, and the plot is no part of it', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  /** @type {Map<string, number>} */
  const sizes = new Map();
  page.on('response', async (response) => {
    const path = new URL(response.url()).pathname;
    const kind = response.headers()['content-type'] ?? '';
    if (!path.startsWith('/api/') && /html|javascript|css|svg/.test(kind)) sizes.set(path, gzipSync(await response.body(), { level: 6 }).length);
  });
  await page.goto(`${stack.base}/today`);
  await settle(page);
  await page.waitForLoadState('networkidle');
  const sum = [...sizes.values()].reduce((total, size) => total + size, 0);
  console.log(`# the first view is ${(sum / 1_000).toFixed(1)} KB compressed, in ${sizes.size} files`);
  assert.ok(sizes.size > 10 && sum < 100_000, `${sum} bytes: ${[...sizes].map((one) => one.join(' ')).join(', ')}`);
  assert.ok(![...sizes.keys()].some((path) => path.includes('uplot')), 'uplot comes with the wallet');
  await context.close();
});

test('the sheet names each colour once for light and once for dark, and no rule twice', async () => {
  const sheet = (await readFile(join(web, 'app.css'), 'utf8')).replaceAll(/\/\*[^]*?\*\//g, '');
  /** @type {Map<string, string>} */
  const rules = new Map();
  const [twice, colours] = [[], []];
  for (const [, selector, body] of sheet.matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
    const said = body.replaceAll(/\s+/g, ' ').trim();
    // Short ones say less than it takes to bring them together.
    if (rules.has(said) && said.split(';').length > 3) twice.push(`${rules.get(said)} and ${selector.trim()}: ${said}`);
    rules.set(said, selector.trim());
    if (!selector.includes(':root') && /#[0-9a-f]{3,8}\b|rgb\(/.test(said.replaceAll('#fff;', ';'))) colours.push(`${selector.trim()}: ${said}`);
  }
  assert.deepEqual([twice, colours], [[], []]);
  assert.equal(sheet.match(/--bg:/g)?.length, 2);
});

test('light and dark are chosen, and stay chosen', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner', scheme: 'light' });
  await page.goto(`${stack.base}/today`);
  await settle(page);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole('button', { name: 'Dark', exact: true }).click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await settle(page);
  assert.equal(await ground(), dark);
  assert.equal(await page.locator('h1').innerText(), 'Today', 'and the place is kept, too');
  // What was chosen holds whatever the system says; without a choice the system's holds, also when it turns.
  await page.emulateMedia({ colorScheme: 'light' });
  assert.equal(await ground(), dark);
  await page.getByRole('button', { name: 'As the system', exact: true }).click();
  assert.equal(await ground(), light);
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForFunction((colour) => getComputedStyle(document.body).backgroundColor === colour, dark);
  await context.close();
});
