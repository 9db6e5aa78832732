// The parts that screens are built from.
import { Fragment, html, useEffect, useId, useLayoutEffect, useRef, useState } from './html.js';
import { Icon } from './icons.js';
import { go, Link } from './router.js';
import { store, useStore } from './store.js';

export { Icon, Link };

/** @param {...(string | false | null | undefined)} names */
export const classes = (...names) => names.filter(Boolean).join(' ');

// ---- Buttons --------------------------------------------------------------------------------------------------------

export function Button({
  children = null,
  kind = 'plain',
  icon = '',
  isBusy = false,
  type = 'button',
  small = false,
  label = '',
  disabled = false,
  ...rest
}) {
  const isBare = !children;
  return html`<button
    type=${type}
    class=${classes('button', `button-${kind}`, small && 'button-small', isBare && 'button-bare')}
    aria-label=${label || undefined}
    title=${isBare ? label : undefined}
    aria-busy=${isBusy ? 'true' : undefined}
    disabled=${disabled || isBusy}
    ...${rest}
  >
    ${isBusy ? html`<span class="spinner" aria-hidden="true"></span>` : icon && html`<${Icon} name=${icon} />`}
    ${!isBare && html`<span>${children}</span>`}
  </button>`;
}

export function ButtonLink({ to, children, kind = 'plain', icon = '', small = false, ...rest }) {
  return html`<${Link} to=${to} class=${classes('button', `button-${kind}`, small && 'button-small')} ...${rest}>
    ${icon && html`<${Icon} name=${icon} />`}<span>${children}</span>
  <//>`;
}

/** Copies a value, and says so. */
export function Copy({ value, what = 'id' }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      toast(`Copied the ${what}.`);
    } catch {
      toast(`The browser did not allow copying. The ${what} is ${value}`, 'bad');
    }
  };
  return html`<button type="button" class="copy" aria-label=${`Copy the ${what}`} title=${`Copy the ${what}`} onClick=${copy}>
    <${Icon} name="copy" size=${15} />
  </button>`;
}

/** An id, short, with the whole of it to copy. */
export function Id({ value, what = 'id' }) {
  const short = value.length > 18 ? `${value.slice(0, 8)}…${value.slice(-6)}` : value;
  return html`<span class="id"><code title=${value}>${short}</code><${Copy} value=${value} what=${what} /></span>`;
}

// ---- Words ----------------------------------------------------------------------------------------------------------

export const Badge = ({ tone = 'quiet', children }) => html`<span class=${`badge badge-${tone}`}>${children}</span>`;

export function PageHead({ title, sub = null, actions = null, back = /** @type {{to: string, label: string} | null} */ (null) }) {
  return html`<header class="page-head">
    <div>
      ${back && html`<${Link} to=${back.to} class="back"><${Icon} name="chevronLeft" size=${16} />${back.label}<//>`}
      <h1 tabindex="-1">${title}</h1>
      ${sub && html`<p class="sub">${sub}</p>`}
    </div>
    ${actions && html`<div class="actions">${actions}</div>`}
  </header>`;
}

export function Card({ title = '', sub = null, actions = null, children, kind = '', id = undefined }) {
  const heading = useId();
  return html`<section class=${classes('card', kind)} aria-labelledby=${title ? heading : undefined} id=${id}>
    ${
      title &&
      html`<div class="card-head">
        <div><h2 id=${heading}>${title}</h2>${sub && html`<p class="sub">${sub}</p>`}</div>
        ${actions && html`<div class="actions">${actions}</div>`}
      </div>`
    }
    ${children}
  </section>`;
}

/** Names and values. */
export function Facts({ items }) {
  return html`<dl class="facts">
    ${items.filter(Boolean).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

export function Note({ tone = 'info', title = '', children = null, actions = null }) {
  const icon = { info: 'info', good: 'check', warn: 'alert', bad: 'alert' }[tone] ?? 'info';
  return html`<div class=${`note note-${tone}`}>
    <${Icon} name=${icon} />
    <div>${title && html`<p class="note-title">${title}</p>`}${children && html`<div>${children}</div>`}</div>
    ${actions && html`<div class="actions">${actions}</div>`}
  </div>`;
}

/** What did not work: its sentence, the id to quote, and another try. */
export function Problem({ failure, onRetry = null, isBusy = false }) {
  if (!failure) return null;
  return html`<div class="note note-bad" role="alert">
    <${Icon} name="alert" />
    <div>
      <p>${failure.message}</p>
      ${
        failure.requestId &&
        html`<p class="fine">Request <code>${failure.requestId}</code><${Copy} value=${failure.requestId} what="request id" /></p>`
      }
    </div>
    ${onRetry && html`<div class="actions"><${Button} icon="refresh" small onClick=${onRetry} isBusy=${isBusy}>Try again<//></div>`}
  </div>`;
}

export function Empty({ title, children = null, action = null, icon = 'info' }) {
  return html`<div class="empty">
    <${Icon} name=${icon} size=${28} />
    <p class="empty-title">${title}</p>
    ${children && html`<p>${children}</p>`} ${action && html`<div class="actions">${action}</div>`}
  </div>`;
}

/** Room for what is being read, of about its size, so that nothing jumps. */
export function Skeleton({ lines = 3, height = '' }) {
  if (height) return html`<div class="skeleton skeleton-block" style=${{ height }} role="status"><span class="unseen">Loading</span></div>`;
  return html`<div class="skeletons" role="status">
    <span class="unseen">Loading</span>
    ${Array.from({ length: lines }, (_, at) => html`<div key=${at} class="skeleton" style=${{ width: `${94 - ((at * 17) % 38)}%` }}></div>`)}
  </div>`;
}

/** What was read; until then a skeleton, and without it the failure with another try. */
export function Loaded({ from, lines = 4, height = '', children }) {
  if (from.data) {
    return html`<${Fragment}>
      ${from.failure && html`<${Problem} failure=${from.failure} onRetry=${from.reload} isBusy=${from.isLoading} />`}
      ${children(from.data)}
    <//>`;
  }
  if (from.failure) return html`<${Problem} failure=${from.failure} onRetry=${from.reload} isBusy=${from.isLoading} />`;
  return html`<${Skeleton} lines=${lines} height=${height} />`;
}

// ---- Tables ---------------------------------------------------------------------------------------------------------

/**
 * A table that becomes cards where it is narrow.
 * A column is {name, label, cell(row), align?, main?, long?, quiet?}; `long` words may be broken anywhere.
 */
export function Table({ caption, columns, rows, rowKey, rowTo = /** @type {((row: any) => string) | null} */ (null) }) {
  return html`<table class="table" role="table">
    <caption class="unseen">${caption}</caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map((column) => html`<th key=${column.name} role="columnheader" scope="col" class=${classes(column.align === 'end' && 'end')}>${column.label || html`<span class="unseen">${column.name}</span>`}</th>`)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map((row) => {
        const to = rowTo ? rowTo(row) : '';
        const open = (/** @type {MouseEvent} */ event) => {
          const target = /** @type {HTMLElement} */ (event.target);
          if (!target.closest('a, button, input, select, label') && !getSelection()?.toString()) go(to);
        };
        return html`<tr key=${rowKey(row)} role="row" class=${classes(to && 'row-link')} onClick=${to ? open : undefined}>
          ${columns.map(
            (column) => html`<td
              key=${column.name}
              role="cell"
              class=${classes(column.align === 'end' && 'end', column.main && 'main', column.long && 'long', column.quiet && 'quiet')}
              data-label=${column.label}
            >
              <div class="cell">${column.main && to ? html`<${Link} to=${to}>${column.cell(row)}<//>` : column.cell(row)}</div>
            </td>`,
          )}
        </tr>`;
      })}
    </tbody>
  </table>`;
}

export function More({ pages }) {
  if (!pages.hasMore && !pages.moreFailure) return null;
  return html`<div class="more">
    <${Problem} failure=${pages.moreFailure} onRetry=${pages.next} isBusy=${pages.isBusy} />
    ${pages.hasMore && !pages.moreFailure && html`<${Button} onClick=${pages.next} isBusy=${pages.isBusy}>Show more<//>`}
  </div>`;
}

// ---- Forms ----------------------------------------------------------------------------------------------------------

/** What is typed is looked for when the typing rests. */
export function Search({ label, value, onInput }) {
  const id = useId();
  const [text, setText] = useState(value);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => onInput(text.trim()), 350);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<div class="field field-search"><label for=${id}>${label}</label>
    <input class="input" id=${id} type="search" autocomplete="off" value=${text} maxlength="100" onInput=${(event) => setText(event.currentTarget.value)} /></div>`;
}

export function Field({ label, hint = '', error = '', children, wide = false }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
  return html`<div class=${classes('field', wide && 'field-wide')}>
    <label for=${id}>${label}</label>
    ${children({ id, 'aria-describedby': described, 'aria-invalid': error ? 'true' : undefined })}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="field-error" id=${`${id}-error`}><${Icon} name="alert" size=${14} />${error}</p>`}
  </div>`;
}

/** A line of text with its label. */
export function Text({ label, value, onInput, hint = '', error = '', wide = false, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error} wide=${wide}>
    ${(given) => html`<input class="input" value=${value} onInput=${(event) => onInput(event.currentTarget.value)} ...${rest} ...${given} />`}
  <//>`;
}

export function Area({ label, value, onInput, hint = '', error = '', rows = 4, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error} wide>
    ${(given) => html`<textarea class="input" rows=${rows} value=${value} onInput=${(event) => onInput(event.currentTarget.value)} ...${rest} ...${given}></textarea>`}
  <//>`;
}

/** A choice: options are [value, label]. */
export function Select({ label, value, onInput, options, hint = '', error = '', ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(given) => html`<select class="input" value=${value} onChange=${(event) => onInput(event.currentTarget.value)} ...${rest} ...${given}>
      ${options.map(([of, name]) => html`<option key=${of} value=${of} selected=${of === value}>${name}</option>`)}
    </select>`}
  <//>`;
}

export function Check({ label, checked, onInput, hint = '', ...rest }) {
  const id = useId();
  return html`<div class="check">
    <input type="checkbox" id=${id} checked=${checked} aria-describedby=${hint ? `${id}-hint` : undefined} onChange=${(event) => onInput(event.currentTarget.checked)} ...${rest} />
    <div><label for=${id}>${label}</label>${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}</div>
  </div>`;
}

/** A few choices side by side. */
export function Segments({ label, value, onInput, options }) {
  return html`<div class="segments" role="group" aria-label=${label}>
    ${options.map(
      ([of, name, icon]) => html`<button key=${of} type="button" aria-pressed=${of === value ? 'true' : 'false'} aria-label=${icon ? name : undefined} title=${icon ? name : undefined} onClick=${() => onInput(of)}>
        ${icon ? html`<${Icon} name=${icon} />` : name}
      </button>`,
    )}
  </div>`;
}

/** Links to the parts of a screen. */
export function Tabs({ label, items, current }) {
  return html`<nav class="tabs" aria-label=${label}>
    ${items.map(([to, name]) => html`<${Link} key=${to} to=${to} aria-current=${to === current ? 'page' : undefined}>${name}<//>`)}
  </nav>`;
}

export function Form({ onSubmit, children, ...rest }) {
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    onSubmit();
  };
  return html`<form novalidate onSubmit=${submit} ...${rest}>${children}</form>`;
}

// ---- Dialogs and toasts ---------------------------------------------------------------------------------------------

export function Dialog({ title, onClose, children, wide = false }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const heading = useId();
  // Before anything is drawn: a key that is pressed meanwhile would go to what lies below.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (!dialog) return undefined;
    const before = document.activeElement;
    dialog.showModal();
    // With a keyboard at hand one begins to write at once; on a touch screen the keys would cover the question.
    const field = dialog.querySelector('.dialog-body input:not([type=checkbox]), .dialog-body select, .dialog-body textarea');
    if (field instanceof HTMLElement && matchMedia('(pointer: fine)').matches) field.focus();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const cancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${ref} class=${classes('dialog', wide && 'dialog-wide')} aria-labelledby=${heading} onCancel=${cancel}>
    <div class="dialog-head">
      <h2 id=${heading}>${title}</h2>
      <${Button} kind="ghost" icon="close" label="Close" onClick=${onClose} />
    </div>
    <div class="dialog-body">${children}</div>
  </dialog>`;
}

/** A question before something is done. */
export function Confirm({ title, children, verb, danger = false, onClose, onConfirm, action }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <div class="stack">
      <div>${children}</div>
      <${Problem} failure=${action.failure} />
      <div class="form-actions">
        <${Button} kind=${danger ? 'danger' : 'primary'} isBusy=${action.isBusy} onClick=${onConfirm}>${verb}<//>
        <${Button} onClick=${onClose}>Cancel<//>
      </div>
    </div>
  <//>`;
}

/** @type {ReturnType<typeof store<{id: number, text: string, tone: string}[]>>} */
const toasts = store([]);
let last = 0;

/** Says something for a few seconds. @param {string} text @param {'good' | 'bad'} [tone] */
export function toast(text, tone = 'good') {
  last += 1;
  const id = last;
  toasts.set([...toasts.get(), { id, text, tone }].slice(-3));
  setTimeout(() => toasts.set(toasts.get().filter((one) => one.id !== id)), tone === 'bad' ? 12_000 : 5_000);
}

export function Toasts() {
  const shown = useStore(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map(
      ({ id, text, tone }) => html`<div key=${id} class=${`toast toast-${tone}`}>
        <${Icon} name=${tone === 'bad' ? 'alert' : 'check'} />
        <span>${text}</span>
        <button type="button" aria-label="Dismiss" onClick=${() => toasts.set(toasts.get().filter((one) => one.id !== id))}><${Icon} name="close" size=${15} /></button>
      </div>`,
    )}
  </div>`;
}

/** Redraws every so many milliseconds, while the page is looked at. @param {number} millis 0 for not at all */
export function useTick(millis) {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (!millis) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) redraw((count) => count + 1);
    }, millis);
    return () => clearInterval(timer);
  }, [millis]);
}
