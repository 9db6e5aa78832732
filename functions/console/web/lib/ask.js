// Questions that are asked before anybody has signed in.
import { heard } from './clock.js';

/** Signing in did not work; the message is for the person. */
export class SignInFailed extends Error {
  /** @param {string} sentence @param {number} [status] of the answer; 0 where none came */
  constructor(sentence, status = 0) {
    super(sentence);
    this.status = status;
  }
}

/** @param {string} path @param {RequestInit} [init] */
export async function ask(path, init) {
  let answer;
  let text;
  try {
    answer = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...init });
    text = await answer.text();
  } catch {
    throw new SignInFailed('The server cannot be reached. Check the connection and try again.');
  }
  heard(answer.headers.get('date'));
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null;
  }
  return { ok: answer.ok && body !== null, status: answer.status, body: body ?? {} };
}

/** @param {unknown} body @param {string} [token] */
export const post = (body, token = '') => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
  body: JSON.stringify(body ?? {}),
});
