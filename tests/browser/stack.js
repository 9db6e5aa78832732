// The local stack for a test: its own data folder, its own port, gone afterwards.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The clinic that the stack begins with, and the number that leads to it. */
export const DEMO = 'de300000-0000-4000-8000-000000000001';
export const NUMBER = '+442071838750';
/** A name as long as one may be, in words and in one. */
export const LONG_NAME = `${'Wilhelmina Featherstonehaugh-Cholmondeley van der Westhuizen'.padEnd(72, ' Ada')}Lovelace`.slice(0, 80);
export const LONG_WORD = 'Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft'.slice(0, 80);

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');

/** A port that nobody has; and the one after it, for a stack behind something else. */
async function freePort() {
  const server = createServer();
  await new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  await new Promise((closed) => server.close(closed));
  return port;
}

const pause = (/** @type {number} */ millis) => new Promise((done) => setTimeout(done, millis));

/** Asks again until it is so. @template T @param {() => Promise<T | false | null | undefined>} ask @param {string} what @param {number} [within] */
export async function until(ask, what, within = 20_000) {
  const end = Date.now() + within;
  while (Date.now() < end) {
    const found = await ask();
    if (found) return found;
    await pause(100);
  }
  throw new Error(`It did not come about within ${within} ms: ${what}`);
}

/**
 * With a month of the clinic's life, or with the clinic alone; signed in to by choosing, or by an account of the issuer's sandbox.
 * @param {{speed?: number, month?: boolean, signIn?: 'local' | 'password'}} [options]
 */
export async function startStack({ speed = 1, month = false, signIn = 'local' } = {}) {
  const binary = process.env.VOXANNE ?? join(root, 'target/debug/voxanne');
  const folder = await mkdtemp(join(tmpdir(), 'voxanne-browser-'));
  const port = await freePort();
  const flags = ['--port', String(port), '--data-dir', join(folder, 'data'), '--speed', String(speed), '--sign-in', signIn];
  const child = spawn(binary, [...flags, ...(month ? [] : ['--empty'])], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (text) => (said += text));
  child.stderr.on('data', (text) => (said += text));
  const base = `http://127.0.0.1:${port}`;
  const stack = {
    base,
    speed,
    log: () => said,
    /** A token for a role; `operator` belongs to no clinic. @param {string} role @param {string} [org] */
    async token(role, org = DEMO) {
      const answer = await stack.post('/_sandbox/token', role === 'operator' ? { operator: true } : { org_id: org, role });
      return answer.token;
    },
    /** @param {string} path @param {unknown} body @param {string} [token] */
    post: (path, body, token) => stack.ask('POST', path, body, token),
    /** @param {string} method @param {string} path @param {unknown} [body] @param {string} [token] */
    async ask(method, path, body, token) {
      const answer = await fetch(base + path, {
        method,
        headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text ? JSON.parse(text) : null;
    },
    /** Asks the tables themselves, by the folder's own key. @param {string} operation @param {unknown} body */
    async tables(operation, body) {
      const { folder: key } = JSON.parse(await readFile(join(folder, 'data/keys.json'), 'utf8'));
      const answer = await fetch(`${base}/_aws/`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}`, 'x-sandbox-key': key },
        body: JSON.stringify(body),
      });
      const said = await answer.json();
      if (!answer.ok) throw new Error(`${operation}: ${JSON.stringify(said)}`);
      return said;
    },
    /** @param {unknown} call */
    ring: (call) => stack.post('/_sandbox/vapi/calls', call),
    /** Pays into a clinic's wallet, by the page that a person would pay at. @param {number} pence @param {string} token */
    async pay(pence, token) {
      const before = await stack.ask('GET', '/api/billing/wallet', undefined, token);
      const { url } = await stack.post('/api/billing/wallet/topup', { amount_pence: pence }, token);
      await fetch(url, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'act=pay' });
      await until(async () => (await stack.ask('GET', '/api/billing/wallet', undefined, token)).balance_pence >= before.balance_pence + pence, 'the money is there');
    },
    async stop() {
      child.kill('SIGTERM');
      await Promise.race([new Promise((gone) => child.once('exit', gone)), pause(5_000)]);
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`The stack ended at once:\n${said}`);
      try {
        return (await fetch(`${base}/_sandbox`)).ok;
      } catch {
        return false;
      }
    }, 'the stack answers', 30_000);
  } catch (error) {
    await stack.stop();
    throw error;
  }
  return stack;
}

/** The next weekday after today, some days on. @param {number} after */
export function weekday(after) {
  const day = new Date(Date.now() + after * 86_400_000);
  while ([0, 6].includes(day.getUTCDay())) day.setUTCDate(day.getUTCDate() + 1);
  return day.toISOString().slice(0, 10);
}

/**
 * A clinic with something to see: money, both numbers, calls of several kinds, messages, a full day, and names of 80 characters.
 * @param {Awaited<ReturnType<typeof startStack>>} stack
 */
export async function fill(stack) {
  const owner = await stack.token('owner');
  await stack.pay(100_000, owner);
  await stack.post('/api/managed-telephony/provision', { country: 'US', direction: 'outbound' }, owner);
  const isQuiet = async () => (await stack.ask('GET', '/api/calls-dashboard/live', undefined, owner)).calls.length === 0;
  // In two goes: a clinic has only so many calls at a time.
  const ring = async (/** @type {any[]} */ calls) => {
    await Promise.all(calls.map((call) => stack.ring({ to: NUMBER, ...call })));
    await until(async () => !(await isQuiet()), 'somebody rings');
    await until(isQuiet, 'every call is over', 60_000);
  };
  await ring([
    {
      from: '+447700900123',
      talk_seconds: 40,
      says: [
        { says: 'A check-up next Tuesday afternoon?', tool: 'checkAvailability', arguments: { service: 'check-up', when: 'next Tuesday afternoon' } },
        { says: `The second one. I am ${LONG_NAME}.`, tool: 'bookClinicAppointment', arguments: { option: 'B', patient_name: LONG_NAME, email: 'ada@example.com' } },
      ],
    },
    { from: '+447700900456', talk_seconds: 30, says: [{ says: 'I will be late.', tool: 'takeMessage', arguments: { text: `Will be ten minutes late; ${LONG_WORD} is my name.`, urgency: 'normal' } }] },
    { from: '+447700900789', talk_seconds: 25, says: [{ says: 'I cannot breathe.', tool: 'reportEmergency', arguments: { what: 'Swollen face, cannot breathe well' } }] },
  ]);
  await ring([1, 15, 61, 91].map((talk_seconds, at) => ({ from: `+4477009009${10 + at}`, talk_seconds })));
  const day = weekday(1);
  const book = (/** @type {string} */ time, /** @type {string} */ name, more = {}) =>
    stack.post('/api/appointments', { service_id: 'demo-check-up', scheduled_at: `${day}T${time}:00Z`, contact: { name, phone: '+447700900222', email: 'somebody@example.com' }, ...more }, owner);
  await book('10:00', LONG_WORD, { notes: 'Prefers the morning.' });
  await book('10:00', 'Grace Hopper');
  await book('10:15', 'Edsger Dijkstra', { overbook: 'He cannot come at another time.' });
  const last = await book('15:00', 'Katherine Johnson');
  const contact = await stack.post('/api/contacts', { contact_name: LONG_NAME, phone_number: '+447700900124', email: 'a.very.long.address.of.a.patient@a-very-long-domain-name.example.com' }, owner);

  const calls = await until(async () => {
    const { calls: listed } = await stack.ask('GET', '/api/calls-dashboard?limit=100', undefined, owner);
    return listed.length >= 7 && listed.every((call) => call.status !== 'in-progress') && listed;
  }, 'every call is billed', 60_000);
  const call = calls.find((one) => one.phone_number === '+447700900123');
  return { owner, day, appointment: last.id, contact: contact.id, call: call.id };
}
