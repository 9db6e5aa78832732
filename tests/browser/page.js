// A browser on a stack: signed in, watched, and measured.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { DEMO, startStack, until } from './stack.js';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Where pictures of a run lie; git does not take them. */
export const PICTURES = join(here, 'pictures');
await mkdir(PICTURES, { recursive: true });

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--lang=en-GB', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'],
  });
}

/**
 * The stack and the browser of a file of tests, and what the stack is filled with; all gone after the last of them.
 * @template [T=undefined]
 * @param {Parameters<typeof startStack>[0]} [options]
 * @param {(stack: Awaited<ReturnType<typeof startStack>>, owner: string) => Promise<T>} [fill]
 */
export async function frame(options, fill) {
  const stack = await startStack(options);
  /** @type {import('playwright-core').Browser | undefined} */
  let browser;
  const stop = async () => {
    await browser?.close();
    await stack.stop();
  };
  try {
    browser = await launch();
    const owner = await stack.token('owner');
    const filled = await fill?.(stack, owner);
    after(stop);
    return { stack, browser, owner, filled: /** @type {T} */ (filled) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * A page, with what it should not do written down: errors in the console, and requests that leave the origin.
 * @param {import('playwright-core').Browser} browser
 * @param {{base: string}} stack
 * @param {{role?: string, org?: string, width?: number, scheme?: 'light' | 'dark'}} [options] without a role nobody is signed in
 */
export async function open(browser, stack, { role = '', org = DEMO, width = 1280, scheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'Pacific/Auckland' });
  if (role) {
    const choice = role === 'operator' ? { operator: true } : { org_id: org, role };
    await context.addInitScript((chosen) => sessionStorage.setItem('local-sign-in', JSON.stringify(chosen)), choice);
  }
  await context.addInitScript({ content: axeSource });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const close = context.close.bind(context);
  // An answer that a test stands in for may still be on its way: without this it fails after the test, and nobody knows what did.
  context.close = async (options) => {
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await close(options);
  };
  /** @type {string[]} */
  const complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(`error: ${error.stack ?? error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${stack.base}/`) && !url.startsWith('blob:') && !url.startsWith('data:')) complaints.push(`request: ${url}`);
  });
  return { page, context, complaints };
}

/** Goes to an address as a link in the page does, and waits until all is there. @param {import('playwright-core').Page} page @param {string} path */
export async function go(page, path) {
  await page.evaluate((to) => {
    history.pushState(null, '', to);
    dispatchEvent(new PopStateEvent('popstate'));
  }, path);
  await settle(page);
}

/** @param {import('playwright-core').Page} page */
export async function settle(page) {
  await page.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('.skeleton, .starting'), undefined, { timeout: 15_000 });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

/** All that axe knows of WCAG 2.2 AA, and of good practice. */
const EVERYTHING = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/**
 * What axe finds, a line each. In the dark only colours are other than in the light.
 * @param {import('playwright-core').Page} page
 * @param {{onlyColours?: boolean}} [options]
 * @returns {Promise<string[]>}
 */
export function axe(page, { onlyColours = false } = {}) {
  return page.evaluate(async (runOnly) => {
    // @ts-ignore: axe is put into the page
    const { violations } = await window.axe.run(document, {
      runOnly,
      resultTypes: ['violations'],
    });
    return violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target.join(' ')} (${node.failureSummary?.split('\n')[1]?.trim() ?? one.help})`));
  }, onlyColours ? { type: 'rule', values: ['color-contrast'] } : { type: 'tag', values: EVERYTHING });
}

/**
 * What is cut, what lies over something else, and whether the page is wider than the window. What may be cut says so, and has the
 * whole of it elsewhere (`data-may-cut`).
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>}
 */
export function measure(page) {
  return page.evaluate(() => {
    const found = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} px wide in a window of ${clientWidth}`);
    const dialog = document.querySelector('dialog[open]');
    const root = dialog ?? document.body;
    /** @type {{text: string, rects: DOMRect[], element: Element, layer: Element | null}[]} */
    const texts = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const element = node.parentElement;
      const text = node.textContent?.trim();
      if (!text || !element || element.closest('.unseen, .skip, noscript, script, option, datalist, .toasts, dialog:not([open])')) continue;
      if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      // What only a screen reader is told of.
      if (getComputedStyle(element.closest('thead') ?? element).clipPath !== 'none') continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const rects = [...range.getClientRects()].filter((rect) => rect.width > 1 && rect.height > 1);
      if (rects.length === 0) continue;
      texts.push({ text: text.slice(0, 40), rects, element, layer: element.closest('.cal-column, .cal-head, .top, .side, .dialog-head') });
    }
    for (const { text, rects, element } of texts) {
      if (element.closest('[data-may-cut]')) continue;
      for (let box = element; box && box !== document.documentElement; box = /** @type {any} */ (box.parentElement)) {
        const style = getComputedStyle(box);
        const clips = (/** @type {string} */ way) => ['hidden', 'clip'].includes(way);
        if (['auto', 'scroll'].includes(style.overflowX) || ['auto', 'scroll'].includes(style.overflowY)) break;
        if (!clips(style.overflowX) && !clips(style.overflowY)) continue;
        const around = box.getBoundingClientRect();
        if (rects.some((rect) => rect.left < around.left - 1 || rect.right > around.right + 1 || rect.top < around.top - 2 || rect.bottom > around.bottom + 2)) {
          found.push(`cut: “${text}” in ${box.className || box.tagName}`);
          break;
        }
      }
    }
    for (const button of root.querySelectorAll('button, a.button, .badge, select, input')) {
      if (button.checkVisibility() && !button.closest('[data-may-cut]') && button.tagName !== 'INPUT' && button.scrollWidth > button.clientWidth + 1) found.push(`cut: ${button.textContent?.trim().slice(0, 40)}`);
    }
    const pen = document.createElement('canvas').getContext('2d');
    for (const select of root.querySelectorAll('select')) {
      if (!pen || !select.checkVisibility()) continue;
      const style = getComputedStyle(select);
      pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
      const text = select.selectedOptions[0]?.text ?? '';
      const room = select.clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
      if (pen.measureText(text).width > room + 1) found.push(`cut: “${text}” in a choice`);
    }
    for (const [at, one] of texts.entries()) {
      for (const other of texts.slice(at + 1)) {
        // Columns of the diary scroll under their head; each is measured against itself.
        if (one.layer !== other.layer || one.element.contains(other.element) || other.element.contains(one.element)) continue;
        if (one.element.closest('.event') || other.element.closest('.event')) continue;
        const over = one.rects.some((rect) => other.rects.some((there) => Math.min(rect.right, there.right) - Math.max(rect.left, there.left) > 2 && Math.min(rect.bottom, there.bottom) - Math.max(rect.top, there.top) > 4));
        if (over) found.push(`overlap: “${one.text}” and “${other.text}”`);
      }
    }
    return [...new Set(found)];
  });
}

/** @param {import('playwright-core').Page} page @param {string} name */
export const picture = (page, name) => page.screenshot({ path: join(PICTURES, `${name.replaceAll(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '')}.png`), fullPage: true });

/** Nothing is cut or lies over something else, and axe finds nothing. @param {import('playwright-core').Page} page */
export async function whole(page) {
  assert.deepEqual([await measure(page), await axe(page)], [[], []]);
}

/** What the API says where it fails. @param {number} status @param {{code?: string, detail?: string, request_id?: string}} [said] */
export const problem = (status, said = {}) => ({
  status,
  contentType: 'application/problem+json',
  body: JSON.stringify({ code: `http_${status}`, detail: `It is refused with ${status}.`, status, ...said }),
});

const LOOKS = /** @type {const} */ ([
  ['light', 1280],
  ['light', 320],
  ['dark', 320],
  ['dark', 1280],
]);

/** What is not as it should be in any light and width; in the dark only colours are other. @param {import('playwright-core').Page} page @param {string} name */
export async function look(page, name) {
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

/**
 * Has every answer of the API take its time, so that what stands for it is seen first, and says which screens jump while they are
 * filled: by more than what the web's measure calls good (Cumulative Layout Shift).
 * @param {import('playwright-core').Page} page a new one
 * @param {string[]} urls
 * @param {number} [millis]
 */
export async function jumping(page, urls, millis = 150) {
  let asked = 0;
  let answered = 0;
  await page.route('**/api/**', async (route) => {
    asked += 1;
    await new Promise((done) => setTimeout(done, millis));
    await route.continue();
  });
  for (const end of /** @type {const} */ (['requestfinished', 'requestfailed'])) page.on(end, (request) => (answered += new URL(request.url()).pathname.startsWith('/api/') ? 1 : 0));
  await page.addInitScript(() => {
    /** @type {any[]} */
    const jumps = [];
    const take = (/** @type {any[]} */ entries) => {
      for (const entry of entries) jumps.push({ value: entry.value, what: entry.sources.map((source) => source.node?.className || source.node?.nodeName).slice(0, 3) });
    };
    const observer = new PerformanceObserver((list) => take(list.getEntries()));
    observer.observe({ type: 'layout-shift', buffered: true });
    // What was seen and not yet told, too.
    /** @type {any} */ (window).jumped = () => take(observer.takeRecords()) ?? jumps;
  });
  const found = [];
  for (const url of urls) {
    await page.goto(url);
    await settle(page);
    await until(async () => answered >= asked, `${url} has all its answers`);
    await settle(page);
    const jumps = await page.evaluate(() => /** @type {any} */ (window).jumped());
    const sum = jumps.reduce((/** @type {number} */ total, /** @type {any} */ jump) => total + jump.value, 0);
    if (sum > 0.1) found.push(`${new URL(url).pathname}: ${sum.toFixed(3)} ${JSON.stringify(jumps.filter((/** @type {any} */ jump) => jump.value > 0.02))}`);
  }
  return found;
}
