// The JSON routes: one way to ask, one kind of failure, and what was read last kept for the next look.
import { useCallback, useEffect, useRef, useState } from './html.js';
import { heard, speed } from './clock.js';
import { keyOf } from './keys.js';
import { expired, generation, refresh, session } from './session.js';

/** Something that did not work, with the sentence to show. */
export class Failure extends Error {
  /**
   * @param {string} detail
   * @param {{status?: number, code?: string, requestId?: string | null, more?: any, retryAfter?: number | null}} [about]
   */
  constructor(detail, about = {}) {
    super(detail);
    this.status = about.status ?? 0;
    this.code = about.code ?? 'unreachable';
    this.requestId = about.requestId ?? null;
    this.more = about.more ?? {};
    this.retryAfter = about.retryAfter ?? null;
  }
}

/** @param {unknown} thrown */
export const failureOf = (thrown) =>
  thrown instanceof Failure ? thrown : new Failure('Something on this page went wrong. Load it again.', { code: 'page' });

const UNREACHABLE = 'The server cannot be reached. Check the connection and try again.';

/**
 * @typedef {object} Options
 * @property {unknown} [body]
 * @property {string} [key] an idempotency key
 * @property {AbortSignal} [signal]
 * @property {'json' | 'text'} [as]
 * @property {RequestCredentials} [credentials]
 * @property {number} [asker] in which sign-in it is asked; this one, if it is not said
 */

/** @param {string} method @param {string} path @param {Options} options */
async function once(method, path, options) {
  /** @type {Record<string, string>} */
  const headers = { accept: 'application/json' };
  const { token } = session.get();
  if (token) headers.authorization = `Bearer ${token}`;
  if (options.body !== undefined) headers['content-type'] = 'application/json';
  if (options.key) headers['idempotency-key'] = options.key;
  try {
    return await fetch(path, {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
      credentials: options.credentials ?? 'same-origin',
      cache: 'no-store',
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Failure(UNREACHABLE);
  }
}

/** Whether there is another token. Where nobody knows, the person stays: what is typed is not lost to a broken line. */
async function isRenewed() {
  try {
    return await refresh();
  } catch {
    throw new Failure(UNREACHABLE);
  }
}

const pause = (/** @type {number} */ millis) => new Promise((done) => setTimeout(done, millis));

/** What belongs to a sign-in that is over is dropped, whatever it is. @param {number} asker */
function isStill(asker) {
  if (asker !== generation()) throw new Failure('Somebody signed out meanwhile.', { code: 'left' });
}

/**
 * Asks, and answers with what came back. A token that has run out is renewed once; a question that only reads is asked again
 * where the server stumbled. Nothing is answered to another than who asked, nor asked again in another's name.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 */
export async function call(method, path, options = {}) {
  const asker = options.asker ?? generation();
  const ask = async () => {
    isStill(asker);
    const answer = await once(method, path, options);
    isStill(asker);
    return answer;
  };
  let answer = await ask();
  if (answer.status === 401 && (await isRenewed())) answer = await ask();
  for (let tries = 0; method === 'GET' && [502, 503, 504].includes(answer.status) && tries < 2; tries += 1) {
    await pause(400 * (tries + 1));
    answer = await ask();
  }
  heard(answer.headers.get('date'));
  const text = await answer.text().catch(() => {
    throw new Failure(UNREACHABLE);
  });
  isStill(asker);
  if (answer.ok && options.as === 'text') return { status: answer.status, data: text };
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    data = null;
  }
  if (answer.ok && data !== null) return { status: answer.status, data };
  if (answer.status === 401) expired();
  throw refusal(answer, data ?? {});
}

/** @param {Response} answer @param {any} said */
function refusal(answer, said) {
  return new Failure(said.detail ?? 'The server did not answer as it should. Try again in a moment.', {
    status: answer.status,
    code: said.code ?? `http_${answer.status}`,
    requestId: said.request_id ?? answer.headers.get('x-request-id'),
    more: said,
    retryAfter: Number(answer.headers.get('retry-after')) || null,
  });
}

/** @type {Map<string, any>} */
const kept = new Map();
/** @type {Set<(prefix: string) => void>} */
const watchers = new Set();

/** What was read from addresses that begin so is read again where it is shown, and forgotten elsewhere. @param {string[]} prefixes */
export function changed(...prefixes) {
  for (const prefix of prefixes) {
    for (const path of [...kept.keys()]) if (path.startsWith(prefix)) kept.delete(path);
    for (const watcher of [...watchers]) watcher(prefix);
  }
}

let keeper = generation();
// Nothing of one person is left for the next.
session.watch(() => {
  if (keeper === generation()) return;
  keeper = generation();
  kept.clear();
});

/** The most pages that are read of a list that is wanted whole. */
const MOST_PAGES = 10;

/** The address of a later page. @param {string} path @param {string} cursor */
function pageAt(path, cursor) {
  const [address, search] = path.split('?');
  const values = new URLSearchParams(search);
  values.set('cursor', cursor);
  return `${address}?${values}`;
}

/**
 * All pages of a list in one, or as many as have so much; `isCut` where there are more than are read.
 * @param {string} path @param {any} first @param {string} list @param {number} most @param {number} asker
 */
async function rest(path, first, list, most, asker) {
  const all = { ...first, [list]: [...first[list]] };
  for (let pages = 1; pages < MOST_PAGES && all.pagination.next_cursor && all[list].length < most; pages += 1) {
    const { data } = await call('GET', pageAt(path, all.pagination.next_cursor), { asker });
    all[list].push(...data[list]);
    all.pagination = data.pagination;
  }
  all.isCut = Boolean(all.pagination.next_cursor);
  return all;
}

/** Reads an address, and keeps what it answers. @param {string} path @param {{whole?: string, most?: number}} how @returns {Promise<{data: any, failure: Failure | null}>} */
async function read(path, { whole, most = Infinity }) {
  const asker = generation();
  try {
    let { data } = await call('GET', path, { asker });
    if (whole) data = await rest(path, data, whole, most, asker);
    kept.set(path, data);
    return { data, failure: null };
  } catch (error) {
    return { data: null, failure: failureOf(error) };
  }
}

/**
 * Has an address read now, when it is touched, and again and again while the page is looked at, until it is stopped.
 * @param {string} path
 * @param {() => Promise<void>} load
 * @param {() => number | null} every in milliseconds; 0 for not again until the page is come back to, null for not at all
 */
function follow(path, load, every) {
  let timer = 0;
  let isOver = false;
  const wait = () => {
    const millis = isOver ? 0 : every();
    // Where the local stack's time runs faster, so does what is looked at.
    if (millis) timer = window.setTimeout(again, Math.max(1_000, millis / speed()));
  };
  const again = async () => {
    if (!document.hidden) await load();
    wait();
  };
  const woken = () => {
    if (document.hidden || every() === null) return;
    window.clearTimeout(timer);
    again();
  };
  const touched = (/** @type {string} */ prefix) => {
    if (path.startsWith(prefix)) load();
  };
  load().then(wait);
  watchers.add(touched);
  document.addEventListener('visibilitychange', woken);
  return () => {
    isOver = true;
    window.clearTimeout(timer);
    watchers.delete(touched);
    document.removeEventListener('visibilitychange', woken);
  };
}

/**
 * What a GET answers, kept up to date while it is shown. What was read before is shown at once and read again.
 * @param {string | null} path nothing is asked where it is null
 * @param {{every?: number | ((data: any) => number), whole?: string, most?: number}} [options] `every`: how often it is asked again,
 *   in milliseconds; not while hidden. `whole`: the list in the answer of which every page is read, or as many as have `most`
 * @returns {{data: any, failure: Failure | null, isLoading: boolean, reload: () => Promise<void>}}
 */
export function useGet(path, options = {}) {
  const [, redraw] = useState({});
  const state = useRef({
    path: /** @type {string | null | undefined} */ (undefined),
    data: /** @type {any} */ (null),
    failure: /** @type {Failure | null} */ (null),
    isLoading: false,
    turn: 0,
  });
  const how = useRef(options);
  how.current = options;
  const here = state.current;
  if (here.path !== path) Object.assign(here, { path, turn: here.turn + 1, data: path ? (kept.get(path) ?? null) : null, failure: null, isLoading: path !== null });

  const load = useCallback(async () => {
    if (!here.path) return;
    here.turn += 1;
    const { turn } = here;
    here.isLoading = true;
    redraw({});
    const { data, failure } = await read(here.path, how.current);
    if (here.turn !== turn) return;
    here.isLoading = false;
    here.failure = failure;
    // What is shown stays where only a look again failed.
    if (data !== null) here.data = data;
    redraw({});
  }, []);

  useEffect(() => {
    if (!path) return undefined;
    const every = () => (typeof how.current.every === 'function' ? how.current.every(here.data) : (how.current.every ?? null));
    const stop = follow(path, load, every);
    return () => {
      here.turn += 1;
      stop();
    };
  }, [path, load]);

  return { data: here.data, failure: here.failure, isLoading: here.isLoading, reload: load };
}

/**
 * Pages of a list that go on by cursor, one under the other.
 * @param {string | null} path
 * @param {string} list the name of the list in the answer
 */
export function usePages(path, list) {
  const first = useGet(path);
  const [more, setMore] = useState({ path, items: /** @type {any[]} */ ([]), cursor: /** @type {string | null | undefined} */ (undefined) });
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const rest = more.path === path ? more : { path, items: [], cursor: undefined };
  const cursor = rest.cursor === undefined ? first.data?.pagination?.next_cursor : rest.cursor;
  const next = async () => {
    if (!path || !cursor || isBusy) return;
    setBusy(true);
    setFailure(null);
    try {
      const { data } = await call('GET', pageAt(path, cursor));
      setMore({ path, items: [...rest.items, ...data[list]], cursor: data.pagination.next_cursor });
    } catch (error) {
      setFailure(failureOf(error));
    }
    setBusy(false);
  };
  const reload = async () => {
    setMore({ path, items: [], cursor: undefined });
    await first.reload();
  };
  const seen = new Set();
  const items = [...(first.data?.[list] ?? []), ...rest.items].filter((item) => {
    const key = item.id ?? item.seq;
    if (key === undefined) return true;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
  return {
    items: first.data ? items : null,
    failure: first.failure,
    moreFailure: failure,
    hasMore: Boolean(cursor),
    isBusy,
    next,
    reload,
  };
}

/**
 * @typedef {(method: string, path: string, body?: any, how?: {idIsKey?: boolean}) => Promise<{status: number, data: any}>} Send
 *   `idIsKey`: the body's `id` is the idempotency key, where the API knows a repeat by it
 */

/**
 * Something that is done on request. A repeat of what may have been done already sends the same idempotency key, so that it happens once.
 * @template {any[]} A
 * @template R
 * @param {(send: Send, ...given: A) => Promise<R>} act
 */
export function useAction(act) {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const isAlive = useRef(true);
  const current = useRef(act);
  current.current = act;
  useEffect(() => {
    isAlive.current = true;
    return () => {
      isAlive.current = false;
    };
  }, []);
  const run = useCallback(async (/** @type {A} */ ...given) => {
    setBusy(true);
    setFailure(null);
    try {
      const done = await current.current(sender(generation()), ...given);
      if (isAlive.current) setBusy(false);
      return { ok: /** @type {const} */ (true), value: done };
    } catch (error) {
      const failed = failureOf(error);
      if (failed.code === 'page') console.error(error);
      if (isAlive.current) {
        setFailure(failed);
        setBusy(false);
      }
      return { ok: /** @type {const} */ (false), failure: failed };
    }
  }, []);
  return { run, isBusy, failure, clear: () => setFailure(null) };
}

/** Sends what one action is made of. @param {number} asker @returns {Send} */
function sender(asker) {
  return async (method, path, body, { idIsKey = false } = {}) => {
    if (method !== 'POST') return call(method, path, { body, asker });
    const { key, decided } = await keyOf(session.get().org, path, body);
    try {
      const answer = await call(method, path, { body: idIsKey ? { id: key, ...body } : body, key, asker });
      decided(answer.status);
      return answer;
    } catch (error) {
      const { status } = failureOf(error);
      // An answer that was cut off decides nothing, whatever its status was.
      if (status >= 400) decided(status);
      throw error;
    }
  };
}

/** A path with the values that are given. @param {string} path @param {Record<string, string | number | null | undefined>} values */
export function query(path, values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== '');
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
