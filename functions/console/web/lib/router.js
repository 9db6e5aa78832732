// Addresses of the History API: each screen and each object has its own.
import { html } from './html.js';
import { store, useStore } from './store.js';

const here = () => ({ path: location.pathname, search: location.search, kept: /** @type {Record<string, string>} */ (history.state ?? {}) });
const place = store(here());

addEventListener('popstate', () => place.set(here()));

/** @param {string} to @param {{replace?: boolean}} [how] */
export function go(to, how = {}) {
  if (to === location.pathname + location.search) return;
  // What is kept beside an address stays as long as the page does.
  if (how.replace) history.replaceState(to.split('?')[0] === location.pathname ? history.state : null, '', to);
  else history.pushState(null, '', to);
  place.set(here());
}

/** Where the page is: its path, a value of the query, and what is kept beside the address. */
export function useRoute() {
  const { path, search, kept } = useStore(place);
  const values = new URLSearchParams(search);
  return {
    path,
    search,
    /** @param {string} name */
    value: (name) => values.get(name) ?? '',
    /** What an address is not to show, as it would a patient's number: it is there after a reload and on the way back. @param {string} name */
    kept: (name) => kept[name] ?? '',
    /** @param {string} name @param {string} value */
    keep(name, value) {
      history.replaceState({ ...history.state, [name]: value }, '');
      place.set(here());
    },
    /** Sets values of the query, in place. @param {Record<string, string | null | undefined>} next */
    set(next) {
      const after = new URLSearchParams(location.search);
      for (const [name, value] of Object.entries(next)) {
        if (value) after.set(name, value);
        else after.delete(name);
      }
      const text = after.toString();
      go(location.pathname + (text ? `?${text}` : ''), { replace: true });
    },
  };
}

/** A link within the console. */
export function Link({ to, children, ...rest }) {
  const follow = (/** @type {MouseEvent} */ event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return html`<a href=${to} onClick=${follow} ...${rest}>${children}</a>`;
}
