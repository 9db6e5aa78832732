// One call: what was done on it, what came of it, and what it cost, by the ledger's own entries.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame, open, picture, problem, settle, whole } from './page.js';
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
    /** @type {string[]} */
    const statements = [];
    page.on('request', (request) => request.url().includes('/statement') && statements.push(request.url()));
    // The sandbox's report of a call names no tools.
    await alter(page, new RegExp(shown), (one) => ({ ...one, tools_used: ['checkAvailability', 'bookClinicAppointment'] }));
    await alter(page, /\/api\/appointments\/[^/]+$/, (one) => ({ ...one, answers: [{ question: 'Are you allergic to anything?', answer: 'Penicillin' }] }));
    await page.goto(`${stack.base}/calls/${call.id}`);
    await settle(page);
    assert.deepEqual(await page.getByRole('region', { name: 'What the agent did' }).locator('li').allInnerTexts(), ['1.\nLooked for free times', '2.\nBooked an appointment']);
    const cost = page.getByRole('region', { name: 'What it cost' });
    const pounds = `£${(call.cost_pence / 100).toFixed(2)}`;
    await cost.locator('li', { hasText: `−${pounds}` }).waitFor();
    assert.match(await cost.innerText(), /Inbound call, 1 min [1-9] s/);
    assert.match(await cost.innerText(), /by price list 1; the balance was £49\.\d\d then/);
    assert.equal(statements.length, 1, 'the entries of two weeks are not read where those of an hour add up');
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
  await alter(page, new RegExp(shown), (one) => ({ ...one, duration_seconds: 121, cost_pence: 113 }));
  await alter(page, /\/statement\?/, (statement, url) => {
    const days = (Date.parse(url.searchParams.get('to') ?? '') - Date.parse(url.searchParams.get('from') ?? '')) / 86_400_000;
    const entry = statement.entries.find((one) => one.call_id === call.id);
    const more = { ...entry, seq: entry.seq + 1, amount_pence: 113 - call.cost_pence, description: `Correction of a call: 121 s instead of ${call.duration_seconds} s` };
    return { ...statement, entries: days > 14 ? [...statement.entries, more] : statement.entries };
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

test('a ledger that does not answer says its sentence and the request’s id beside the price, and is asked again', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  let fails = true;
  await page.route(/\/statement\?/, (route) => (fails ? route.fulfill(problem(500, { code: 'internal', detail: 'Something went wrong on our side.', request_id: 'request-5' })) : route.continue()));
  await page.goto(`${stack.base}/calls/${call.id}`);
  const cost = page.getByRole('region', { name: 'What it cost' });
  await cost.getByText('request-5').waitFor();
  assert.equal(await cost.locator('.sum').count(), 1);
  fails = false;
  await cost.getByRole('button', { name: 'Try again' }).click();
  await cost.getByText('Inbound call, 1 min').waitFor();
  await context.close();
});
