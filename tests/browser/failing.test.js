// An API that fails: each screen says its sentence and the request's id, and is asked again in its place.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { axe, frame, measure, open, problem, settle, whole } from './page.js';
import { addresses } from './places.js';
import { fill, until } from './stack.js';

const { stack, browser, filled: there } = await frame({ speed: 20 }, fill);

/** What a screen is nothing without: who is signed in, and in which zone the clinic's times are. */
const NEEDED = /^\/api\/(session\/.*|clinic)$/;

/** @type {Record<string, string[]>} */
const places = {
  owner: addresses(there).filter(([, roles]) => roles.includes('owner')).map(([path]) => path),
  // What staff see otherwise.
  staff: ['/today', `/calls/${there.call}`],
  operator: addresses(there).filter(([, roles]) => roles.includes('operator')).map(([path]) => path),
};

for (const [role, paths] of Object.entries(places)) {
  describe(role, () => {
    for (const path of paths) {
      test(`${path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '…')} fails, and is asked again`, async () => {
        const { page, complaints, context } = await open(browser, stack, { role, width: 320 });
        let isFailing = true;
        const [failed, answered] = [new Set(), new Set()];
        await page.route('**/api/**', (route) => {
          const { pathname } = new URL(route.request().url());
          if (NEEDED.test(pathname)) return route.continue();
          (isFailing ? failed : answered).add(pathname);
          return isFailing ? route.fulfill(problem(500, { code: 'internal', detail: 'Something went wrong on our side.', request_id: `request-${'7'.repeat(28)}` })) : route.continue();
        });
        await page.goto(stack.base + path);
        await settle(page);
        // How much nobody has read is asked again by itself.
        failed.delete('/api/notifications/unread');
        const alerts = page.locator('main [role=alert]');
        if (failed.size > 0) await alerts.first().waitFor();
        const said = await alerts.evaluateAll((all) => all.map((one) => ({ text: one.textContent ?? '', again: one.querySelectorAll('button:not(.copy)').length })));
        for (const { text, again } of said) assert.ok(text.includes('Something went wrong on our side.') && text.includes('request-777') && again === 1, text);
        const found = [...(await measure(page)), ...(await axe(page))];

        isFailing = false;
        const again = page.locator('main').getByRole('button', { name: 'Try again' });
        await until(async () => {
          if (await again.count()) await again.first().click({ timeout: 1_000 }).catch(() => {});
          return (await alerts.count()) === 0;
        }, 'nothing is left that failed');
        await settle(page);
        assert.deepEqual([...failed].filter((pathname) => !answered.has(pathname)), [], 'all that failed is asked again');
        assert.doesNotMatch(await page.locator('main').innerText(), /\b(undefined|null|NaN)\b/);
        // The browser writes each refusal into the console.
        assert.deepEqual([...found, ...complaints.filter((line) => !line.includes('500'))], []);
        await context.close();
      });
    }
  });
}

test('a clinic that cannot be read is asked for again, and then the screen is there', async () => {
  const { page, context } = await open(browser, stack, { role: 'staff', width: 320 });
  let isFailing = true;
  await page.route('**/api/clinic', (route) => (isFailing ? route.fulfill(problem(500, { detail: 'Something went wrong on our side.', request_id: 'request-8' })) : route.continue()));
  await page.goto(`${stack.base}/today`);
  await page.getByText('request-8').waitFor();
  await whole(page);
  isFailing = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'Today', exact: true }).waitFor();
  await context.close();
});
