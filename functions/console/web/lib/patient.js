// For whom an appointment is booked: a contact that was chosen, or somebody by name.
import { useGet } from './api.js';
import { html, useState } from './html.js';
import { phone } from './phone.js';
import { Button, Problem, Select, Text } from './ui.js';

const NOBODY = { name: '', phone: '', email: '', mayText: '' };
/** How many contacts are offered under the name. */
const OFFERED = 6;
const ANSWERS = [['yes', 'Yes, they are welcome'], ['no', 'No, none wanted']];

const bare = (/** @type {string} */ number) => number.replaceAll(/[\s().-]/g, '');

/**
 * What is typed of a person and, apart from it, the contact that was chosen: who types on has chosen nobody.
 * @param {any} [given] the contact for whom it is from the beginning
 */
export function usePatient(given = null) {
  const [typed, setTyped] = useState(NOBODY);
  const [picked, setContact] = useState(/** @type {any} */ (null));
  const contact = given ?? picked;
  const email = typed.email.trim();
  const number = bare(typed.phone);
  return {
    contact,
    name: contact ? contact.contact_name : typed.name,
    phone: contact ? (contact.phone_number ?? '') : typed.phone,
    email: contact ? (contact.email ?? '') : typed.email,
    mayText: typed.mayText,
    /** What was said of one number is not said of another. @param {any} next */
    choose(next) {
      setContact(next);
      setTyped({ ...typed, mayText: '' });
    },
    /** @param {string} name */
    setName(name) {
      setContact(null);
      setTyped({ ...typed, name, mayText: contact ? '' : typed.mayText });
    },
    /** What was said of one number is not said of another. @param {string} next */
    setPhone: (next) => setTyped({ ...typed, phone: next, mayText: bare(next) === number ? typed.mayText : '' }),
    /** @param {string} next */
    setEmail: (next) => setTyped({ ...typed, email: next }),
    /** @param {string} next */
    setMayText: (next) => setTyped({ ...typed, mayText: next }),
    body: contact
      ? { contact_id: contact.id, ...(contact.phone_number && typed.mayText && { may_text: typed.mayText === 'yes' }) }
      : { contact: { name: typed.name.trim(), ...(number && { phone: number }), ...(email && { email }), ...(number && typed.mayText && { may_text: typed.mayText === 'yes' }) } },
  };
}

/** The contacts that what is typed may mean. Nobody is taken but by choosing them. */
function Known({ name, onChoose }) {
  const recent = useGet('/api/contacts?limit=100');
  const wanted = name.trim().toLowerCase();
  const fitting = wanted.length < 2 ? [] : (recent.data?.contacts ?? []).filter((one) => one.contact_name.toLowerCase().includes(wanted));
  if (recent.failure) return html`<div class="field-wide"><${Problem} failure=${recent.failure} onRetry=${recent.reload} isBusy=${recent.isLoading} /></div>`;
  if (fitting.length === 0) return null;
  return html`<div class="field-wide stack">
    <p class="hint" id="known-contacts">Is it one of these? Choose, or go on for somebody new.</p>
    <div class="choices" role="group" aria-labelledby="known-contacts">
      ${fitting.slice(0, OFFERED).map((one) => html`<button key=${one.id} type="button" class="choice" onClick=${() => onChoose(one)}>
        <span class="strong wrap">${one.contact_name}</span><small class="num">${one.phone_number ? phone(one.phone_number) : 'No number'}</small>
      </button>`)}
    </div>
    ${fitting.length > OFFERED && html`<p class="fine">${fitting.length - OFFERED} more are called so: write more of the name.</p>`}
  </div>`;
}

/** The fields of a person. @param {{patient: ReturnType<typeof usePatient>, nameError: string}} props */
export function PatientFields({ patient, nameError }) {
  const isChosen = patient.contact !== null;
  return html`<div class="fields">
    <${Text} label="Patient’s name" autocomplete="off" maxlength="80" value=${patient.name} onInput=${patient.setName} error=${nameError} wide />
    ${
      isChosen
        ? html`<div class="field-wide row"><span class="sub">This contact is chosen.</span><${Button} small onClick=${() => patient.choose(null)}>Somebody else<//></div>`
        : html`<${Known} name=${patient.name} onChoose=${patient.choose} />`
    }
    <${Text} label="Phone" type="tel" autocomplete="off" value=${patient.phone} onInput=${patient.setPhone} readonly=${isChosen} hint=${isChosen ? 'As the contact has it.' : 'With its country: +44…'} />
    <${Text} label="E-mail" type="email" autocomplete="off" value=${patient.email} onInput=${patient.setEmail} readonly=${isChosen} hint=${isChosen ? 'As the contact has it.' : 'For the confirmation.'} />
    <${MayText} patient=${patient} />
  </div>`;
}

/** What the patient said of texts, where there is a number to send them to. @param {{patient: ReturnType<typeof usePatient>}} props */
export function MayText({ patient }) {
  if (!patient.phone.trim()) return null;
  const nothing = patient.contact ? 'As was said before' : 'Not asked';
  return html`<${Select} label="Texts to this number" value=${patient.mayText} onInput=${patient.setMayText} options=${[['', nothing], ...ANSWERS]} hint="What the patient said when asked." />`;
}
