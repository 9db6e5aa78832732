// Every screen, for every role, in light and dark, wide and at 320 px.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PICTURES, axe, frame, go, jumping, look, measure, open, settle } from './page.js';
import { addresses, dialogs } from './places.js';
import { fill } from './stack.js';

const { stack, browser, filled: there } = await frame({ speed: 20 }, fill);

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
  const urls = addresses(there).filter(([, roles]) => roles.includes('owner')).map(([path]) => stack.base + path);
  assert.deepEqual(await jumping(page, urls), []);
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
