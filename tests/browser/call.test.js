// One call: what was done on it, what came of it, and what it cost, by the ledger's own entries.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame, open, picture, settle, whole } from './page.js';
import { NUMBER, until } from './stack.js';

const { stack, browser, filled: call } = await frame({ speed: 20 }, async (stack, owner) => {
  await stack.pay(5_000, owner);
  await stack.ring({
    to: NUMBER,
    from: '+447700900123',
    talk_seconds: 61,
    says: [
      { says: 'A check-up next Tuesday afternoon?', tool: 'checkAvailability', arguments: { service: 'check-up', when: 'next Tuesday afternoon' } },
      { says: 'The second one. I am Ada Lovelace.', tool: 'bookClinicAppointment', arguments: { option: 'B', patient_name: 'Ada Lovelace', email: 'ada@example.com' } },
    ],
  });
  return until(async () => (await stack.ask('GET', '/api/calls-dashboard?status=completed', undefined, owner)).calls[0], 'the call is billed', 30_000);
});

/** Answers a GET with what the stack answers, made another. @param {import('playwright-core').Page} page @param {RegExp} url @param {(answer: any, url: URL) => any} change */
const alter = (page, url, change) =>
  page.route(url, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: change(await answer.json(), new URL(route.request().url())) });
  });

const shown = `/calls-dashboard/[^/?]+$`;

test('a call shows its tools in order, the appointment that it made and what was answered, and its entry in the ledger', async () => {
  for (const [width, role] of /** @type {[number, string][]} */ ([[320, 'owner'], [1280, 'viewer']])) {
    const { page, complaints, context } = await open(browser, stack, { role, width });
    await alter(page, /\/api\/appointments\/[^/]+$/, (one) => ({ ...one, answers: [{ question: 'Are you allergic to anything?', answer: 'Penicillin' }] }));
    await page.goto(`${stack.base}/calls/${call.id}`);
    await settle(page);
    const did = page.getByRole('region', { name: 'What the agent did' });
    assert.deepEqual(await did.locator('li .strong').allInnerTexts(), ['Free times', 'Booking']);
    assert.deepEqual(await did.locator('li .badge').allInnerTexts(), ['Free', 'Booked']);
    assert.match(await did.innerText(), /answered in \d+ ms/);
    await did.getByText('What it was given').last().click();
    await did.getByText('ada@example.com').waitFor();
    const cost = page.getByRole('region', { name: 'What it cost' });
    const pounds = `£${(call.cost_pence / 100).toFixed(2)}`;
    await cost.locator('li', { hasText: `−${pounds}` }).waitFor();
    assert.match(await cost.innerText(), /Inbound call, 1 min [1-9] s/);
    assert.match(await cost.innerText(), /the balance was £49\.\d\d then/);
    assert.match(await cost.locator('.sum').innerText(), /by price list 1\s+56p a minute/);
    assert.match(await cost.locator('.sum').innerText(), /Held\s+£2\.80/);
    const made = page.getByRole('region', { name: 'The appointment it made' });
    await made.getByText('Penicillin').waitFor();
    await whole(page);
    await picture(page, `call ${width}`);
    await made.getByRole('link', { name: 'Ada Lovelace' }).click();
    await page.waitForURL('**/appointments/*');
    assert.deepEqual(complaints, []);
    await context.close();
  }
});

test('a call that was corrected shows each entry, and they add up to what it cost', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner', width: 320 });
  await alter(page, new RegExp(shown), (one) => {
    const [entry] = one.bill.entries;
    const more = { ...entry, id: `${entry.id}#correction#1`, seq: entry.seq + 1, amount_pence: 113 - call.cost_pence, description: `Correction of a call: 121 s instead of ${call.duration_seconds} s` };
    return { ...one, duration_seconds: 121, cost_pence: 113, bill: { ...one.bill, duration_seconds: 121, charged_pence: 113, entries: [entry, more] } };
  });
  await page.goto(`${stack.base}/calls/${call.id}`);
  const cost = page.getByRole('region', { name: 'What it cost' });
  await cost.getByText('Correction of a call: 121 s').waitFor();
  const amounts = (await cost.locator('li .strong').allInnerTexts()).map((text) => Number(text.replaceAll(/[^0-9]/g, '')));
  assert.deepEqual([amounts.length, amounts[0] + amounts[1]], [2, 113]);
  assert.match(await cost.locator('.sum').innerText(), /121 s × 56p ÷ 60, rounded up\s+£1\.13/);
  await whole(page);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a call that was put through says so, and staff see no money', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'staff' });
  await alter(page, new RegExp(shown), (one) => ({ ...one, status: 'transferred', ended_reason: 'assistant-forwarded-call' }));
  await page.goto(`${stack.base}/calls/${call.id}`);
  await page.getByText('To a person, after 1 min').waitFor();
  assert.deepEqual([await page.getByText('What it cost').count(), await page.getByText('£').count()], [0, 0]);
  await whole(page);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a bill that rests on our own times says so, and so does one in doubt', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'viewer', width: 320 });
  await alter(page, new RegExp(shown), (one) => ({ ...one, bill: { ...one.bill, is_estimated: true, doubted_seconds: 3_600, held_pence: 560, extensions: 1 } }));
  await page.goto(`${stack.base}/calls/${call.id}`);
  const cost = page.getByRole('region', { name: 'What it cost' });
  await cost.getByText('our own times were taken').waitFor();
  await cost.getByText('The voice service now says 1 h').waitFor();
  assert.match(await cost.locator('.sum').innerText(), /Held\s+£5\.60, extended once/);
  await whole(page);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('calls are found by how they ended and what they cost', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner', width: 320 });
  await page.goto(`${stack.base}/calls`);
  await settle(page);
  const rows = page.locator('tbody tr');
  await rows.first().waitFor();
  await page.getByLabel('Cost', { exact: true }).selectOption('Nothing');
  await page.getByText('No call is like that.').waitFor();
  await page.getByLabel('Cost', { exact: true }).selectOption('Under £1');
  await rows.first().waitFor();
  await page.getByLabel('How it ended').selectOption('voicemail');
  await page.getByText('No call is like that.').waitFor();
  await page.getByLabel('How it ended').selectOption('customer-ended-call');
  await rows.first().waitFor();
  await page.getByLabel('Cost', { exact: true }).selectOption('£5 and more');
  await page.getByText('No call is like that.').waitFor();
  // An address that somebody has written by hand.
  await page.goto(`${stack.base}/calls?cost=much`);
  await rows.first().waitFor();
  await whole(page);
  assert.deepEqual(complaints, []);
  await context.close();
});
