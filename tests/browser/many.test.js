// A clinic with very much to see: more than ten thousand calls, two hundred contacts, full days, and names as long as they may be.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { frame, go, jumping, look, measure, open, picture, settle, whole } from './page.js';
import { addresses, dialogs } from './places.js';
import { LONG_NAME, LONG_WORD, NUMBER, until, weekday } from './stack.js';

const CALLS = 10_020;
const CONTACTS = 200;
const APPOINTMENTS = 60;
const LONGEST_OF_A_RESOURCE = 60;
const LONGEST_OF_A_SERVICE = 60;
const TABLE = 'voxanne-development-calls';

/** @typedef {Awaited<ReturnType<typeof import('./stack.js').startStack>>} Stack */

/** A name has no figures. */
const letters = (/** @type {number} */ count) => [...String(count).padStart(3, '0')].map((digit) => 'abcdefghij'[Number(digit)]).join('');
/** @param {number} count @param {string} name */
const named = (count, name) => `${letters(count)} ${name}`.slice(0, 80).trim();
/** @param {number} count @param {(at: number) => Promise<unknown>} make twenty at a time */
async function times(count, make) {
  for (let at = 0; at < count; at += 20) await Promise.all(Array.from({ length: Math.min(20, count - at) }, (_, which) => make(at + which)));
}

/** Copies of one call that was billed, straight into the table: by the API they would take minutes. @param {Stack} stack @param {string} owner */
async function fillCalls(stack, owner) {
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
  return call.id;
}

/** All that a clinic may have much of, each with as long a name as it may have. @param {Stack} stack @param {string} owner */
async function crowd(stack, owner) {
  const post = (/** @type {string} */ path, /** @type {unknown} */ body) => stack.post(path, body, owner);
  await stack.pay(50_000, owner);
  await stack.ask('PATCH', '/api/clinic', {
    name: LONG_NAME.slice(0, 60),
    address: `${LONG_WORD} ${LONG_NAME}`.slice(0, 200),
    notice: { text: `${LONG_NAME} ${LONG_WORD} ${LONG_WORD}`, until: weekday(20) },
    alert_emails: Array.from({ length: 5 }, (_, at) => `${letters(at)}.a.very.long.address@a-very-long-domain-name-of-a-clinic.example.com`),
    red_flags: Array.from({ length: 15 }, (_, at) => named(at, LONG_WORD)),
  }, owner);
  await times(CONTACTS, (at) => post('/api/contacts', { contact_name: named(at, at % 2 ? LONG_NAME : LONG_WORD), phone_number: `+4477009${String(50_000 + at)}`, email: `${letters(at)}.a.very.long.address.of.a.patient@a-very-long-domain-name.example.com` }));
  const { resources: [{ weekly }] } = await stack.ask('GET', '/api/resources', undefined, owner);
  await times(8, (at) => post('/api/resources', { name: named(at, at % 2 ? LONG_NAME : LONG_WORD).slice(0, LONGEST_OF_A_RESOURCE), time_zone: 'Europe/London', weekly }));
  const { resources } = await stack.ask('GET', '/api/resources', undefined, owner);
  const ids = resources.map((one) => one.id);
  await times(20, (at) => post('/api/services', { name: named(at, at % 2 ? LONG_NAME : LONG_WORD).slice(0, LONGEST_OF_A_SERVICE), duration_mins: 30, needs: [ids] }));
  const day = weekday(1);
  const { services } = await stack.ask('GET', '/api/services', undefined, owner);
  const service = services.find((one) => one.name.startsWith('a'));
  /** @type {string[]} */
  const made = [];
  // One after another: those of a day meet in the same record of it.
  for (let at = 0; at < APPOINTMENTS; at += 1) {
    const time = `${String(9 + (at % 8)).padStart(2, '0')}:${at % 3 ? '00' : '15'}`;
    const { id } = await post('/api/appointments', { service_id: service.id, scheduled_at: `${day}T${time}:00Z`, contact: { name: named(at, at % 2 ? LONG_NAME : LONG_WORD), phone: `+4477009${String(60_000 + at)}` }, overbook: named(at, LONG_WORD), notes: `${LONG_WORD} ${LONG_NAME}` });
    made.push(id);
  }
  // A clinic invites twenty people a day, and its owner was the first.
  for (let at = 0; at < 18; at += 1) await post('/api/team/members', { email: `${letters(at)}.a.very.long.address@a-very-long-domain-name-of-a-clinic.example.com`, role: 'staff' });
  const message = { says: 'I will be late.', tool: 'takeMessage', arguments: { text: `Will be late; ${LONG_WORD} is my name, and ${LONG_NAME} is my friend’s.`, urgency: 'normal' } };
  await Promise.all([1, 2, 3].map((which) => stack.ring({ to: NUMBER, from: `+44770090045${which}`, talk_seconds: 30, says: [message, message, message] })));
  await until(async () => (await stack.ask('GET', '/api/notifications/unread', undefined, owner)).count >= 3, 'the messages are there', 30_000);
  const call = await fillCalls(stack, owner);
  const { contacts } = await stack.ask('GET', '/api/contacts?limit=1', undefined, owner);
  return { day, call, appointment: made[0], contact: contacts[0].id };
}

const { stack, browser, owner, filled: there } = await frame({ speed: 20 }, crowd);

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
    await whole(page);
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
    await whole(page);
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
    assert.equal(await page.getByLabel('Number, id or reason').inputValue(), '0903777', 'both hold');
    await page.getByText('No call is like that.').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByText('10,000+ calls').waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

test('hundreds of contacts are shown a page at a time, each once', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'staff', width: 320 });
  await page.goto(`${stack.base}/contacts`);
  await settle(page);
  const [rows, more] = [page.locator('tbody tr'), page.getByRole('button', { name: 'Show more' })];
  for (let shown = 50; await more.count(); shown += 50) {
    await until(async () => (await rows.count()) === shown, `${shown} are shown`);
    await more.click();
    await until(async () => (await rows.count()) > shown, 'more are shown');
  }
  // Whom the clinic was told of, and who was booked for.
  assert.equal(await rows.count(), CONTACTS + APPOINTMENTS);
  assert.deepEqual([await measure(page), complaints], [[], []]);
  await go(page, '/today');
  assert.deepEqual([await measure(page), complaints], [[], []]);
  await context.close();
});

for (const role of ['owner', 'staff']) {
  test(`every screen is whole where there is much of everything, for ${role}`, async (context) => {
    const { page, complaints, context: window } = await open(browser, stack, { role });
    await page.goto(`${stack.base}/`);
    await settle(page);
    const places = addresses(there).filter(([, roles]) => roles.includes(role) && (role === 'owner' || !roles.includes('owner')));
    for (const path of [...places.map(([place]) => place), ...(role === 'owner' ? dialogs(there) : ['/today'])]) {
      await context.test(path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '…'), async () => {
        await go(page, path);
        assert.deepEqual([...(await look(page, `many ${role} ${path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'id')}`)), ...complaints.splice(0)], []);
      });
    }
    await window.close();
  });
}

for (const width of [1280, 320]) {
  test(`nothing jumps while a screen is filled with much at ${width} px`, async () => {
    const { page, context } = await open(browser, stack, { role: 'owner', width });
    const urls = addresses(there).filter(([, roles]) => roles.includes('owner')).map(([path]) => stack.base + path);
    assert.deepEqual(await jumping(page, urls, 300), []);
    await context.close();
  });
}

test('a contact’s call is found however many others were since', async () => {
  const contact = await stack.post('/api/contacts', { contact_name: 'Ada Lovelace', phone_number: '+447700905000' }, owner);
  const { page, complaints, context } = await open(browser, stack, { role: 'staff', width: 320 });
  await page.goto(`${stack.base}/contacts/${contact.id}`);
  await settle(page);
  assert.equal(await page.getByRole('region', { name: 'Calls with this number' }).getByRole('listitem').count(), 1);
  await whole(page);
  assert.deepEqual(complaints, []);
  await context.close();
});
