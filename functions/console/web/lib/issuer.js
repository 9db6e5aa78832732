// What the issuer of tokens does for a person, asked of our own routes. The refresh token is in a cookie that this page never sees.
import { SignInFailed, ask, post } from './ask.js';

/**
 * @typedef {object} Granted
 * @property {string} access_token
 * @property {number} expires_in_secs
 */

/** What says that there is a cookie to ask by: nothing of whose. */
const KEPT = 'signed-in';

/** Whether somebody may be signed in here. */
export function isKept() {
  try {
    return localStorage.getItem(KEPT) !== null;
  } catch {
    // Nobody can know: it is asked.
    return true;
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, '1');
  } catch {
    // It is asked each time.
  }
}

/** Notes that nobody is signed in here. */
export function forget() {
  try {
    localStorage.removeItem(KEPT);
  } catch {
    // Nothing was noted.
  }
}

/** Calls back when another page of this browser notes that nobody is signed in. @param {() => void} act */
export function onForgotten(act) {
  addEventListener('storage', (event) => {
    if ((event.key === KEPT || event.key === null) && !isKept()) act();
  });
}

/** @param {string} route @param {unknown} body @param {string} [token] */
async function asked(route, body, token = '') {
  const answer = await ask(`/api/session/${route}`, post(body, token));
  if (answer.ok) return answer.body;
  throw new SignInFailed(answer.body.detail ?? sentenceFor(answer.status), answer.status);
}

/** What is said where the answer itself says nothing, as the gateway's does. @param {number} status */
function sentenceFor(status) {
  if (status === 429) return 'That was tried too often in a short time. Wait a minute, and try again.';
  return 'The sign-in service does not answer at the moment. Try again in a minute.';
}

/** @param {string} route @param {unknown} body @returns {Promise<Granted>} */
async function granted(route, body) {
  const given = await asked(route, body);
  keep();
  return given;
}

/** @param {string} email @param {string} password */
export const byPassword = (email, password) => granted('password', { email, password });

/** @param {import('./arrival.js').Link} link */
export const byLink = ({ token_hash: hash, type, refresh_token: token }) => granted('verify', hash ? { token_hash: hash, type } : { refresh_token: token });

/** @param {string} email @returns {Promise<string>} what to expect */
export const sendLink = async (email) => (await asked('magic-link', { email })).detail;

/** @param {string} token @param {string} password */
export const setPassword = (token, password) => asked('set-password', { password }, token);

/** Another token, by the cookie; null where the session has ended. @returns {Promise<Granted | null>} */
export async function renewed() {
  try {
    return await granted('refresh', {});
  } catch (error) {
    if (!(error instanceof SignInFailed) || error.status !== 401) throw error;
    forget();
    return null;
  }
}

/** Ends the session. @param {string} token @returns {Promise<string>} what is still to be said; empty where all is done */
export async function end(token) {
  forget();
  try {
    const { revoked } = await asked('sign-out', {}, token);
    return revoked ? '' : 'You are signed out of this browser. The sign-in service did not answer, so that the session may still be open there.';
  } catch {
    return 'The server was not reached, so that this browser may still be signed in. On a computer that others use, sign in and out again.';
  }
}
