// The link in a letter that led here. What it has in the address is taken out of the bar and the history before anything else is done:
// whoever looks over a shoulder, or goes back, finds nothing.

/**
 * @typedef {object} Link
 * @property {string} [token_hash] what the link is known by
 * @property {string} [refresh_token] what the issuer's own page leaves in its place
 * @property {string} type what the link was sent for
 * @property {string} [sentence] why it is of no use
 */

const TYPES = ['magiclink', 'invite', 'recovery', 'email'];

/** @returns {Link | null} */
function taken() {
  const query = new URLSearchParams(location.search);
  const fragment = new URLSearchParams(location.hash.slice(1));
  const hash = query.get('token_hash');
  const isIssuers = ['access_token', 'refresh_token', 'error_code'].some((name) => fragment.has(name));
  if (!hash && !isIssuers) return null;
  for (const name of ['token_hash', 'type']) query.delete(name);
  const rest = query.toString();
  history.replaceState(history.state, '', location.pathname + (rest ? `?${rest}` : ''));
  const type = new URLSearchParams(hash ? given.search : given.hash.slice(1)).get('type') ?? '';
  const refresh = fragment.get('refresh_token');
  if (hash && TYPES.includes(type)) return { token_hash: hash, type };
  if (!hash && refresh) return { refresh_token: refresh, type };
  return { type, sentence: 'That link has been used, or is too old. Ask for another.' };
}

const given = { search: location.search, hash: location.hash };
let link = taken();

export const arrival = {
  get: () => link,
  /** @param {Link | null} next */
  set: (next) => {
    link = next;
  },
};
