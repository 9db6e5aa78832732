// A browser on a stack: signed in, watched, and measured.
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { DEMO } from './stack.js';

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
