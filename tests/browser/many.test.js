// A clinic with very much to see: more than ten thousand calls, two hundred contacts.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { axe, go, launch, measure, open, picture, settle } from './page.js';
import { LONG_NAME, NUMBER, startStack, until } from './stack.js';

const CALLS = 10_020;
const CONTACTS = 200;
const TABLE = 'voxanne-development-calls';

/** @type {Awaited<ReturnType<typeof startStack>>} */
let stack;
/** @type {import('playwright-core').Browser} */
let browser;

/** Copies of one call that was billed, straight into the table: by the API they would take minutes. */
async function fillCalls(/** @type {string} */ owner) {
  await stack.ring({ to: NUMBER, from: '+447700900123', talk_seconds: 5 });
  const call = await until(async () => (await stack.ask('GET', '/api/calls-dashboard?status=completed', undefined, owner)).calls[0], 'a call is billed', 30_000);
  const { Items: items } = await stack.tables('Scan', { TableName: TABLE });
  const { vapi_call_id, ...first } = items.find((item) => item.call_id.S === call.id);
  const copies = Array.from({ length: CALLS - 1 }, (_, at) => ({
    Put: {
      TableName: TABLE,
      Item: { ...first, call_id: { S: randomUUID() }, created_at: { S: new Date(Date.parse(first.created_at.S) - at * 240_000).toISOString() }, customer_number: { S: `+4477009${String(at).padStart(5, '0')}` } },
    },
  }));
  for (let at = 0; at < copies.length; at += 100) await stack.tables('TransactWriteItems', { TransactItems: copies.slice(at, at + 100) });
}

/** A name has no figures. */
const letters = (/** @type {number} */ count) => [...String(count).padStart(3, '0')].map((digit) => 'abcdefghij'[Number(digit)]).join('');

before(async () => {
  [stack, browser] = await Promise.all([startStack({ speed: 20 }), launch()]);
  const owner = await stack.token('owner');
  await stack.pay(5_000, owner);
  await fillCalls(owner);
  for (let at = 0; at < CONTACTS; at += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, which) => stack.post('/api/contacts', { contact_name: `${letters(at + which)} ${LONG_NAME}`.slice(0, 80), phone_number: `+4477009${String(50_000 + at + which)}` }, owner)));
  }
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

for (const width of [1280, 320]) {
  test(`ten thousand calls are paged and searched at ${width} px`, async () => {
    const { page, complaints, context } = await open(browser, stack, { role: 'owner', width });
    /** @type {URL[]} */
    const asked = [];
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (/calls-dashboard(\/total)?$/.test(url.pathname)) asked.push(url);
    });
    const first = () => page.locator('tbody tr').first().innerText();
    const above = page.getByRole('navigation', { name: 'Pages of calls', exact: true });
    const below = page.getByRole('navigation', { name: 'Pages of calls, below the list' });
    const turned = (/** @type {string} */ from) => until(async () => (await page.locator('[aria-busy=true]').count()) === 0 && (await first()) !== from, 'another page is shown');
    await page.goto(`${stack.base}/calls`);
    await settle(page);
    await page.getByText('10,000+ calls').waitFor();
    assert.deepEqual([await measure(page), await axe(page)], [[], []]);
    await picture(page, `many calls ${width}`);

    // By the keyboard: the focus stays on what was pressed, at the ends of the list, too.
    const [newest, older, newer] = [await first(), above.getByRole('button', { name: 'Older calls' }), above.getByRole('button', { name: 'Newer calls' })];
    await older.focus();
    await page.keyboard.press('Enter');
    await turned(newest);
    const second = await first();
    await page.keyboard.press('Enter');
    await turned(second);
    assert.equal(await older.evaluate((button) => button === document.activeElement), true);
    assert.deepEqual([await measure(page), await axe(page)], [[], []]);
    const third = await first();
    await page.reload();
    await settle(page);
    assert.equal(await first(), third, 'a page has an address of its own');
    await newer.focus();
    await page.keyboard.press('Enter');
    await turned(third);
    assert.equal(await first(), second);
    await page.keyboard.press('Enter');
    await turned(second);
    await page.keyboard.press('Enter');
    assert.deepEqual([await first(), await newer.evaluate((button) => button === document.activeElement)], [newest, true]);
    // Below the list one goes on at its head.
    await below.getByRole('button', { name: 'Older calls' }).click();
    await turned(newest);
    assert.equal(await older.evaluate((button) => button === document.activeElement && button.getBoundingClientRect().top < innerHeight), true);

    // A page costs a page: none is asked for by its number, and they are counted once.
    assert.deepEqual(asked.filter((url) => url.searchParams.has('page') || !(url.searchParams.has('cursor') || url.pathname.endsWith('/total'))), []);
    assert.equal(asked.filter((url) => url.pathname.endsWith('/total')).length, 2, 'once, and once after the reload');

    await page.getByLabel('Number, id or reason').fill('nobody');
    await page.getByText('No call is like that.').waitFor();
    await page.getByLabel('Number, id or reason').fill('0903777');
    await page.getByText('1 among the newest 10,000 calls', { exact: true }).waitFor();
    await page.locator('tbody tr').first().waitFor();
    assert.equal(await page.locator('tbody tr').count(), 1, 'it is found far back, past pages on which nothing is');
    await page.getByLabel('How it ended').selectOption('voicemail');
    assert.equal(await page.getByLabel('Number, id or reason').inputValue(), '', 'one thing is looked for at a time');
    await page.getByText('No call is like that.').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByText('10,000+ calls').waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

test('two hundred contacts are shown a page at a time, each once', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'staff', width: 320 });
  await page.goto(`${stack.base}/contacts`);
  await settle(page);
  for (let pages = 0; pages < 3; pages += 1) await page.getByRole('button', { name: 'Show more' }).click();
  await page.waitForFunction((count) => document.querySelectorAll('tbody tr').length >= count, CONTACTS);
  assert.equal(await page.locator('tbody tr').count(), CONTACTS);
  assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0);
  assert.deepEqual([await measure(page), complaints], [[], []]);
  await go(page, '/today');
  assert.deepEqual([await measure(page), complaints], [[], []]);
  await context.close();
});
