// Every route of the API is asked by a screen, or stands here with the reason why none asks it.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const root = resolve(here, '../..');
const web = join(root, 'functions/console/web');

/** What no screen asks, and who does. @type {[RegExp, string][]} */
const ELSEWHERE = [
  [/^\w+ \/api\/session\//, 'signing in: lib/session.js asks it, and never with a token'],
  [/^GET \/api\/recordings\/{}$/, 'the recording itself: the page’s player opens the address that comes with a call'],
  [/^GET \/api\/google-oauth\/callback$/, 'Google leads the browser there, and it leads back to the console'],
  [/^GET \/api\/openapi\.json$/, 'whoever writes another dashboard'],
  [/^GET \/api\/calls-dashboard\/live$/, 'the dashboard that was there before: /api/live says the same with the rest of Today'],
  [/^GET \/api\/phone-settings\/status$/, 'the dashboard that was there before: phone-status has the same numbers, and the purchases'],
  [/^GET \/api\/analytics\//, 'the dashboard that was there before: the console has no screen of figures yet'],
  [/^POST \/api\/vapi\/webhook$/, 'Vapi'],
  [/^POST \/api\/webhooks\/(stripe|google-calendar|twilio\/(statuses|texts))$/, 'Stripe, Google and Twilio'],
];

const document = JSON.parse(await readFile(join(root, 'docs/openapi.json'), 'utf8'));
const routes = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`));

/** An address as the document has it: what is filled in is `{}`, and there is no query. @param {string} address */
const plain = (address) => address.replaceAll(/\$\{[^{}]*\}/g, '{}').split('?')[0];

/** The methods that an address is asked by, from what stands before it; none where it is only named. @param {string} before @returns {string[]} */
function methodsOf(before) {
  const sent = /\b(?:send|call|ask)\(([^`;]*),\s*(?:query\()?$/.exec(before);
  if (sent) return [...sent[1].matchAll(/'([A-Z]+)'/g)].map(([, method]) => method);
  return /\b(?:useGet|usePages|query)\([^'`;]*$/.test(before) ? ['GET'] : [];
}

/** What a file asks. @param {string} source */
function askedIn(source) {
  let text = source.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  // An address that has a name of its own stands where it is used.
  for (const [, name, address] of text.matchAll(/^const ([A-Z]+) = '(\/api\/[^']+)';$/gm)) {
    text = text.replaceAll(`\${${name}}`, address).replaceAll(new RegExp(`\\b${name}\\b(?=[,)])`, 'g'), `'${address}'`);
  }
  return [...text.matchAll(/['`](\/api\/[^'`]*)['`]/g)].flatMap((match) => {
    const line = text.slice(text.lastIndexOf('\n', match.index) + 1, match.index);
    return methodsOf(line).map((method) => `${method} ${plain(match[1])}`);
  });
}

const files = (await readdir(web, { recursive: true })).filter((name) => name.endsWith('.js') && !name.startsWith('vendor'));
const sources = await Promise.all(files.map((name) => readFile(join(web, name), 'utf8')));
const asked = new Set(sources.flatMap(askedIn));
const isElsewhere = (/** @type {string} */ route) => ELSEWHERE.some(([pattern]) => pattern.test(route));

test('every route of the API is asked by a screen, or there is a reason why not', () => {
  assert.ok(routes.length > 50 && asked.size > 50, `${routes.length} routes, ${asked.size} asked`);
  assert.deepEqual(routes.filter((route) => !asked.has(route) && !isElsewhere(route)), []);
});

test('no reason is given for what a screen asks, or for what there is not', () => {
  assert.deepEqual(routes.filter((route) => asked.has(route) && isElsewhere(route) && !route.includes('/session/')), []);
  assert.deepEqual(ELSEWHERE.filter(([pattern, reason]) => !reason || !routes.some((route) => pattern.test(route))), []);
});

test('no screen asks what there is not', () => {
  assert.deepEqual([...asked].filter((route) => !routes.includes(route)), []);
});

test('a route that no screen asks any more would be found', () => {
  assert.deepEqual(askedIn("useGet(`/api/clinic/${id}?a=${b}`); send(isOn ? 'DELETE' : 'POST', '/api/x', {}); changed('/api/named');"), ['GET /api/clinic/{}', 'DELETE /api/x', 'POST /api/x']);
  assert.deepEqual(askedIn("const TEAM = '/api/team/members';\nsend('PATCH', `${TEAM}/${encodeURIComponent(id)}`); useGet(TEAM);\n// useGet('/api/old')"), ['PATCH /api/team/members/{}', 'GET /api/team/members']);
});
