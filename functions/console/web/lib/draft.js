// What is written over something that others write, too: it is compared with what it was filled from, never with what is there by now.
import { html, useEffect, useState } from './html.js';
import { Button, Note } from './ui.js';

/** @param {any} record @param {readonly string[]} names @returns {Record<string, string>} */
const texts = (record, names) => Object.fromEntries(names.map((name) => [name, record[name] ?? '']));

/**
 * A form over some texts of a record. `base` is the record as the form was filled from it, whose version a save names: so a save
 * is refused where another came between, until the person has seen what the other wrote and said which one holds.
 * @param {any} record as it is read now; its `version` changes with it
 * @param {readonly string[]} names the texts that are edited
 */
export function useDraft(record, names) {
  const [base, setBase] = useState(record);
  const [form, setForm] = useState(texts(record, names));
  const [before, now] = [texts(base, names), texts(record, names)];
  const isMine = (/** @type {string} */ name) => form[name] !== before[name];
  // Who changes one field takes what another wrote into the others.
  const isNewer = record.version > base.version;
  const disputed = !isNewer ? [] : names.filter((name) => isMine(name) && now[name] !== before[name] && now[name] !== form[name]);
  /** @param {boolean} keepsMine whether what is disputed is as it is written here */
  const settle = (keepsMine) => {
    // What was typed since this was drawn is the person's, too.
    setForm((/** @type {Record<string, string>} */ latest) =>
      Object.fromEntries(names.map((name) => [name, latest[name] !== before[name] && (keepsMine || !disputed.includes(name)) ? latest[name] : now[name]])),
    );
    setBase(record);
  };
  useEffect(() => {
    if (isNewer && disputed.length === 0) settle(true);
  }, [record.version, base.version, disputed.length]);
  return {
    base,
    form,
    isSame: names.every((name) => !isMine(name)),
    /** The names of what somebody else has written meanwhile, and theirs. */
    disputed,
    theirs: now,
    settle,
    /** @param {string} name @returns {(value: string) => void} */
    set: (name) => (value) => setForm({ ...form, [name]: value }),
    /** What was sent is saved; what was typed since stays. @param {any} saved */
    saved(saved) {
      const stored = texts(saved, names);
      setBase(saved);
      setForm((/** @type {Record<string, string>} */ latest) => Object.fromEntries(names.map((name) => [name, latest[name] === form[name] ? stored[name] : latest[name]])));
    },
  };
}

/**
 * What somebody else wrote where this person writes: one of the two holds.
 * @param {{draft: ReturnType<typeof useDraft>, labels: Record<string, string>, words?: Record<string, (value: string) => string>, onSettled: () => void}} props `words` says what stands for a value that is chosen
 */
export function Disputed({ draft, labels, words = {}, onSettled }) {
  if (draft.disputed.length === 0) return null;
  const settle = (/** @type {boolean} */ keepsMine) => {
    draft.settle(keepsMine);
    onSettled();
  };
  return html`<div class="stack" role="alert">
    <${Note} tone="warn" title="Somebody else wrote here while you were writing.">Yours is in the form. This is theirs:<//>
    ${draft.disputed.map((name) => html`<div key=${name} class="stack" style=${{ gap: '0.25rem' }}><p class="fine">${labels[name]}</p><p class="wrap" data-theirs=${name} style=${{ whiteSpace: 'pre-wrap' }}>${words[name]?.(draft.theirs[name]) || draft.theirs[name] || 'They took it away.'}</p></div>`)}
    <div class="row"><${Button} small onClick=${() => settle(true)}>Keep mine<//><${Button} small onClick=${() => settle(false)}>Take theirs<//></div>
  </div>`;
}
