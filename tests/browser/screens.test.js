// Every screen, for every role, in light and dark, wide and at 320 px.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PICTURES, axe, go, launch, measure, open, picture, settle } from './page.js';
import { fill, startStack, until } from './stack.js';

const BUSINESS = ['owner', 'viewer'];
const MEMBERS = [...BUSINESS, 'staff'];

/** The addresses that a role sees, with what the data says. @param {Awaited<ReturnType<typeof fill>>} there @returns {[string, string[]][]} */
const addresses = (there) => [
  ['/today', MEMBERS],
  ['/calls', MEMBERS],
  [`/calls/${there.call}`, MEMBERS],
  ['/wallet', BUSINESS],
  [`/calendar?view=week&day=${there.day}`, MEMBERS],
  [`/calendar?view=day&day=${there.day}`, MEMBERS],
  [`/calendar?view=list&day=${there.day}`, MEMBERS],
  ['/calendar/services', MEMBERS],
  ['/calendar/hours', MEMBERS],
  ['/calendar/sync', MEMBERS],
  [`/appointments/${there.appointment}`, MEMBERS],
  ['/contacts', MEMBERS],
  [`/contacts/${there.contact}`, MEMBERS],
  ['/notifications', MEMBERS],
  ['/agents', BUSINESS],
  ['/numbers', BUSINESS],
  ['/team', BUSINESS],
  ['/clinic', MEMBERS],
  ['/start', BUSINESS],
  ['/operations', ['operator']],
  ['/operations/doubts', ['operator']],
  ['/operations/wallets?org=de300000-0000-4000-8000-000000000001', ['operator']],
  ['/operations/orphans', ['operator']],
  ['/operations/clinics', ['operator']],
  ['/nothing-is-here', ['owner']],
];
/** Dialogs that open by their address. @param {Awaited<ReturnType<typeof fill>>} there */
const dialogs = (there) => [`/calendar?view=week&day=${there.day}&new=1`, '/wallet?topup=open', '/contacts?new=1', '/calls?ring=1'];

const LOOKS = /** @type {const} */ ([
  ['light', 1280],
  ['light', 320],
  ['dark', 320],
  ['dark', 1280],
]);

/** @type {Awaited<ReturnType<typeof startStack>>} */
let stack;
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof fill>>} */
let there;

before(async () => {
  [stack, browser] = await Promise.all([startStack({ speed: 20 }), launch()]);
  there = await fill(stack);
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

/** Looks at the page in every light and width. @param {import('playwright-core').Page} page @param {string} name */
async function look(page, name) {
  const found = [];
  for (const [scheme, width] of LOOKS) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await settle(page);
    const look = `${scheme} ${width}`;
    if (scheme === 'light') found.push(...(await measure(page)).map((line) => `${look}: ${line}`));
    found.push(...(await axe(page, { onlyColours: scheme === 'dark' })).map((line) => `${look}: ${line}`));
    await picture(page, `${name} ${look}`);
  }
  return found;
}

/** @param {string} role @param {(there: any) => string[]} paths @param {{org?: string}} [options] */
function screensOf(role, paths, options = {}) {
  const title = options.org ? `${role} of a clinic that has nothing` : role;
  describe(title, () => {
    test('sees each screen whole, in light and dark, wide and narrow', async (context) => {
      const { page, complaints, context: window } = await open(browser, stack, { role, ...options });
      await page.goto(`${stack.base}/`);
      await settle(page);
      for (const path of paths(there)) {
        await context.test(path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '…'), async () => {
          await go(page, path);
          const found = await look(page, `${title} ${path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'id')}`);
          assert.deepEqual([...found, ...complaints.splice(0)], []);
        });
      }
      await window.close();
    });
  });
}

for (const role of ['owner', 'viewer', 'staff', 'operator']) {
  screensOf(role, (data) => [...addresses(data).filter(([, roles]) => roles.includes(role)).map(([path]) => path), ...(role === 'owner' ? dialogs(data) : [])]);
}
screensOf('owner', () => ['/today', '/calls', '/wallet', '/calendar?view=week', '/calendar/services', '/calendar/hours', '/calendar/sync', '/contacts', '/notifications', '/agents', '/numbers', '/clinic', '/start'], { org: 'aaaaaaaa-0000-4000-8000-000000000001' });

test('what a role may not see is not shown', async () => {
  for (const [role, path] of [['staff', '/wallet'], ['staff', '/agents'], ['staff', '/numbers'], ['owner', '/operations'], ['operator', '/today']]) {
    const { page, context } = await open(browser, stack, { role });
    await page.goto(stack.base + path);
    await page.getByText('Your role does not see this.').waitFor();
    assert.equal(await page.locator('nav a', { hasText: role === 'staff' ? 'Wallet' : role === 'owner' ? 'Doubts' : 'Calls' }).count(), 0, `${role} ${path}`);
    await context.close();
  }
});

/** What a viewer may press: to look elsewhere, to look again, to take a copy. Any other button is one that changes something. */
const LOOKING = [/^Copy the /, /^The (day|week) (before|after)$/, /^(Today|Day|Week|List)$/, /^(Newer|Older) calls$/, /^Show more$/, /^(CSV|JSON)$/, /^(All|Unread|Read)$/, /^(Answers calls|Rings people)$/];

test('a viewer has no button but to look and to copy', async () => {
  const { page, context } = await open(browser, stack, { role: 'viewer' });
  await page.goto(stack.base);
  await settle(page);
  const changing = [];
  for (const [path] of addresses(there).filter(([, roles]) => roles.includes('viewer'))) {
    await go(page, path);
    const verbs = await page.locator('main button').evaluateAll((buttons) => buttons.filter((button) => button.checkVisibility()).map((button) => button.textContent?.trim() || button.getAttribute('aria-label') || ''));
    changing.push(...verbs.filter((verb) => !LOOKING.some((one) => one.test(verb))).map((verb) => `${path}: ${verb}`));
  }
  assert.deepEqual(changing, []);
  await context.close();
});

test('nothing jumps while a screen is filled', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  // An answer takes its time, so that what stands for it is seen first.
  let asked = 0;
  await page.route('**/api/**', async (route) => {
    asked += 1;
    await new Promise((done) => setTimeout(done, 150));
    await route.continue();
  });
  let answered = 0;
  for (const end of /** @type {const} */ (['requestfinished', 'requestfailed'])) page.on(end, (request) => (answered += new URL(request.url()).pathname.startsWith('/api/') ? 1 : 0));
  await page.addInitScript(() => {
    // @ts-ignore: read back below
    window.jumps = [];
    const take = (/** @type {any[]} */ entries) => {
      // @ts-ignore
      for (const entry of entries) window.jumps.push({ value: entry.value, what: entry.sources.map((source) => source.node?.className || source.node?.nodeName).slice(0, 3) });
    };
    const observer = new PerformanceObserver((list) => take(list.getEntries()));
    observer.observe({ type: 'layout-shift', buffered: true });
    // @ts-ignore: what was seen and not yet told, too
    window.jumped = () => take(observer.takeRecords()) ?? window.jumps;
  });
  const jumping = [];
  for (const [path] of addresses(there).filter(([, roles]) => roles.includes('owner'))) {
    await page.goto(stack.base + path);
    await settle(page);
    await until(async () => answered >= asked, `${path} has all its answers`);
    await settle(page);
    const jumps = await page.evaluate(() => /** @type {any} */ (window).jumped());
    const sum = jumps.reduce((/** @type {number} */ total, /** @type {any} */ jump) => total + jump.value, 0);
    // What the web's measure calls good (Cumulative Layout Shift).
    if (sum > 0.1) jumping.push(`${path}: ${sum.toFixed(3)} ${JSON.stringify(jumps.filter((/** @type {any} */ jump) => jump.value > 0.02))}`);
  }
  assert.deepEqual(jumping, []);
  await context.close();
});

test('what is another clinic’s is not there', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner', org: 'aaaaaaaa-0000-4000-8000-000000000002' });
  for (const path of [`/calls/${there.call}`, `/appointments/${there.appointment}`, `/contacts/${there.contact}`]) {
    await page.goto(stack.base + path);
    await page.getByText('There is nothing at this address.').waitFor();
    assert.doesNotMatch(await page.locator('main').innerText(), /Wilhelmina|Katherine|900123/, path);
  }
  await context.close();
});

test('the sign-in page and the narrow page’s menu are whole, too', async () => {
  const { page, complaints, context } = await open(browser, stack);
  await page.goto(`${stack.base}/`);
  await page.getByRole('heading', { name: 'Sign in to Voxanne' }).waitFor();
  const found = await look(page, 'sign in');
  await page.getByLabel('Role').selectOption('staff');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Today', exact: true }).waitFor();
  await page.setViewportSize({ width: 320, height: 700 });
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('dialog', { name: 'Menu' }).waitFor();
  found.push(...(await measure(page)), ...(await axe(page)));
  await page.screenshot({ path: join(PICTURES, 'menu-320.png') });
  await page.getByRole('button', { name: 'Sign out' }).last().click();
  await page.getByRole('heading', { name: 'Sign in to Voxanne' }).waitFor();
  assert.deepEqual([...found, ...complaints], []);
  await context.close();
});
