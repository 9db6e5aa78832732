// What is not done twice, not done to somebody else, and not written over: where answers are lost or late, and people work at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame, go, open, problem, settle, whole } from './page.js';
import { DEMO, until, weekday } from './stack.js';

const OTHER = 'aaaaaaaa-0000-4000-8000-000000000001';

const { stack, browser, owner } = await frame({ speed: 10 }, (stack, owner) => stack.pay(5_000, owner));

/** In which clinic's name something is asked. @param {import('playwright-core').Request} request */
function clinicOf(request) {
  const [, body] = (request.headers().authorization ?? '').split('.');
  return JSON.parse(Buffer.from(body, 'base64url').toString()).app_metadata.org_id;
}

/**
 * Loses the answers to some POSTs, each in its way: `lost` once it was done, a status instead of doing it.
 * @param {import('playwright-core').Page} page @param {string} url @param {('lost' | number)[]} ways
 */
async function lose(page, url, ways) {
  /** @type {{key: string | null, body: any}[]} */
  const sent = [];
  await page.route(url, async (route) => {
    const request = route.request();
    if (request.method() !== 'POST') return route.continue();
    sent.push({ key: await request.headerValue('idempotency-key'), body: request.postDataJSON() });
    const way = ways.shift();
    if (way === undefined) return route.continue();
    if (way !== 'lost') return route.fulfill(problem(way));
    await route.fetch();
    return route.abort();
  });
  return sent;
}

test('an adjustment whose answer is lost is booked once, also from a dialog that is opened again and a page that is loaded anew', async () => {
  const { page, context } = await open(browser, stack, { role: 'operator' });
  const sent = await lose(page, '**/adjustments', ['lost', 429]);
  const adjust = async () => {
    await page.getByRole('button', { name: 'Adjust' }).click();
    await page.getByLabel('Amount (£)').fill('3.50');
    await page.getByLabel('Reason').fill('The answer was lost');
    await page.getByRole('button', { name: 'Book it' }).click();
  };
  await page.goto(`${stack.base}/operations/wallets?org=${DEMO}`);
  await adjust();
  await page.getByText('The server cannot be reached.').waitFor();
  const kept = await page.evaluate(() => Object.values(sessionStorage).join(' '));
  assert.ok(kept.includes(String(sent[0].key)) && !/350|answer was lost|adjustments/.test(kept), `what is kept names nothing: ${kept}`);
  await page.keyboard.press('Escape');
  await adjust();
  await page.getByText('It is refused with 429.').waitFor();
  await page.reload();
  await adjust();
  await page.getByRole('cell', { name: 'The answer was lost' }).first().waitFor();
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  const booked = async () => (await stack.ask('GET', '/api/billing/wallet/transactions?type=adjustment', undefined, owner)).transactions.map((one) => one.amount_pence);
  assert.deepEqual(await booked(), [350]);
  assert.deepEqual(new Set(sent.map((one) => one.body.id)).size, 1);
  // What went well is over: the same again is meant.
  await adjust();
  await until(async () => (await booked()).length === 2, 'another is booked');
  assert.deepEqual([await booked(), sent[3].key === sent[0].key], [[350, 350], false]);
  await context.close();
});

test('an overbooked appointment whose answer is lost is made once', async () => {
  const { page, context } = await open(browser, stack, { role: 'staff' });
  const day = weekday(12);
  await lose(page, '**/api/appointments', ['lost']);
  const book = async () => {
    await page.goto(`${stack.base}/calendar?view=day&day=${day}&new=1`);
    await page.getByLabel('With').selectOption('demo-jones');
    await page.getByLabel('Patient’s name').fill('Rosalind Franklin');
    await page.getByLabel('At a time that is not free').check();
    await page.getByLabel('Time', { exact: true }).fill('10:00');
    await page.getByLabel('Reason').fill('She is in pain.');
    await page.locator('dialog[open]').getByRole('button', { name: 'Book', exact: true }).click();
  };
  await book();
  await page.getByText('The server cannot be reached.').waitFor();
  await book();
  await page.locator('a.event', { hasText: 'Rosalind Franklin' }).first().waitFor();
  const { appointments } = await stack.ask('GET', `/api/appointments?startDate=${day}&endDate=${day}`, undefined, owner);
  assert.equal(appointments.filter((one) => one.contact_name === 'Rosalind Franklin').length, 1);
  await context.close();
});

test('a call keeps its key until it is decided on', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  const sent = await lose(page, '**/api/calls', [408, 500, 401, 422, 422]);
  await page.goto(`${stack.base}/calls?ring=1`);
  const ring = async (/** @type {number} */ answer) => {
    await page.getByLabel('Number to ring').fill('+44 7700 900123');
    await page.locator('dialog[open]').getByRole('button', { name: 'Ring' }).click();
    await page.getByText(`It is refused with ${answer}.`).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Ring somebody' }).click();
  };
  await ring(408);
  await ring(500);
  // A token that ran out is renewed, and the same is asked again.
  await ring(422);
  await ring(422);
  const keys = sent.map((one) => one.key);
  assert.deepEqual([new Set(keys.slice(0, 4)).size, keys[4] === keys[0]], [1, false]);
  await context.close();
});

test('an answer to one clinic is not shown to the next, and nothing is asked again in its name', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  await stack.post('/api/contacts', { contact_name: 'Only Ours' }, owner);
  /** @type {(() => Promise<void>)[]} */
  const held = [];
  /** @type {(() => Promise<void>)[]} */
  const saved = [];
  const asked = { lists: 0, posts: 0 };
  await page.route(/\/api\/contacts(\?|$)/, async (route) => {
    const isPost = route.request().method() === 'POST';
    // Whose it is says the token: where the page asks as soon as the other clinic is in, that is no answer of ours.
    if (clinicOf(route.request()) !== DEMO) {
      asked[isPost ? 'posts' : 'lists'] += 1;
      return route.continue();
    }
    if (isPost) {
      saved.push(() => route.fulfill(problem(401, { code: 'unauthorized', detail: 'The token has run out.' })));
    } else {
      const answer = await route.fetch();
      held.push(() => route.fulfill({ response: answer }));
    }
  });
  await page.goto(`${stack.base}/contacts?new=1`);
  await page.getByLabel('Name', { exact: true }).fill('Somebody New');
  await page.locator('dialog[open]').getByRole('button', { name: 'Add' }).click();
  await until(async () => held.length > 0 && saved.length > 0, 'both are asked');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Sign out' }).first().click();
  await page.getByLabel('Clinic').selectOption('other');
  await page.getByLabel('The clinic’s id').fill(OTHER);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'Contacts', exact: true }).waitFor();
  await go(page, '/today');
  const before = { ...asked };
  assert.deepEqual([held.length, saved.length], [1, 1]);
  const answers = Array.from({ length: 2 }, () => page.waitForEvent('requestfinished', (request) => /\/api\/contacts(\?|$)/.test(request.url())));
  await Promise.all([...[...held, ...saved].map((give) => give()), ...answers]);
  // Whatever follows of an answer has followed when another one, asked later, is there.
  await go(page, '/calls');
  await page.getByRole('link', { name: 'Contacts', exact: true }).click();
  await page.getByRole('heading', { name: 'Contacts' }).waitFor();
  await page.getByText('The clinic knows nobody yet.').waitFor();
  await until(async () => asked.lists > before.lists, 'the list is asked for in the other clinic’s name');
  await settle(page);
  assert.equal(await page.getByText('Only Ours').count(), 0, 'the other clinic’s list is not theirs');
  assert.deepEqual([asked.posts, asked.lists], [before.posts, before.lists + 1]);
  assert.equal((await stack.ask('GET', '/api/contacts', undefined, await stack.token('owner', OTHER))).contacts.length, 0);
  await context.close();
});

test('an address that is no address says that nothing is there', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner' });
  await page.goto(`${stack.base}/today`);
  await settle(page);
  await go(page, '/contacts/%E0%A4%A');
  await page.getByText('There is nothing at this address.').waitFor();
  await page.reload();
  await page.getByText('There is nothing at this address.').waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a list that is cut says so', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  const contact = await stack.post('/api/contacts', { contact_name: 'Dorothy Hodgkin' }, owner);
  await page.route('**/api/appointments?**', (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify({ appointments: [], pagination: { next_cursor: 'more' } }) }));
  await page.goto(`${stack.base}/calendar?view=week`);
  await page.getByText('Not all of it is shown').waitFor();
  await whole(page);
  await go(page, `/contacts/${contact.id}`);
  await page.getByText('Not all of it is shown').waitFor();
  await whole(page);
  await context.close();
});

test('a contact is booked for by choosing them, and nothing of them stays with another’s name', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'staff', width: 320 });
  const day = weekday(14);
  const lee = await stack.post('/api/contacts', { contact_name: 'Ann Lee', phone_number: '+447700900551', email: 'ann.lee@example.com' }, owner);
  /** @type {any[]} */
  const sent = [];
  await page.route('**/api/appointments', (route) => {
    if (route.request().method() === 'POST') sent.push(route.request().postDataJSON());
    return route.continue();
  });
  const begin = async (/** @type {string} */ time) => {
    await page.goto(`${stack.base}/calendar?view=list&day=${day}&new=1`);
    await page.getByLabel('With').selectOption('demo-jones');
    await page.getByLabel('Day', { exact: true }).fill(day);
    await page.getByRole('button', { name: time }).click();
  };
  const book = async (/** @type {string} */ name) => {
    await page.locator('dialog[open]').getByRole('button', { name: 'Book', exact: true }).click();
    await page.locator('dialog[open]').waitFor({ state: 'detached' });
    await page.getByRole('link', { name, exact: true }).first().waitFor();
  };
  const [name, phone, email, texts] = ['Patient’s name', 'Phone', 'E-mail', 'Texts to this number'].map((label) => page.getByLabel(label));

  // The seventh letter makes her Ann Lee; the eighth says that she is not.
  await begin('11:00');
  await name.pressSequentially('Ann Lee');
  await page.getByRole('button', { name: 'Ann Lee' }).waitFor();
  assert.deepEqual([await phone.inputValue(), await email.inputValue()], ['', '']);
  await whole(page);
  await page.getByRole('button', { name: 'Ann Lee' }).click();
  assert.deepEqual([await phone.inputValue(), await email.inputValue()], ['+447700900551', 'ann.lee@example.com']);
  await whole(page);
  await name.press('End');
  await name.pressSequentially('son');
  assert.deepEqual([await name.inputValue(), await phone.inputValue(), await email.inputValue()], ['Ann Leeson', '', '']);
  await phone.fill('+44 7700 900552');
  await texts.selectOption('yes');
  await phone.fill('+44 7700 900553');
  assert.equal(await texts.inputValue(), '', 'what was said of one number is not said of another');
  await book('Ann Leeson');
  assert.deepEqual(sent.pop().contact, { name: 'Ann Leeson', phone: '+447700900553' });

  await begin('12:00');
  await name.fill('ann l');
  await page.getByRole('button', { name: /^Ann Lee \+44 7700 900551/ }).click();
  await book('Ann Lee');
  const { contact_id: booked, contact } = sent.pop();
  assert.deepEqual([booked, contact], [lee.id, undefined]);

  // Who was chosen may say no: it is the same contact, who wants no texts from now on. What was said of one is not said of another.
  await begin('16:30');
  await name.fill('ann l');
  await page.getByRole('button', { name: /^Ann Lee \+44 7700 900551/ }).click();
  await texts.selectOption('yes');
  await page.getByRole('button', { name: 'Somebody else' }).click();
  await page.getByRole('button', { name: /^Ann Lee \+44 7700 900551/ }).click();
  assert.equal(await texts.inputValue(), '');
  await texts.selectOption('no');
  await whole(page);
  await book('Ann Lee');
  assert.deepEqual(sent.pop(), { service_id: 'demo-check-up', scheduled_at: `${day}T16:30:00.000Z`, resource_id: 'demo-jones', contact_id: lee.id, may_text: false });
  const { appointments } = await stack.ask('GET', `/api/appointments?startDate=${day}&endDate=${day}`, undefined, owner);
  assert.deepEqual(appointments.filter((one) => one.contact_name === 'Ann Lee').map((one) => one.contact_id), [lee.id, lee.id]);
  const { Items: rows } = await stack.tables('Scan', { TableName: 'voxanne-development-contacts' });
  assert.deepEqual(rows.filter((row) => row.contact_id?.S === lee.id).map((row) => row.may_text?.BOOL).filter((may) => may !== undefined), [false]);

  // Who was asked has said yes or no.
  for (const [answer, may, time] of /** @type {[string, boolean, string][]} */ ([['yes', true, '14:30'], ['no', false, '15:30']])) {
    await begin(time);
    await name.fill(`Asked ${answer}`);
    await phone.fill('+447700900554');
    await texts.selectOption(answer);
    await book(`Asked ${answer}`);
    assert.equal(sent.pop().contact.may_text, may);
  }
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the notes of an appointment that another wrote meanwhile are not written over', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'staff' });
  const made = await stack.post('/api/appointments', { service_id: 'demo-check-up', scheduled_at: `${weekday(16)}T10:00:00Z`, contact: { name: 'Alan Turing' }, notes: 'At first.' }, owner);
  const there = () => stack.ask('GET', `/api/appointments/${made.id}`, undefined, owner);
  const write = async (/** @type {any} */ what) => {
    const now = await there();
    await stack.ask('PATCH', `/api/appointments/${made.id}`, { revision: now.revision, version: now.version, ...what }, owner);
  };
  // Who comes back to the page sees it as it is now.
  const comeBack = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await page.goto(`${stack.base}/appointments/${made.id}`);
  const notes = page.getByLabel('For the clinic’s people');
  const save = page.getByRole('button', { name: 'Save the notes' });
  await notes.fill('Mine.');
  // How it stands is another matter: what is written stays, and is saved over it.
  await write({ status: 'arrived' });
  await comeBack();
  await page.locator('dl .badge', { hasText: 'Arrived' }).waitFor();
  await write({ notes: 'Allergic to penicillin.' });
  await comeBack();
  await page.locator('[data-theirs=notes]', { hasText: 'Allergic to penicillin.' }).waitFor();
  assert.deepEqual([await notes.inputValue(), await save.isDisabled()], ['Mine.', true]);
  await whole(page);
  await page.getByRole('button', { name: 'Keep mine' }).click();
  // And once more, before the page has read it again.
  await page.route(`**/api/appointments/${made.id}`, (route) => (route.request().method() === 'GET' ? undefined : route.continue()));
  await write({ notes: 'Allergic to latex, too.' });
  await save.click();
  await page.getByRole('alert').waitFor();
  assert.equal((await there()).notes, 'Allergic to latex, too.');
  await page.unroute(`**/api/appointments/${made.id}`);
  await page.reload();
  assert.equal(await notes.inputValue(), 'Allergic to latex, too.');
  await notes.fill('Allergic to latex and penicillin.');
  await save.click();
  await until(async () => (await there()).notes === 'Allergic to latex and penicillin.', 'it is saved');
  await page.getByText('The notes are saved.').waitFor();
  assert.deepEqual([await notes.inputValue(), await save.isDisabled()], ['Allergic to latex and penicillin.', true]);
  assert.deepEqual(complaints.filter((line) => !line.includes('409')), []);
  await context.close();
});

test('what another wrote of a contact is seen before it is written over, and the rest of it is taken in', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'staff' });
  const made = await stack.post('/api/contacts', { contact_name: 'Joan Clarke', email: 'old@example.com' }, owner);
  const there = () => stack.ask('GET', `/api/contacts/${made.id}`, undefined, owner);
  await page.goto(`${stack.base}/contacts/${made.id}`);
  const save = page.getByRole('button', { name: 'Save', exact: true });
  await page.getByLabel('Notes').fill('Mine.');
  await stack.ask('PATCH', `/api/contacts/${made.id}`, { version: made.version, notes: 'Theirs.', email: 'new@example.com' }, owner);
  await save.click();
  await page.locator('[data-theirs=notes]', { hasText: 'Theirs.' }).waitFor();
  assert.deepEqual([(await there()).notes, await page.getByLabel('Notes').inputValue(), await save.isDisabled()], ['Theirs.', 'Mine.', true]);
  await whole(page);
  await page.getByRole('button', { name: 'Keep mine' }).click();
  assert.equal(await page.getByLabel('E-mail').inputValue(), 'new@example.com');
  await save.click();
  await until(async () => (await there()).notes === 'Mine.', 'it is saved');
  assert.equal((await there()).email, 'new@example.com');
  // Who takes the other's has nothing to save.
  await page.getByText('The contact is saved.').waitFor();
  await page.getByLabel('Notes').fill('Mine again.');
  await stack.ask('PATCH', `/api/contacts/${made.id}`, { version: (await there()).version, notes: 'Theirs again.' }, owner);
  await save.click();
  await page.getByRole('button', { name: 'Take theirs' }).click();
  assert.deepEqual([await page.getByLabel('Notes').inputValue(), await save.isDisabled()], ['Theirs again.', true]);
  assert.deepEqual(complaints.filter((line) => !line.includes('409')), []);
  await context.close();
});

test('no address of a page shows a patient’s number, nor what is looked for', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner' });
  const made = await stack.post('/api/contacts', { contact_name: 'Hedy Lamarr', phone_number: '+447700900777' }, owner);
  /** @type {string[]} */
  const places = [];
  page.on('framenavigated', (frame) => places.push(frame.url()));
  await page.goto(`${stack.base}/contacts/${made.id}`);
  await page.getByRole('link', { name: 'Have the agent ring' }).click();
  await page.waitForFunction(() => /** @type {HTMLInputElement | null} */ (document.querySelector('dialog[open] input[type=tel]'))?.value === '+447700900777');
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  const search = page.getByLabel('Number, id or reason');
  await search.fill('900777');
  await page.getByText('No call is like that.').waitFor();
  await page.reload();
  await page.getByText('No call is like that.').waitFor();
  assert.equal(await search.inputValue(), '900777', 'it is there after a reload');
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByText('No call is like that.').waitFor({ state: 'detached' });
  assert.equal(await search.inputValue(), '');
  // The same among contacts: by number, by the beginning of a name, and there after a reload.
  await page.goto(`${stack.base}/contacts`);
  const who = page.getByLabel('Name, number or e-mail');
  for (const typed of ['07700 900777', 'lamar', 'HEDY']) {
    await who.fill(typed);
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
    await page.getByRole('link', { name: 'Hedy Lamarr' }).waitFor();
  }
  await who.fill('nobody at all');
  await page.getByText('Nobody like that.').waitFor();
  await page.reload();
  await page.getByText('Nobody like that.').waitFor();
  assert.equal(await who.inputValue(), 'nobody at all');
  await who.fill('');
  await page.getByRole('link', { name: 'Hedy Lamarr' }).waitFor();
  assert.deepEqual(places.filter((url) => /900777|lamar|hedy|nobody/i.test(url)), []);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('how a message to a patient stands is said in words, and what it cost to whom money is shown', async () => {
  const made = await stack.post('/api/appointments', { service_id: 'demo-check-up', scheduled_at: `${weekday(18)}T10:00:00Z`, contact: { name: 'Emmy Noether' } }, owner);
  const said = { sending: 'On its way', sent: 'Sent', waiting: 'Waits to be sent', unknown: 'Not known whether it was sent', refused: 'Refused', unpaid: 'Not sent: not paid', not_sent: 'Not sent: money given back' };
  const messages = Object.keys(said).map((status) => ({ id: status, kind: 'confirmation', channel: 'sms', status, reason: null, cost_pence: status === 'sent' ? 8 : null, created_at: '2026-11-28T09:00:00.000Z' }));
  for (const role of ['owner', 'staff']) {
    const { page, context } = await open(browser, stack, { role });
    await page.route('**/api/messages?**', (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify({ messages }) }));
    await page.goto(`${stack.base}/appointments/${made.id}`);
    const card = page.locator('.card', { hasText: 'What the patient was told' });
    await card.locator('.badge').first().waitFor();
    assert.deepEqual(await card.locator('.badge').allInnerTexts(), Object.values(said));
    assert.equal(await card.getByText('cost £0.08').count(), role === 'owner' ? 1 : 0, role);
    await context.close();
  }
});

test('who leaves, and a service that ends, leave what is booked in the diary, and say so', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'admin', width: 320 });
  const day = weekday(20);
  const booked = await stack.post('/api/appointments', { service_id: 'demo-check-up', resource_id: 'demo-jones', scheduled_at: `${day}T10:00:00Z`, contact: { name: 'Katherine Johnson' } }, owner);
  await page.goto(`${stack.base}/calendar/hours`);
  await settle(page);
  await page.getByRole('button', { name: /^Change .*Jones/ }).click();
  // A time away in which somebody is booked.
  await page.getByLabel('First day').fill(day);
  await page.getByLabel('Last day').fill(day);
  await page.getByRole('button', { name: 'Add the time away' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Booked in the time away' }).waitFor();
  await page.getByText('Check-up, Katherine Johnson').waitFor();
  await whole(page);
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: /^Change .*Jones/ }).click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  // Who thinks better of it is back in the form.
  await page.getByRole('heading', { name: 'Remove Dr Jones?' }).waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('button', { name: 'Remove Dr Jones' }).click();
  await page.getByRole('heading', { name: 'Still in the diary' }).waitFor();
  await whole(page);
  await page.locator('dialog li', { hasText: 'Katherine Johnson' }).getByRole('link').click();
  await page.waitForURL(`**/appointments/${booked.id}`);
  await settle(page);
  await page.getByText('Dr Jones').first().waitFor();
  await page.goto(`${stack.base}/calendar?view=day&day=${day}`);
  await settle(page);
  await page.getByText('Katherine Johnson').first().waitFor();
  await page.goto(`${stack.base}/calendar/sync`);
  await settle(page);
  await page.goto(`${stack.base}/calendar/services`);
  await settle(page);
  await page.getByRole('button', { name: /^Change Check-up/ }).click();
  await page.getByRole('button', { name: 'Stop offering it' }).click();
  await page.getByRole('heading', { name: 'Stop offering “Check-up”?' }).waitFor();
  await page.getByRole('button', { name: 'Stop offering it' }).click();
  await page.getByRole('heading', { name: 'Still in the diary' }).waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await settle(page);
  assert.equal(await page.getByRole('button', { name: /^Change Check-up/ }).count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});
