// Who is signed in. The access token lives here, in memory, and nowhere else; what it is renewed by is in a cookie that no script reads.
import { arrival } from './arrival.js';
import { SignInFailed, ask, post } from './ask.js';
import { followLocal, speed } from './clock.js';
import * as issuer from './issuer.js';
import { store } from './store.js';

export { SignInFailed };

/**
 * @typedef {object} Config
 * @property {string} environment `production`, or `sandbox`
 * @property {string} sign_in `local` where the page picks clinic and role, `password` where the issuer lets in
 */
/**
 * @typedef {object} Session
 * @property {'starting' | 'unreachable' | 'asked' | 'out' | 'in'} state `asked`: whether to follow the link that led here
 * @property {Config | null} config
 * @property {string | null} token
 * @property {string | null} org
 * @property {string | null} user
 * @property {'owner' | 'admin' | 'staff' | 'viewer' | 'operator' | null} role
 * @property {boolean} isChoosing whether the person has come to choose a password
 * @property {string} notice why a link did not sign in
 */

/** @type {Session} */
const NOBODY = { state: 'starting', config: null, token: null, org: null, user: null, role: null, isChoosing: false, notice: '' };
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
    role: about.operator ? 'operator' : known.includes(about.role) ? about.role : null,
  };
  // A token that is renewed is the same person's.
  if (before.state !== 'in' || before.org !== next.org || before.user !== next.user || before.role !== next.role) count += 1;
  session.set({ ...before, ...next, state: 'in', token });
}

function leave() {
  const { config } = session.get();
  clearTimeout(timer);
  count += 1;
  session.set({ ...NOBODY, config, state: 'out' });
}

/** How long before it runs out a token is renewed, in milliseconds. */
const EARLY = 60_000;
/** How soon it is tried again where nobody answered. */
const AGAIN = 15_000;

let timer = 0;

/** @param {number} millis */
function renewIn(millis) {
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    refresh().catch(() => renewIn(AGAIN));
  }, millis);
}

/** Somebody whom the issuer let in. @param {import('./issuer.js').Granted} granted */
function enterFor({ access_token: token, expires_in_secs: secs }) {
  enter(token);
  const lasts = (secs * 1_000) / speed();
  renewIn(Math.max(lasts - EARLY, lasts / 2));
}

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
  // Whoever sent the link may have wanted another to sign in with it: nobody is signed in, or out, by having come.
  const link = arrival.get();
  if (config.sign_in !== 'local' && link && !link.sentence) session.set({ ...NOBODY, config, state: 'asked' });
  else await begin(config);
}

/** Goes on with the link that led here, or without it. @param {boolean} isWanted */
export async function answerLink(isWanted) {
  const { config } = session.get();
  if (!config) return;
  if (!isWanted) arrival.set(null);
  session.set({ ...NOBODY, config });
  await begin(config);
}

/** @param {Config} config */
async function begin(config) {
  try {
    if (config.sign_in === 'local') await followLocal();
    else if (await followLink()) return;
    const { notice } = session.get();
    if (!(await refresh())) session.set({ ...NOBODY, config, notice, state: 'out' });
  } catch {
    session.set({ ...NOBODY, config, state: 'unreachable' });
  }
}

/** Signs in by the link that led here, if one did. @returns {Promise<boolean>} whether somebody is in */
async function followLink() {
  const link = arrival.get();
  if (!link) return false;
  try {
    if (link.sentence) throw new SignInFailed(link.sentence, 401);
    enterFor(await issuer.byLink(link));
    if (link.type === 'invite' || link.type === 'recovery') session.set({ ...session.get(), isChoosing: true });
  } catch (error) {
    // One that nobody has looked at yet may still be good.
    if (!(error instanceof SignInFailed) || error.status === 0) throw error;
    session.set({ ...session.get(), notice: error.message });
    arrival.set(null);
    return false;
  }
  arrival.set(null);
  return true;
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

/**
 * Asks for another token of who is signed in, once however many ask. It fails where it cannot be known whether there is one.
 * @returns {Promise<boolean>} whether there is one
 */
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
  const { config } = session.get();
  if (config?.sign_in === 'local') return renewLocally();
  if (!issuer.isKept()) return false;
  const asked = count;
  const granted = await issuer.renewed();
  // Who signed out meanwhile stays out.
  if (!granted || asked !== count) return false;
  enterFor(granted);
  return true;
}

async function renewLocally() {
  const chosen = choice();
  if (!chosen) return false;
  const asked = count;
  try {
    const token = await localToken(chosen);
    if (asked !== count) return false;
    enter(token);
    return true;
  } catch {
    return false;
  }
}

/** Signs in by address and password. @param {string} email @param {string} password */
export async function signIn(email, password) {
  enterFor(await issuer.byPassword(email, password));
}

/** Has a link to sign in by sent. @param {string} email @returns {Promise<string>} what to expect */
export const askForLink = (email) => issuer.sendLink(email);

/** Gives who is signed in another password, and goes on. @param {string} password */
export async function choosePassword(password) {
  await issuer.setPassword(session.get().token ?? '', password);
  goOn();
}

/** What was to be said of a link has been said. */
export const noticed = () => session.set({ ...session.get(), notice: '' });

/** Goes on without choosing a password. */
export const goOn = () => session.set({ ...session.get(), isChoosing: false });

/** Forgets who was signed in, and has the issuer end the session. @returns {Promise<string>} what is still to be said; empty where all is done */
export async function signOut() {
  const { config, token } = session.get();
  leave();
  if (config?.sign_in !== 'local') return issuer.end(token ?? '');
  try {
    sessionStorage.removeItem(CHOICE);
  } catch {
    // Nothing was kept.
  }
  return '';
}

/** The token was refused and no other is to be had. */
export function expired() {
  issuer.forget();
  leave();
}

// Who signs out in one page has signed out in all of this browser.
issuer.onForgotten(() => {
  const { config, state } = session.get();
  if (config?.sign_in !== 'local' && state === 'in') leave();
});
