// Idempotency keys. A repeat of what may have been done already bears the same key, also after its dialog was closed and opened
// again, or the page loaded anew: it happens once.

const KEPT = 'unanswered';
/** As long as the API knows a repeat by its body alone. */
const TEN_MINUTES = 10 * 60_000;
/** Answers by which nothing was done, nor will be: what is sent after them is another attempt. No other refusal decides that. */
const DECIDED = [400, 404, 409, 422];

/** What was sent and not decided on: a hash of it, its key, and until when it is kept. @type {Map<string, {key: string, until: number}>} */
const open = new Map();

try {
  for (const [hash, key, until] of JSON.parse(sessionStorage.getItem(KEPT) ?? '[]')) open.set(String(hash), { key: String(key), until: Number(until) });
} catch {
  // Nothing was kept, or nothing that can be read.
}

function keep() {
  try {
    if (open.size === 0) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, JSON.stringify([...open].map(([hash, { key, until }]) => [hash, key, until])));
  } catch {
    // Then a page that is loaded anew knows of nothing.
  }
}

/** Who is named in a request is not kept: only a hash of it. @param {unknown} wanted */
async function hashOf(wanted) {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(wanted)));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * The key of a request of a clinic: the same until `decided` says how it went, for ten minutes from the last attempt.
 * @param {string | null} org
 * @param {string} path
 * @param {unknown} body
 */
export async function keyOf(org, path, body) {
  const hash = await hashOf([org, path, body ?? null]);
  const now = Date.now();
  for (const [other, { until }] of [...open]) if (until <= now) open.delete(other);
  const key = open.get(hash)?.key ?? crypto.randomUUID();
  open.set(hash, { key, until: now + TEN_MINUTES });
  keep();
  return {
    key,
    /** What the server answered: nothing (0), a success, or a refusal. @param {number} status */
    decided(status) {
      if ((status < 200 || status > 299) && !DECIDED.includes(status)) return;
      if (open.get(hash)?.key !== key) return;
      open.delete(hash);
      keep();
    },
  };
}
