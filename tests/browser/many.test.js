// A clinic with very much to see: nearly ten thousand calls, two hundred contacts.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { axe, go, launch, measure, open, picture, settle } from './page.js';
import { LONG_NAME, NUMBER, startStack, until } from './stack.js';

const CALLS = 9_990;
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
    await page.goto(`${stack.base}/calls`);
    await settle(page);
    await page.getByText('9,990 calls').waitFor();
    assert.deepEqual([await measure(page), await axe(page)], [[], []]);
    await picture(page, `many calls ${width}`);
    await page.getByRole('button', { name: 'Older calls' }).click();
    await page.getByText('Page 2 of 400').waitFor();
    assert.ok(page.url().endsWith('page=2'), 'a page has an address of its own');
    await page.getByLabel('Number, id or reason').fill('nobody');
    await page.getByText('No call is like that.').waitFor();
    await page.getByLabel('Number, id or reason').fill('0903777');
    await page.getByText('1 call', { exact: true }).waitFor();
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
