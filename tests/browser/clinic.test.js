// The clinic's own page: what two people write at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame, open, picture, problem, settle, whole } from './page.js';
import { until } from './stack.js';

const { stack, browser, owner } = await frame();

const now = () => stack.ask('GET', '/api/clinic', undefined, owner);

test('what another writes of the clinic is not written over, and only what is changed is sent', async () => {
  const { page, complaints, context } = await open(browser, stack, { role: 'owner', width: 320 });
  /** @type {any[]} */
  const sent = [];
  page.on('request', (request) => request.method() === 'PATCH' && sent.push(request.postDataJSON()));
  await page.goto(`${stack.base}/clinic`);
  await settle(page);
  const facts = page.getByRole('region', { name: 'Facts', exact: true });
  const save = facts.getByRole('button', { name: 'Save' });
  const address = page.getByLabel('Address', { exact: true });
  await address.fill('1 Hill Street');
  // Another fact, and the same one.
  await stack.ask('PATCH', '/api/clinic', { alert_emails: ['desk@hillstreet.example'] }, owner);
  await stack.ask('PATCH', '/api/clinic', { address: '2 Mill Lane' }, owner);
  await save.click();
  await facts.locator('[data-theirs=address]', { hasText: '2 Mill Lane' }).waitFor();
  assert.deepEqual([await address.inputValue(), await save.isDisabled(), (await now()).address], ['1 Hill Street', true, '2 Mill Lane']);
  assert.equal(await page.getByLabel('Told at once of an emergency').inputValue(), 'desk@hillstreet.example', 'what was not written here is theirs');
  await whole(page);
  await picture(page, 'two people write of the clinic');
  await facts.getByRole('button', { name: 'Keep mine' }).click();
  await save.click();
  await until(async () => (await now()).address === '1 Hill Street', 'mine is saved');
  const { version, ...last } = sent.at(-1);
  assert.deepEqual(last, { time_zone: 'Europe/London', address: '1 Hill Street' });
  assert.deepEqual((await now()).alert_emails, ['desk@hillstreet.example']);
  // What is refused is written into the console by the browser.
  assert.deepEqual(complaints.filter((line) => !line.includes('409')), []);
  await context.close();
});

test('a form names the version that it was filled from, where the API has versions', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  let version = 7;
  /** @type {any[]} */
  const sent = [];
  await page.route('**/api/clinic', async (route) => {
    if (route.request().method() === 'GET') {
      const answer = await route.fetch();
      return route.fulfill({ response: answer, json: { ...(await answer.json()), version } });
    }
    const { version: seen, ...body } = route.request().postDataJSON();
    sent.push(seen);
    if (seen !== version) return route.fulfill(problem(409, { code: 'version_conflict', detail: 'It was changed meanwhile.', request_id: 'request-9' }));
    const answer = await route.fetch({ postData: JSON.stringify(body) });
    version += 1;
    return route.fulfill({ response: answer, json: { ...(await answer.json()), version } });
  });
  await page.goto(`${stack.base}/clinic`);
  await settle(page);
  const form = page.locator('.card', { hasText: 'Emergencies' }).last();
  const save = form.getByRole('button', { name: 'Save' });
  const flags = page.getByLabel('The clinic’s own red flags');
  await flags.fill('a knocked-out tooth');
  await stack.ask('PATCH', '/api/clinic', { red_flags: ['a swollen face'] }, owner);
  version += 1;
  await save.click();
  await form.locator('[data-theirs=flags]', { hasText: 'a swollen face' }).waitFor();
  await form.getByRole('button', { name: 'Take theirs' }).click();
  assert.equal(await flags.inputValue(), 'a swollen face');
  await flags.fill('a swollen face\na knocked-out tooth');
  await save.click();
  await until(async () => (await now()).red_flags.length === 2, 'both are saved');
  assert.deepEqual(sent, [7, 8]);
  await context.close();
});
