// Signing in as where it is deployed: by an account of the issuer, with a password or a link, and what stays of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { axe, launch, measure, open, picture, settle } from './page.js';
import { startStack, until } from './stack.js';

const OWNER = 'owner@demo-clinic.example';
const PASSWORD = 'demo clinic';
const REFRESH = '/api/session/refresh';

/** @type {Awaited<ReturnType<typeof startStack>>} */
let stack;
/** @type {import('playwright-core').Browser} */
let browser;

before(async () => {
  [stack, browser] = await Promise.all([startStack({ signIn: 'password' }), launch()]);
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

/** A page where nobody is signed in, at an address. @param {string} [path] @param {Parameters<typeof open>[2]} [options] */
async function arrive(path = '/', options = {}) {
  const opened = await open(browser, stack, options);
  await opened.page.goto(stack.base + path);
  return opened;
}

/** @param {import('playwright-core').Page} page */
async function signIn(page, password = PASSWORD) {
  await page.getByLabel('E-mail').fill(OWNER);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** @param {import('playwright-core').Page} page */
const isIn = async (page) => {
  await page.getByRole('heading', { name: 'Today', level: 1 }).waitFor();
  await settle(page);
};

/** The last letter to an address. @param {string} to @param {number} [after] how many there were before */
const letter = (to, after = 0) =>
  until(async () => {
    const { letters } = await stack.ask('GET', '/_sandbox/supabase');
    const theirs = letters.filter((one) => one.to === to);
    return theirs.length > after && theirs.at(-1);
  }, `a letter to ${to}`);

/** What the page says that should not be so, but for the refusals that a test brings about. @param {string[]} complaints */
const others = (complaints) => complaints.filter((line) => !/status of (401|422|429|502)/.test(line));

test('a password signs in, a reload keeps it, and no script sees what it is kept by', async () => {
  const { page, context, complaints } = await arrive();
  await page.locator('input[type=email]:focus').waitFor();
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Write the e-mail address that the clinic knows you by.').waitFor();
  await signIn(page, 'wrong');
  await page.getByRole('alert').getByText('The address or the password is not right.').waitFor();
  assert.equal(await page.getByLabel('E-mail').inputValue(), OWNER, 'what was typed stays');
  await signIn(page);
  await isIn(page);
  const kept = await page.evaluate(() => ({ cookie: document.cookie, local: { ...localStorage }, session: Object.values(sessionStorage).join(' ') }));
  assert.deepEqual([kept.cookie, kept.local['signed-in'], kept.session.includes('eyJ')], ['', '1', false]);
  const [cookie] = await context.cookies(`${stack.base}/api/session/refresh`);
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, cookie.path], ['session', true, 'Strict', '/api/session']);
  assert.deepEqual(await context.cookies(`${stack.base}/api/clinic`), []);
  await page.reload();
  await isIn(page);
  const [next] = await context.cookies(`${stack.base}/api/session/refresh`);
  assert.notEqual(next.value, cookie.value);
  assert.deepEqual(others(complaints), []);
  await context.close();
});

test('who signs out is out in every page of the browser, and stays so', async () => {
  const { page, context, complaints } = await arrive();
  await signIn(page);
  await isIn(page);
  const [{ value }] = await context.cookies(stack.base + REFRESH);
  const second = await context.newPage();
  await second.goto(`${stack.base}/calls`);
  await second.getByRole('heading', { name: 'Calls', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).first().click();
  for (const one of [page, second]) await one.getByRole('heading', { name: 'Sign in to Voxanne' }).waitFor();
  await until(async () => (await context.cookies(stack.base + REFRESH)).length === 0, 'the cookie is dropped');
  await page.reload();
  await page.getByLabel('Password').waitFor();
  const answer = await fetch(stack.base + REFRESH, { method: 'POST', headers: { 'content-type': 'application/json', cookie: `session=${value}` }, body: '{}' });
  assert.equal(answer.status, 401, 'whoever kept the cookie has nothing');
  assert.deepEqual(others(complaints), []);
  await context.close();
});

test('who signs out while the issuer does not answer is told so', async () => {
  const { page, context } = await arrive();
  await signIn(page);
  await isIn(page);
  await stack.post('/_sandbox/faults', { vendor: 'supabase', operation: 'logout', mode: 'error', times: 1 });
  await page.getByRole('button', { name: 'Sign out' }).first().click();
  await page.getByText('You are signed out of this browser. The sign-in service did not answer').waitFor();
  await page.getByLabel('Password').waitFor();
  await context.close();
});

test('a link signs in once, in either form of a letter, and leaves nothing in the address bar', async () => {
  const { page, context, complaints } = await arrive();
  await page.getByLabel('E-mail').fill(OWNER);
  await page.getByRole('button', { name: 'Send me a link instead' }).click();
  await page.getByRole('status').getByText('If that address has an account').waitFor();
  const sent = await letter(OWNER);
  await page.getByLabel('E-mail').fill('nobody@demo-clinic.example');
  await page.getByRole('button', { name: 'Send me a link instead' }).click();
  await page.getByRole('status').getByText('If that address has an account').waitFor();
  await context.close();

  const ours = await arrive(`/calls?token_hash=${sent.token_hash}&type=magiclink`);
  await ours.page.getByRole('heading', { name: 'Sign in with this link?' }).waitFor();
  assert.equal(ours.page.url(), `${stack.base}/calls`, 'nothing of it is left in the bar before it is used');
  assert.deepEqual([await axe(ours.page), await measure(ours.page)], [[], []]);
  await ours.page.getByRole('button', { name: 'Not with this link' }).click();
  await ours.page.getByLabel('Password').waitFor();
  await ours.page.goto(`${stack.base}/calls?token_hash=${sent.token_hash}&type=magiclink`);
  await ours.page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await ours.page.getByRole('heading', { name: 'Calls', level: 1 }).waitFor();
  assert.equal(ours.page.url(), `${stack.base}/calls`);
  await ours.page.reload();
  await ours.page.getByRole('heading', { name: 'Calls', level: 1 }).waitFor();
  await ours.context.close();

  const again = await arrive(`/?token_hash=${sent.token_hash}&type=magiclink`);
  await again.page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await again.page.getByRole('alert').getByText('That link has been used, or is too old.').waitFor();
  assert.equal(again.page.url(), `${stack.base}/`);
  assert.deepEqual(others([...complaints, ...ours.complaints, ...again.complaints]), []);
  await again.context.close();
});

test('an invitation by the issuer’s own letter leads to a password, by which one signs in', async () => {
  const owner = await stack.token('owner');
  const email = 'grace@demo-clinic.example';
  await stack.post('/api/team/members', { email, role: 'staff' }, owner);
  const { link } = await letter(email);
  const { page, context, complaints } = await open(browser, stack, { width: 320 });
  await page.goto(link);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { name: 'Choose a password' }).waitFor();
  assert.equal(page.url(), `${stack.base}/`);
  assert.deepEqual([await axe(page), await measure(page)], [[], []]);
  await picture(page, 'sign-in choosing 320');
  await page.getByLabel('New password').fill('short');
  await page.getByRole('button', { name: 'Save the password' }).click();
  await page.getByRole('alert').getByText('That password is too short').waitFor();
  await page.getByLabel('New password').fill('a longer one');
  await page.getByRole('button', { name: 'Save the password' }).click();
  await isIn(page);
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill('a longer one');
  await page.keyboard.press('Enter');
  await isIn(page);
  await page.goto(link);
  await isIn(page);
  await page.getByText('That link has been used, or is too old.').waitFor();
  assert.deepEqual(others(complaints), []);
  await context.close();
});

test('a token that has run out is renewed, and what is typed stays', async () => {
  const { page, context } = await arrive();
  await signIn(page);
  await isIn(page);
  await page.goto(`${stack.base}/contacts?new=1`);
  // The page has come up before its session is said to have ended.
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').waitFor();
  let hasRunOut = true;
  let tries = 0;
  await page.route('**/api/contacts', (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    tries += 1;
    if (!hasRunOut) return route.continue();
    return route.fulfill({ status: 401, contentType: 'application/problem+json', body: JSON.stringify({ code: 'invalid_token', detail: 'Sign in again.', status: 401 }) });
  });
  let renewals = 0;
  await page.route(`**${REFRESH}`, (route) => {
    renewals += 1;
    if (renewals === 1) return route.abort();
    hasRunOut = false;
    return route.continue();
  });
  await dialog.getByLabel('Name').fill('Rosalind Franklin');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await dialog.getByText('The server cannot be reached.').waitFor();
  assert.equal(await dialog.getByLabel('Name').inputValue(), 'Rosalind Franklin');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await page.getByRole('heading', { name: 'Rosalind Franklin', level: 1 }).waitFor();
  assert.deepEqual([tries, renewals], [3, 2]);
  await context.close();
});

test('a token is renewed before it runs out, and a session that has ended is no page that stands still', async () => {
  const { page, context } = await open(browser, stack);
  await page.clock.install();
  let renewals = 0;
  page.on('request', (request) => {
    if (request.url().endsWith(REFRESH)) renewals += 1;
  });
  await page.goto(stack.base);
  await signIn(page);
  await isIn(page);
  await page.clock.fastForward('50:00');
  assert.equal(renewals, 0);
  const renewed = page.waitForResponse((answer) => answer.url().endsWith(REFRESH));
  await page.clock.fastForward('09:30');
  assert.deepEqual([(await renewed).status(), renewals], [200, 1]);
  // Somebody ends the session elsewhere, and the token runs out.
  const [{ value }] = await context.cookies(stack.base + REFRESH);
  await fetch(`${stack.base}/api/session/sign-out`, { method: 'POST', headers: { 'content-type': 'application/json', cookie: `session=${value}` }, body: '{}' });
  await page.route('**/api/calls-dashboard**', (route) => route.fulfill({ status: 401, contentType: 'application/problem+json', body: '{"code":"invalid_token","status":401}' }));
  await page.getByRole('link', { name: 'Calls' }).first().click();
  await page.getByLabel('Password').waitFor();
  await context.close();
});

test('the form is for everybody: by keys, in the dark, at 320 px, and where the service does not answer', async () => {
  for (const [scheme, width] of /** @type {const} */ ([['light', 1280], ['dark', 320]])) {
    const { page, context, complaints } = await arrive('/', { scheme, width });
    await page.getByLabel('E-mail').waitFor();
    assert.deepEqual([await axe(page), await measure(page)], [[], []]);
    await picture(page, `sign-in ${scheme} ${width}`);
    await page.getByLabel('E-mail').focus();
    await page.keyboard.type(OWNER);
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await stack.post('/_sandbox/faults', { vendor: 'supabase', operation: 'token', mode: 'error', times: 1 });
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('The sign-in service does not answer at the moment.').waitFor();
    assert.deepEqual([await axe(page), await measure(page)], [[], []]);
    await page.keyboard.press('Enter');
    await isIn(page);
    assert.deepEqual(others(complaints), []);
    await context.close();
  }
});
