// Addresses of the History API: each screen and each object has its own.
import { html } from './html.js';
import { store, useStore } from './store.js';

const here = () => ({ path: location.pathname, search: location.search });
const place = store(here());

addEventListener('popstate', () => place.set(here()));

/** @param {string} to @param {{replace?: boolean}} [how] */
export function go(to, how = {}) {
  if (to === location.pathname + location.search) return;
  if (how.replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  place.set(here());
}

/** Where the page is: its path, and a value of the query. */
export function useRoute() {
  const { path, search } = useStore(place);
  const values = new URLSearchParams(search);
  return {
    path,
    search,
    /** @param {string} name */
    value: (name) => values.get(name) ?? '',
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
