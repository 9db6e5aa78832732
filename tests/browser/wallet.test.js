// The wallet where much has moved: pages, statements, and what one answer cannot hold.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { frame, measure, open, problem, settle, whole } from './page.js';
import { DEMO, until } from './stack.js';

const ENTRIES = 45;
/** As long a reason as an operator may give. */
const LONG_REASON = 'A call that was cut off by a fault at the carrier, as the clinic wrote to us on Monday and again on Tuesday, so that it is given back '.padEnd(200, 'and once more ').slice(0, 200).trim();

const { stack, browser } = await frame({}, async (stack, owner) => {
  await stack.pay(5_000, owner);
  const operator = await stack.token('operator');
  for (let at = 1; at < ENTRIES; at += 1) await stack.post(`/api/operations/wallets/${DEMO}/adjustments`, { id: randomUUID(), amountPence: at, direction: 'credit', reason: LONG_REASON }, operator);
});

test('transactions go on by cursor, each once, whatever their words', async () => {
  for (const width of [320, 1280]) {
    const { page, complaints, context } = await open(browser, stack, { role: 'viewer', width });
    await page.goto(`${stack.base}/wallet`);
    await settle(page);
    const rows = page.getByRole('table', { name: 'Transactions, newest first' }).locator('tbody tr');
    const more = page.getByRole('button', { name: 'Show more' });
    for (const shown of [20, 40]) {
      await until(async () => (await rows.count()) === shown, `${shown} are shown`);
      await more.click();
    }
    await until(async () => (await rows.count()) === ENTRIES, 'all are shown');
    assert.equal(await more.count(), 0);
    const amounts = await rows.locator('td .strong').allInnerTexts();
    assert.deepEqual([new Set(amounts).size, amounts[0], amounts.at(-1)], [ENTRIES, '+£0.44', '+£50.00']);
    await whole(page);
    assert.deepEqual(complaints, []);
    await context.close();
  }
});

test('a statement is downloaded in both forms, and a period that is none is not asked for', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'viewer' });
  await page.goto(`${stack.base}/wallet`);
  await settle(page);
  const card = page.getByRole('region', { name: 'Statement' });
  const read = async (/** @type {string} */ format) => {
    const [download] = await Promise.all([page.waitForEvent('download'), card.getByRole('button', { name: format }).click()]);
    return readFile(await download.path(), 'utf8');
  };
  const { entries } = JSON.parse(await read('JSON'));
  const lines = (await read('CSV')).trim().split(/\r?\n/);
  assert.deepEqual([entries.length, lines.length, lines[0].split(',')[0]], [ENTRIES, ENTRIES + 1, 'previous_hash']);
  // Each entry names the hash of the one before.
  for (const [at, entry] of entries.entries()) assert.ok(at === 0 || entry.previous_hash === entries[at - 1].hash, String(at));
  await card.getByLabel('From').fill('2026-12-31');
  await card.getByLabel('To, included').fill('2026-12-01');
  let asked = 0;
  page.on('request', (request) => (asked += request.url().includes('/statement') ? 1 : 0));
  await card.getByRole('button', { name: 'CSV' }).click();
  await card.getByText('It lies after the last day.').waitFor();
  assert.equal(asked, 0);
  assert.deepEqual([await measure(page), complaints], [[], []]);
  await context.close();
});

test('where more has moved than one answer holds, a shorter time is shown, and says so', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner', width: 320 });
  await page.route(/\/statement\?/, (route) => {
    const from = new URL(route.request().url()).searchParams.get('from') ?? '';
    const days = (Date.now() - Date.parse(from)) / 86_400_000;
    if (days < 20) return route.continue();
    return route.fulfill(problem(422, { code: 'period_too_large', detail: 'The period holds more entries than one answer can (10,000, or 4.5 MB). Ask for a shorter one.', request_id: 'request-3' }));
  });
  await page.goto(`${stack.base}/wallet`);
  const plot = page.getByRole('region', { name: 'Two weeks' });
  await plot.getByRole('img', { name: 'The balance of the last 14 days.' }).waitFor();
  await plot.getByText('More has moved in ninety days than can be shown at once.').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
  // Whoever asks for a statement of too much is told what to do.
  await page.getByRole('region', { name: 'Statement' }).getByLabel('From').fill('2026-01-01');
  await page.getByRole('button', { name: 'CSV' }).click();
  const alert = page.getByRole('alert');
  await alert.getByText('Ask for a shorter one.').waitFor();
  await alert.getByText('request-3').waitFor();
  await whole(page);
  await context.close();
});

test('why the card is not charged though little is left is said in words', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner', width: 320 });
  await page.route('**/api/billing/wallet', async (route) => {
    const answer = await route.fetch();
    const wallet = await answer.json();
    return route.fulfill({ response: answer, json: { ...wallet, auto_recharge: { ...wallet.auto_recharge, skipped_reason: 'monthly_limit' } } });
  });
  await page.goto(`${stack.base}/wallet`);
  await page.getByText('Another charge does not fit into the limit of the month.').waitFor();
  await settle(page);
  await whole(page);
  await context.close();
});
