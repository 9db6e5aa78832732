// The console by the keyboard alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame, open, settle } from './page.js';

const { stack, browser } = await frame();

/** What has the focus, and whether one sees that it has. @param {import('playwright-core').Page} page */
const focused = (page) =>
  page.evaluate(() => {
    const element = /** @type {HTMLElement} */ (document.activeElement);
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return {
      name: element.getAttribute('aria-label') || (element.labels?.[0]?.textContent ?? element.textContent ?? '').trim().slice(0, 60),
      tag: element.tagName,
      isSeen: style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2,
      isInside: box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight,
    };
  });

/** Presses Tab until this has the focus. @param {import('playwright-core').Page} page @param {(at: Awaited<ReturnType<typeof focused>>) => boolean} is @param {string} what */
async function tabTo(page, is, what) {
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press('Tab');
    const at = await focused(page);
    if (at.tag === 'BODY') continue;
    assert.ok(at.isSeen, `one sees where the focus is: ${JSON.stringify(at)}`);
    assert.ok(at.isInside, `what has the focus is in the window: ${JSON.stringify(at)}`);
    if (is(at)) return at;
  }
  throw new Error(`Tab did not lead to ${what}`);
}

for (const width of [1280, 320]) {
  test(`signs in, goes about and books without a mouse at ${width} px`, async () => {
    const { page, complaints, context } = await open(browser, stack, { width });
    await page.goto(stack.base);
    await page.getByRole('heading', { name: 'Sign in to Voxanne' }).waitFor();
    await tabTo(page, (at) => at.tag === 'SELECT', 'the role');
    await tabTo(page, (at) => at.name === 'Sign in', 'the button');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Today', exact: true }).waitFor();
    await settle(page);

    // The first thing is the way past the menu.
    await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
    const first = await tabTo(page, () => true, 'the first thing');
    assert.equal(first.name, 'To the content');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');

    // To the calendar by the menu; on the new page the focus is on its heading.
    await page.evaluate(() => scrollTo(0, 0));
    if (width < 900) {
      await page.getByRole('button', { name: 'Menu' }).focus();
      await page.keyboard.press('Enter');
    } else await page.getByRole('link', { name: 'To the content' }).focus();
    await tabTo(page, (at) => at.tag === 'A' && at.name === 'Calendar', 'the calendar');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.tagName === 'H1' && document.activeElement.textContent === 'Calendar');
    await settle(page);

    // A dialog holds the focus, Escape closes it, and the focus is where it was.
    await tabTo(page, (at) => at.name === 'Book', 'booking');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.getByLabel('Service').waitFor();
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press('Tab');
      assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest('dialog') !== null), 'the focus stays in the dialog');
    }
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.equal((await focused(page)).name, 'Book');
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

test('every target is large enough, and the order of the headings has no gap', async () => {
  const { page, context } = await open(browser, stack, { role: 'owner' });
  for (const path of ['/today', '/calls', '/calendar?view=week', '/wallet', '/agents', '/numbers', '/clinic', '/start']) {
    await page.goto(stack.base + path);
    await settle(page);
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('button, select, input, a.button, nav a')]
        .filter((element) => element.checkVisibility() && !element.closest('.unseen'))
        .map((element) => ({ name: element.getAttribute('aria-label') || element.textContent?.trim().slice(0, 30), type: element.getAttribute('type'), box: element.getBoundingClientRect() }))
        .filter(({ type, box }) => type !== 'checkbox' && (box.width < 24 || box.height < 24))
        .map(({ name }) => name),
    );
    assert.deepEqual(small, [], path);
    const levels = await page.evaluate(() => [...document.querySelectorAll('main h1, main h2, main h3')].map((heading) => Number(heading.tagName[1])));
    assert.equal(levels[0], 1, path);
    for (const [at, level] of levels.entries()) assert.ok(at === 0 || level <= levels[at - 1] + 1, `${path}: ${levels}`);
  }
  await context.close();
});
