// The demo's story, watched in the console: a call that ticks, one that books, an appointment that is moved, two who save at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame, go, measure, open, picture, problem, settle, whole } from './page.js';
import { NUMBER, until, weekday } from './stack.js';

const { stack, browser, owner } = await frame({ speed: 10 }, (stack, owner) => stack.pay(5_000, owner));

/** `£0.39` in pence. @param {string} text */
const pence = (text) => Number(text.replace(/[^0-9]/g, ''));
/** `1:02` in seconds. @param {string} text */
const seconds = (text) => text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);

test('a call shows itself under Today, ticks by the one formula, and is billed as it said', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner' });
  await page.goto(`${stack.base}/today`);
  await page.getByText('Nobody is on the phone.').waitFor();
  await stack.ring({ to: NUMBER, from: '+447700900123', talk_seconds: 240 });
  // While nobody talks the page asks every fifteen seconds.
  await page.locator('.live-call').waitFor({ timeout: 25_000 });
  await page.locator('.live-call', { hasText: 'Talking' }).waitFor();
  // Each change of the figures, until they have shown several seconds; meanwhile the server is looked at a few times at most.
  let polls = 0;
  page.on('response', (response) => (polls += response.url().endsWith('/api/live') ? 1 : 0));
  const looks = await page.evaluate(
    () =>
      new Promise((/** @type {(looks: {money: string, seconds: string}[]) => void} */ done) => {
        /** @type {{money: string, seconds: string}[]} */
        const seen = [];
        const observer = new MutationObserver(() => {
          seen.push({ money: document.querySelector('[data-live-money]')?.textContent ?? '', seconds: document.querySelector('[data-live-seconds]')?.textContent ?? '' });
          if (new Set(seen.map((one) => one.seconds)).size < 8) return;
          observer.disconnect();
          done(seen);
        });
        observer.observe(document.body, { subtree: true, childList: true, characterData: true });
      }),
  );
  for (const seen of looks.filter((one) => one.seconds)) assert.equal(pence(seen.money), Math.ceil((seconds(seen.seconds) * 56) / 60), JSON.stringify(seen));
  const ticked = looks.map((one) => seconds(one.seconds));
  assert.ok(new Set(ticked).size > polls + 1, `the seconds tick in the browser between ${polls} looks at the server: ${ticked}`);
  assert.deepEqual(ticked, [...ticked].sort((one, other) => one - other), 'and never backwards');
  assert.equal(await page.locator('.live-figures[aria-live="off"]').count(), 1, 'figures that tick are not announced');
  assert.ok(!(await page.locator('.live-call').innerText()).includes('900123'), 'a list that shows itself masks the number');
  assert.deepEqual(await measure(page), []);
  await picture(page, 'story a call under Today');
  await page.getByText('Nobody is on the phone.').waitFor({ timeout: 30_000 });

  await page.getByRole('link', { name: 'Calls', exact: true }).click();
  const row = page.getByRole('row').filter({ hasText: '+44 7700 900123' });
  await row.filter({ hasText: 'Completed' }).waitFor({ timeout: 30_000 });
  const [{ id, cost_pence: cost, duration_seconds: length }] = (await stack.ask('GET', '/api/calls-dashboard', undefined, owner)).calls;
  assert.match(await row.innerText(), new RegExp(`£${(cost / 100).toFixed(2)}`));
  await row.getByRole('link').click();
  await page.waitForURL(`**/calls/${id}`);
  await page.getByRole('heading', { name: 'What it cost' }).waitFor();
  const sum = await page.locator('.sum').innerText();
  assert.ok(sum.includes(`£${(cost / 100).toFixed(2)}`) && cost === Math.ceil((length * 56) / 60), sum);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a call that goes on is ended by whoever keeps the diary, who sees no money', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'staff', width: 320 });
  await stack.ring({ to: NUMBER, from: '+447700900777', talk_seconds: 1_800 });
  const ongoing = await until(async () => (await stack.ask('GET', '/api/live', undefined, owner)).shown.calls.find((one) => one.started_at), 'they talk', 30_000);
  await page.goto(`${stack.base}/today`);
  const call = page.locator('.live-call', { hasText: 'Talking' });
  await call.waitFor();
  assert.doesNotMatch(await page.locator('main').innerText(), /£|900777/);
  await whole(page);
  await call.getByRole('button', { name: 'End the call' }).click();
  await whole(page);
  await page.keyboard.press('Escape');
  assert.ok(await page.evaluate(() => document.activeElement?.textContent?.includes('End the call')), 'the focus is where it was');
  await page.keyboard.press('Enter');
  await page.locator('dialog[open]').getByRole('button', { name: 'End the call' }).click();
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  await page.getByText('Nobody is on the phone.').waitFor({ timeout: 30_000 });
  const ended = await until(async () => {
    const one = await stack.ask('GET', `/api/calls-dashboard/${ongoing.id}`, undefined, owner);
    return one.status === 'completed' && one;
  }, 'it is billed', 30_000);
  assert.ok(ended.duration_seconds < 1_800, String(ended.duration_seconds));
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the recording of a call plays and seeks', async () => {
  const { calls } = await stack.ask('GET', '/api/calls-dashboard?status=completed', undefined, owner);
  const { page, complaints, context } = await open(browser, stack, { role: 'owner' });
  await page.goto(`${stack.base}/calls/${calls[0].id}`);
  await page.locator('audio').waitFor();
  const played = await page.evaluate(async () => {
    const audio = /** @type {HTMLAudioElement} */ (document.querySelector('audio'));
    audio.muted = true;
    await audio.play();
    await new Promise((tick) => audio.addEventListener('timeupdate', tick, { once: true }));
    audio.pause();
    const half = audio.duration / 2;
    audio.currentTime = half;
    await new Promise((seeked) => audio.addEventListener('seeked', seeked, { once: true }));
    return { duration: audio.duration, half, at: audio.currentTime };
  });
  assert.ok(played.duration > 0 && Math.abs(played.at - played.half) < 0.1, JSON.stringify(played));
  assert.deepEqual(complaints, []);
  await context.close();
});

test('what is booked by voice stands in the calendar, and is moved there by hand and by keyboard', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'staff' });
  await stack.ring({
    to: NUMBER,
    from: '+447700900456',
    talk_seconds: 60,
    says: [
      { says: 'A check-up next Tuesday afternoon?', tool: 'checkAvailability', arguments: { service: 'check-up', when: 'next Tuesday afternoon' } },
      { says: 'The second one. I am Ada Lovelace.', tool: 'bookClinicAppointment', arguments: { option: 'B', patient_name: 'Ada Lovelace', email: 'ada@example.com' } },
    ],
  });
  const one = await until(async () => (await stack.ask('GET', '/api/appointments', undefined, owner)).appointments[0], 'the appointment is there');
  const day = one.scheduled_time.slice(0, 10);
  await page.goto(`${stack.base}/calendar?view=week&day=${day}`);
  const event = page.locator('a.event', { hasText: 'Ada Lovelace' });
  await event.waitFor();

  // By the keyboard: an hour later, which asks before it does it.
  await event.focus();
  for (const key of ['m', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key);
  await page.getByRole('button', { name: 'Move', exact: true }).click();
  const later = new Date(Date.parse(one.scheduled_time) + 3_600_000).toISOString();
  await until(async () => (await stack.ask('GET', `/api/appointments/${one.id}`, undefined, owner)).scheduled_time === later, 'it is an hour later');

  // By the mouse: to the next day, at the same time.
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  await page.waitForFunction((name) => document.querySelector('a.event')?.getAttribute('aria-label')?.includes(name), later.slice(11, 16));
  await event.scrollIntoViewIfNeeded();
  const box = await event.boundingBox();
  const column = await page.locator('.cal-column').nth(2).boundingBox();
  assert.ok(box && column);
  await page.mouse.move(box.x + 20, box.y + 8);
  await page.mouse.down();
  await page.mouse.move(box.x + 60, box.y + 10, { steps: 4 });
  await page.mouse.move(column.x + 30, box.y + 8, { steps: 8 });
  await picture(page, 'story an appointment is dragged');
  await page.mouse.up();
  await page.getByRole('button', { name: 'Move', exact: true }).click();
  const next = new Date(Date.parse(later) + 86_400_000).toISOString();
  await until(async () => (await stack.ask('GET', `/api/appointments/${one.id}`, undefined, owner)).scheduled_time === next, 'it is a day later');

  await event.click();
  await page.waitForURL(`**/appointments/${one.id}`);
  await page.getByRole('link', { name: 'The call in which it was booked' }).waitFor();
  await page.getByRole('button', { name: 'Arrived' }).click();
  await page.locator('dl .badge', { hasText: 'Arrived' }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('staff book, and over what is there only with a reason', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'staff' });
  const day = weekday(9);
  await page.goto(`${stack.base}/calendar?view=day&day=${day}`);
  await settle(page);
  const book = async (/** @type {string} */ name, /** @type {() => Promise<void>} */ when) => {
    await page.getByRole('button', { name: 'Book', exact: true }).first().click();
    await page.getByLabel('With').selectOption('demo-jones');
    await page.getByLabel('Patient’s name').fill(name);
    await when();
    await page.locator('dialog[open]').getByRole('button', { name: 'Book', exact: true }).click();
  };
  await book('Grace Hopper', () => page.getByRole('button', { name: '10:00' }).click());
  await page.locator('a.event', { hasText: 'Grace Hopper' }).waitFor();
  await book('Edsger Dijkstra', async () => {
    await page.getByLabel('At a time that is not free').check();
    await page.getByLabel('Time', { exact: true }).fill('10:00');
  });
  await page.getByText('Say why it is booked although the time is not free.').waitFor();
  assert.equal(await page.getByLabel('Patient’s name').inputValue(), 'Edsger Dijkstra', 'what was typed stays');
  await page.getByLabel('Reason').fill('He is in pain.');
  await page.locator('dialog[open]').getByRole('button', { name: 'Book', exact: true }).click();
  await page.locator('a.event-over', { hasText: 'Edsger Dijkstra' }).waitFor();

  // By a click on a free place, which says when and with whom.
  const column = await page.locator('.cal-column').first().boundingBox();
  assert.ok(column);
  await page.mouse.click(column.x + column.width / 2, column.y + 6.3 * 60);
  await page.locator('dialog[open]').getByText(/^Chosen: .*, 14:15$/).waitFor();
  assert.equal(await page.getByLabel('With').inputValue(), 'demo-jones');
  await page.keyboard.press('Escape');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('money is paid in by card, and the statement is downloaded', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner' });
  await page.goto(`${stack.base}/wallet`);
  await settle(page);
  const before = pence(await page.locator('[data-available]').innerText());
  await page.getByRole('button', { name: 'Top up' }).click();
  await page.getByRole('button', { name: '£100' }).click();
  await page.getByRole('button', { name: 'To the payment page' }).click();
  await page.waitForURL('**/_sandbox/stripe/pay/**');
  await page.locator('button, input[type=submit]').filter({ hasText: /pay/i }).first().click();
  await page.waitForURL('**/wallet**');
  // A call that goes on meanwhile holds a little of it.
  await page.waitForFunction((sum) => Number(document.querySelector('[data-available]')?.textContent?.replace(/[^0-9]/g, '')) >= sum, before + 9_500, { timeout: 20_000 });
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  assert.match(download.suggestedFilename(), /^statement-\d{4}-\d\d-\d\d-to-\d{4}-\d\d-\d\d\.csv$/);
  assert.deepEqual(complaints.filter((line) => !line.includes('/favicon.ico') && !line.includes('/_sandbox/stripe/')), []);
  await context.close();
});

test('two people save an agent at once, and nobody’s words are lost', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'admin' });
  await page.goto(`${stack.base}/agents`);
  await page.getByLabel('First sentence').fill('Good day, this is mine.');
  // Who looks something up elsewhere finds what was written.
  await go(page, '/numbers');
  await go(page, '/agents');
  assert.equal(await page.getByLabel('First sentence').inputValue(), 'Good day, this is mine.');
  const { agents } = await stack.ask('GET', '/api/founder-console/agent/config?role=inbound', undefined, owner);
  // What is edited of it; the rest is the API's to say.
  const edited = ['version', 'name', 'firstMessage', 'systemPrompt', 'voiceProvider', 'voiceId', 'language', 'maxDurationSeconds', 'vapiPhoneNumberId'];
  const agent = Object.fromEntries(edited.map((name) => [name, agents[0][name]]));
  await stack.post('/api/founder-console/agent/behavior', { inbound: { ...agent, name: 'Theirs' } }, owner);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Somebody saved this agent while you were writing.').waitFor();
  assert.deepEqual(await measure(page), []);
  await picture(page, 'story two people save an agent');
  await page.getByRole('button', { name: 'Take these' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  const merged = await until(async () => {
    const { agents: now } = await stack.ask('GET', '/api/founder-console/agent/config?role=inbound', undefined, owner);
    return now[0].version > agent.version + 1 && now[0];
  }, 'both are saved');
  assert.deepEqual([merged.name, merged.firstMessage], ['Theirs', 'Good day, this is mine.']);
  // The browser writes a refusal of a request into its console: that is the conflict itself.
  assert.deepEqual(complaints.filter((line) => !line.includes('409')), []);
  await context.close();
});

test('a number is bought with its progress, and given up', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  await page.goto(`${stack.base}/numbers`);
  await page.getByRole('button', { name: 'Buy a number' }).click();
  await page.getByLabel('Country').selectOption('US');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.locator('.choice').first().click();
  await page.getByRole('button', { name: /^Buy \+1/ }).click();
  const line = page.locator('.card', { hasText: 'The agent rings from' });
  await line.getByText('Active').waitFor({ timeout: 20_000 });
  await go(page, '/numbers');
  await line.getByRole('button', { name: 'Give it up' }).click();
  await page.locator('dialog[open]').getByRole('button', { name: 'Give it up' }).click();
  await line.getByText('The agent cannot ring anybody yet.').waitFor({ timeout: 30_000 });
  await context.close();
});

test('an API that fails says its sentence and the request’s id, keeps what was typed, and is asked again', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  let fails = 1;
  /** @type {(string | null)[]} */
  const keys = [];
  await page.route('**/api/contacts', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    keys.push(await route.request().headerValue('idempotency-key'));
    if (fails-- > 0) return route.fulfill(problem(500, { code: 'internal', detail: 'Something went wrong on our side.', request_id: 'request-77' }));
    return route.continue();
  });
  await page.goto(`${stack.base}/contacts?new=1`);
  await page.getByLabel('Name', { exact: true }).fill('Mary Seacole');
  await page.locator('dialog[open]').getByRole('button', { name: 'Add' }).click();
  await page.getByRole('alert').getByText('Something went wrong on our side.').waitFor();
  await page.getByText('request-77').waitFor();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Mary Seacole');
  await page.locator('dialog[open]').getByRole('button', { name: 'Add' }).click();
  await page.getByRole('heading', { name: 'Mary Seacole' }).waitFor();
  assert.ok(keys[0] && keys[0] === keys[1], 'a repeat after a failure has the same idempotency key');
  await context.close();
});

test('a slow answer is waited for in its place, and one that never comes can be asked for again', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  let isSlow = true;
  /** @type {() => void} */
  let giveUp = () => {};
  const given = new Promise((/** @type {(_: void) => void} */ done) => (giveUp = done));
  await page.route('**/api/contacts?**', async (route) => {
    if (!isSlow) return route.continue();
    await given;
    return route.abort();
  });
  await page.goto(`${stack.base}/contacts`);
  await page.locator('.skeleton').first().waitFor();
  giveUp();
  await page.getByText('The server cannot be reached.').waitFor();
  isSlow = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('link', { name: 'Mary Seacole' }).waitFor();
  await context.close();
});

test('the calendar at Google is disconnected, and connected again with the clinic’s consent', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner' });
  await page.goto(`${stack.base}/calendar/sync`);
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.locator('dialog[open]').getByRole('button', { name: 'Disconnect' }).click();
  await page.locator('.badge', { hasText: 'Disconnected' }).waitFor();
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.waitForURL('**/_sandbox/google/o/oauth2/**');
  await page.locator('button, input[type=submit]').first().click();
  await page.waitForURL('**/calendar/sync');
  await page.getByText('The calendar is connected.').waitFor();
  await page.locator('.badge', { hasText: /^Connected$/ }).waitFor();
  await page.getByRole('button', { name: 'Change whose time Dr Jones is' }).click();
  assert.deepEqual(await measure(page), []);
  await page.keyboard.press('Escape');
  assert.deepEqual(complaints.filter((line) => !line.includes('/favicon.ico') && !line.includes('/_sandbox/google/') && !line.includes('/api/google-oauth/callback')), []);
  await context.close();
});

test('a practitioner’s hours and time away are said, and hold in the diary', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner', width: 320 });
  await page.goto(`${stack.base}/calendar/hours`);
  await page.getByRole('button', { name: 'Change the hygienist' }).click();
  const from = page.getByLabel('Monday, from').first();
  await from.fill('830');
  await from.press('Tab');
  assert.equal(await from.inputValue(), '08:30');
  await page.getByRole('button', { name: 'Take away 14:00–17:30 on Friday' }).click();
  const day = weekday(20);
  await page.getByLabel('First day').fill(day);
  await page.getByLabel('Last day').fill(day);
  await page.getByLabel('Reason, for staff').fill('On a course');
  await page.getByRole('button', { name: 'Add the time away' }).click();
  await whole(page);
  await page.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  const { resources } = await stack.ask('GET', '/api/resources', undefined, owner);
  const hygienist = resources.find((one) => one.id === 'demo-hygienist');
  assert.deepEqual([hygienist.weekly.monday[0].from, hygienist.weekly.friday.length, hygienist.closures.length], ['08:30:00', 1, 1]);
  await page.setViewportSize({ width: 1280, height: 900 });
  await go(page, `/calendar?view=day&day=${day}`);
  await page.getByText('On a course').waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a service is added, and booked by whoever may', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'admin', width: 320 });
  await page.goto(`${stack.base}/calendar/services`);
  await page.getByRole('button', { name: 'Add a service' }).click();
  await page.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
  await page.getByText('Give it the name that callers say.').waitFor();
  await page.getByLabel('Name').fill('Whitening');
  await page.getByLabel('Dr Jones').check();
  await page.getByRole('button', { name: 'Add a question' }).click();
  await page.getByLabel('Question 1').fill('Which shade?');
  await page.getByLabel('Answer to 1').selectOption('choice');
  await page.getByLabel('Choices of 1').fill('light, lighter');
  await whole(page);
  await page.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
  await page.locator('td', { hasText: 'Whitening' }).waitFor();
  const { services } = await stack.ask('GET', '/api/services', undefined, owner);
  assert.deepEqual(services.find((one) => one.name === 'Whitening').intake, [{ ask: 'Which shade?', kind: 'choice', choices: ['light', 'lighter'] }]);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the clinic’s line is seen to lead here when the call arrives', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner' });
  await page.goto(`${stack.base}/start`);
  await page.getByLabel('The clinic’s line', { exact: true }).fill('+44 20 7946 0000');
  await page.getByLabel('The telephone that rings it').fill('+447700900321');
  await page.getByRole('button', { name: 'Begin the test' }).click();
  await page.getByText('Waiting for the call').waitFor();
  await stack.ring({ to: NUMBER, from: '+447700900321', talk_seconds: 30 });
  await page.getByText('The line leads here').waitFor({ timeout: 30_000 });
  assert.deepEqual(await measure(page), []);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('somebody is invited, has another role, and is removed', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner' });
  await page.goto(`${stack.base}/team`);
  await settle(page);
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByLabel('E-mail').fill('nurse@hillstreet.example');
  await page.locator('dialog[open]').getByRole('button', { name: 'Invite' }).click();
  const row = page.getByRole('row').filter({ hasText: 'nurse@hillstreet.example' });
  await row.filter({ hasText: 'Staff' }).waitFor();
  await row.getByRole('button', { name: /^Change the role/ }).click();
  await page.locator('dialog[open]').getByLabel('Role').selectOption('viewer');
  await page.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
  await row.filter({ hasText: 'Viewer' }).waitFor();
  await row.getByRole('button', { name: /^Remove/ }).click();
  await page.locator('dialog[open]').getByRole('button', { name: 'Remove' }).click();
  await row.waitFor({ state: 'detached' });
  assert.deepEqual(complaints, []);
  await context.close();
});

test('an operator makes a clinic, adjusts a wallet, and the act is kept', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'operator' });
  await page.goto(`${stack.base}/operations/clinics`);
  await page.getByLabel('Name').fill('Mill Lane Surgery');
  await page.getByLabel('Owner’s e-mail').fill('owner@milllane.example');
  await page.getByRole('button', { name: 'Make the clinic' }).click();
  await page.getByRole('heading', { name: 'Mill Lane Surgery' }).waitFor();
  await go(page, '/operations/wallets');
  await page.getByLabel('The clinic’s id').fill('de300000-0000-4000-8000-000000000001');
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByRole('button', { name: 'Adjust' }).click();
  await page.getByLabel('Amount (£)').fill('2.50');
  await page.getByLabel('Reason').fill('A call that was cut off');
  await page.getByRole('button', { name: 'Book it' }).click();
  await page.getByRole('cell', { name: 'A call that was cut off' }).waitFor();
  const { transactions } = await stack.ask('GET', '/api/billing/wallet/transactions?type=adjustment', undefined, owner);
  assert.deepEqual(transactions.map((one) => [one.direction, one.amount_pence]), [['credit', 250]]);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the clinic says its facts, and under which name its texts come', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner' });
  await page.goto(`${stack.base}/clinic`);
  const facts = page.getByRole('region', { name: 'Facts', exact: true });
  await page.getByLabel('Sender of texts').fill('Hill Street');
  await page.getByLabel('Notice').fill('Closed on Friday.');
  await facts.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Until when does it hold?').waitFor();
  await page.getByLabel('It holds until, and on').fill(weekday(10));
  await facts.getByRole('button', { name: 'Save' }).click();
  await page.getByText('The receptionist knows it on the next call.').waitFor();
  const clinic = await stack.ask('GET', '/api/clinic', undefined, owner);
  assert.deepEqual([clinic.sender_name, clinic.notice.text, clinic.notice.until], ['Hill Street', 'Closed on Friday.', weekday(10)]);

  // When she does not answer, a line must be named; what is an emergency is the clinic's own word.
  await page.getByLabel('The receptionist answers').selectOption('outside_hours');
  const answering = page.locator('.card', { hasText: 'When she answers' });
  // The line may be known already, by the test of it.
  await page.getByLabel('The clinic’s own line').fill('');
  await answering.getByRole('button', { name: 'Save' }).click();
  await page.getByText('To which line are calls put through then?').waitFor();
  await page.getByLabel('The clinic’s own line').fill('+44 20 7946 0000');
  await answering.getByRole('button', { name: 'Save' }).click();
  await until(async () => (await stack.ask('GET', '/api/clinic', undefined, owner)).answering === 'outside_hours', 'it is saved');
  await page.getByLabel('The clinic’s own red flags').fill('a knocked-out tooth');
  await page.locator('.card', { hasText: 'Emergencies' }).last().getByRole('button', { name: 'Save' }).click();
  await until(async () => (await stack.ask('GET', '/api/clinic', undefined, owner)).red_flags?.[0] === 'a knocked-out tooth', 'it is saved');
  await whole(page);
  await stack.ask('PATCH', '/api/clinic', { answering: 'always' }, owner);
  assert.deepEqual(complaints, []);
  await context.close();
});
