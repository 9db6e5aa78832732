// Who is signed in. The access token lives here, in memory, and nowhere else.
import { followLocal, heard } from './clock.js';
import { store } from './store.js';

/**
 * @typedef {object} Config
 * @property {string} environment `production`, or `sandbox`
 * @property {string} sign_in `local` where the page picks clinic and role
 */
/**
 * @typedef {object} Session
 * @property {'starting' | 'unreachable' | 'out' | 'in'} state
 * @property {Config | null} config
 * @property {string | null} token
 * @property {string | null} org
 * @property {string | null} user
 * @property {'owner' | 'admin' | 'staff' | 'viewer' | 'operator' | null} role
 */

/** @type {Session} */
const NOBODY = { state: 'starting', config: null, token: null, org: null, user: null, role: null };
export const session = store(NOBODY);

const CHOICE = 'local-sign-in';

/** What a token says. It is read to know what to show: the API decides what may be done. @param {string} token */
function claims(token) {
  try {
    const body = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

let count = 0;

/** Which sign-in this is: another whenever another person, clinic or role follows. What was asked in one is nothing to the next. */
export const generation = () => count;

/** @param {string} token */
function enter(token) {
  const said = claims(token);
  const about = said.app_metadata ?? {};
  const known = ['owner', 'admin', 'staff', 'viewer'];
  const before = session.get();
  const next = {
    org: about.org_id ?? null,
    user: said.email ?? said.sub ?? null,
    role: about.operator ? 'operator' : known.includes(about.role) ? about.role : 'viewer',
  };
  // A token that is renewed is the same person's.
  if (before.state !== 'in' || before.org !== next.org || before.user !== next.user || before.role !== next.role) count += 1;
  session.set({ ...before, ...next, state: 'in', token });
}

function leave() {
  const { config } = session.get();
  count += 1;
  session.set({ ...NOBODY, config, state: 'out' });
}

export class SignInFailed extends Error {}

/** @param {string} path @param {RequestInit} [init] */
async function ask(path, init) {
  let answer;
  try {
    answer = await fetch(path, { credentials: 'same-origin', ...init });
  } catch {
    throw new SignInFailed('The server cannot be reached. Check the connection and try again.');
  }
  heard(answer.headers.get('date'));
  const text = await answer.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null;
  }
  return { ok: answer.ok && body !== null, status: answer.status, body: body ?? {} };
}

/** @param {unknown} body */
const post = (body) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body ?? {}),
});

/** Finds out where we are, and whether somebody is signed in already. */
export async function start() {
  session.set(NOBODY);
  let config;
  try {
    const asked = await ask('/api/session/config');
    if (!asked.ok) throw new SignInFailed('The server did not say how to sign in.');
    config = /** @type {Config} */ (asked.body);
  } catch {
    session.set({ ...NOBODY, state: 'unreachable' });
    return;
  }
  session.set({ ...NOBODY, config });
  if (config.sign_in === 'local') await followLocal();
  if (!(await refresh())) session.set({ ...NOBODY, config, state: 'out' });
}

/** @typedef {{org_id?: string, role?: string, operator?: boolean}} Choice */

/** @returns {Choice | null} */
function choice() {
  try {
    return JSON.parse(sessionStorage.getItem(CHOICE) ?? 'null');
  } catch {
    return null;
  }
}

/** @param {Choice} chosen @returns {Promise<string>} */
async function localToken(chosen) {
  const answer = await ask('/_sandbox/token', post(chosen));
  if (!answer.ok || !answer.body.token) {
    throw new SignInFailed(answer.body.detail ?? 'The sandbox gave no token. Check the clinic and try again.');
  }
  return answer.body.token;
}

/** Signs in on the local stack, as whoever is chosen. @param {Choice} chosen */
export async function signInLocally(chosen) {
  const token = await localToken(chosen);
  try {
    sessionStorage.setItem(CHOICE, JSON.stringify(chosen));
  } catch {
    // A reload asks again.
  }
  enter(token);
}

/** The clinics that the local stack has, as far as it says so. @returns {Promise<{org_id: string, name: string | null}[]>} */
export async function localClinics() {
  const answer = await ask('/_sandbox/clinics');
  return answer.ok && Array.isArray(answer.body.clinics) ? answer.body.clinics : [];
}

/** @type {{of: number, done: Promise<boolean>} | null} */
let refreshing = null;

/** Asks for another token of who is signed in, once however many ask. */
export function refresh() {
  if (refreshing?.of !== count) {
    const mine = {
      of: count,
      done: renew().finally(() => {
        if (refreshing === mine) refreshing = null;
      }),
    };
    refreshing = mine;
  }
  return refreshing.done;
}

async function renew() {
  const chosen = session.get().config?.sign_in === 'local' ? choice() : null;
  if (!chosen) return false;
  const asked = count;
  try {
    const token = await localToken(chosen);
    // Who signed out meanwhile stays out.
    if (asked !== count) return false;
    enter(token);
    return true;
  } catch {
    return false;
  }
}

/** Forgets who was signed in. */
export function signOut() {
  try {
    sessionStorage.removeItem(CHOICE);
  } catch {
    // Nothing was kept.
  }
  leave();
}

/** The token was refused and no other is to be had. */
export const expired = leave;
