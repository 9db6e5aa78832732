// One person: how they are reached, what is noted, and when they come.
import { changed, failureOf, query, useAction, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { now } from '../lib/clock.js';
import { Answers } from '../lib/answers.js';
import { Disputed, useDraft } from '../lib/draft.js';
import { html, useMemo } from '../lib/html.js';
import { phone } from '../lib/phone.js';
import { addDays, dayOf, moment } from '../lib/time.js';
import { Area, Button, ButtonLink, Card, Copy, Empty, Facts, Form, Icon, Id, Link, Loaded, Note, PageHead, Problem, Select, Text, toast } from '../lib/ui.js';
import { appointmentBadge, callBadge } from '../lib/words.js';

const LABELS = { contact_name: 'Name', email: 'E-mail', texts: 'Texts to the number', notes: 'Notes' };
const TEXTS = [['', 'Nobody has asked'], ['yes', 'Welcome'], ['no', 'None wanted']];

/** What is edited of a contact, as texts. @param {any} contact */
const recordOf = (contact) => ({ ...contact, texts: contact.may_text === null ? '' : contact.may_text ? 'yes' : 'no' });

function Details({ contact }) {
  const here = useHere();
  const record = useMemo(() => recordOf(contact), [contact]);
  const draft = useDraft(record, Object.keys(LABELS));
  const { form, set } = draft;
  const action = useAction(async (send) => {
    try {
      const { data } = await send('PATCH', `/api/contacts/${encodeURIComponent(contact.id)}`, {
        version: draft.base.version,
        contact_name: form.contact_name.trim(),
        email: form.email.trim(),
        notes: form.notes,
        ...(form.texts && { may_text: form.texts === 'yes' }),
      });
      draft.saved(recordOf(data));
    } catch (error) {
      if (failureOf(error).code === 'version_conflict') changed('/api/contacts');
      throw error;
    }
    changed('/api/contacts');
    toast('The contact is saved.');
  });
  const isDisputed = draft.disputed.length > 0;
  return html`<${Card} title="Details">
    <${Form} onSubmit=${() => action.run()}>
      <div class="stack">
        <${Text} label="Name" maxlength="80" autocomplete="off" value=${form.contact_name} onInput=${set('contact_name')} readonly=${!here.mayKeepDiary} />
        <${Text} label="E-mail" type="email" autocomplete="off" value=${form.email} onInput=${set('email')} readonly=${!here.mayKeepDiary} hint="Confirmations and changes go there." />
        ${contact.phone_number && html`<${Select} label=${LABELS.texts} value=${form.texts} onInput=${set('texts')} options=${record.texts ? TEXTS.slice(1) : TEXTS} disabled=${!here.mayKeepDiary} hint="Confirmations and changes by text. What they say on a call is noted here, too." />`}
        <${Area} label="Notes" rows=${5} maxlength="2000" value=${form.notes} onInput=${set('notes')} readonly=${!here.mayKeepDiary} />
        ${!isDisputed && html`<${Problem} failure=${action.failure} />`}
        <${Disputed} draft=${draft} labels=${LABELS} words=${{ texts: (value) => TEXTS.find(([of]) => of === value)?.[1] ?? value }} onSettled=${action.clear} />
        ${here.mayKeepDiary && html`<div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy} disabled=${draft.isSame || isDisputed}>Save<//></div>`}
      </div>
    <//>
  <//>`;
}

/** The appointments of the last 90 days and of the next year: the API lists by time, and the rest is left out here. */
function Appointments({ contact }) {
  const here = useHere();
  const today = dayOf(now(), here.zone);
  const list = useGet(`/api/appointments?startDate=${addDays(today, -90)}&endDate=${addDays(today, 365)}&limit=100`, { whole: 'appointments' });
  return html`<${Card} title="Appointments" sub="Of the last 90 days, and to come." actions=${here.mayKeepDiary && html`<${ButtonLink} small icon="plus" to=${query('/calendar', { new: '1', contact: contact.id })}>Book<//>`}>
    <${Loaded} from=${list} lines=${3}>
      ${(data) => {
        const mine = data.appointments.filter((one) => one.contact_id === contact.id).reverse();
        const cut = data.isCut && html`<${Note} tone="warn" title="Not all of it is shown.">The clinic has more than 1,000 appointments in this time: later ones are missing here. The calendar has them.<//>`;
        return mine.length === 0
          ? cut || html`<${Empty} icon="calendar" title="No appointment.">Book one, or wait for a call.<//>`
          : html`${cut}<ul class="notices">${mine.map((one) => html`<li key=${one.id}><${Icon} name="calendar" size=${20} /><div>
              <div class="row"><${Link} class="strong" to=${`/appointments/${encodeURIComponent(one.id)}`}>${moment(one.scheduled_time, here.zone)}<//>${appointmentBadge(one.status)}</div>
              <p class="sub">${one.service_type}</p>
            </div></li>`)}</ul>`;
      }}
    <//>
  <//>`;
}

function Calls({ contact }) {
  const here = useHere();
  const list = useGet(contact.phone_number ? query('/api/calls-dashboard', { cursor: 'first', search: contact.phone_number.slice(1), limit: 10 }) : null, { whole: 'calls', most: 10 });
  if (!contact.phone_number) return null;
  return html`<${Card} title="Calls with this number" sub="Of the last 30 days. A number may be several people’s.">
    <${Loaded} from=${list} lines=${3}>
      ${(data) =>
        data.calls.length === 0
          ? html`<${Empty} icon="phone" title=${data.isCut ? 'None of the newest 25,000 calls.' : 'No call.'}>Calls from and to this number stand here.<//>`
          : html`<ul class="notices">${data.calls.map((one) => html`<li key=${one.id}><${Icon} name=${one.call_direction === 'inbound' ? 'phoneIn' : 'phoneOut'} size=${20} /><div>
              <div class="row"><${Link} class="strong" to=${`/calls/${encodeURIComponent(one.id)}`}>${moment(one.call_date, here.zone)}<//>${callBadge(one.status)}</div>
              <p class="sub">${one.outcome_summary ?? ''}</p>
            </div></li>`)}</ul>
            ${data.isCut && html`<p class="fine">There may be older ones: <${Link} to="/calls">search the calls<//> for the number.</p>`}`}
    <//>
  <//>`;
}

export default function Contact({ id }) {
  const here = useHere();
  const contact = useGet(`/api/contacts/${encodeURIComponent(id)}`);
  const one = contact.data;
  return html`<div class="page">
    <${PageHead} back=${{ to: '/contacts', label: 'Contacts' }} title=${one ? one.contact_name : 'Contact'} />
    <${Loaded} from=${contact} lines=${8}>
      ${(data) => html`<div class="columns">
        <div class="stack">
          <${Card}>
            <${Facts}
              items=${[
                ['Phone', data.phone_number ? html`<span class="id num"><a href=${`tel:${data.phone_number}`}>${phone(data.phone_number)}</a><${Copy} value=${data.phone_number} what="number" /></span>` : 'None'],
                ['Known since', html`<span class="num">${moment(data.created_at, here.zone)}</span>`],
                ['Id', html`<${Id} value=${data.id} what="contact’s id" />`],
              ]}
            />
            ${data.phone_number && here.mayChange && html`<div class="form-actions" style=${{ marginTop: '0.875rem' }}><${ButtonLink} icon="phoneOut" to=${query('/calls', { ring: '1', contact: data.id })}>Have the agent ring<//></div>`}
          <//>
          <${Answers} answers=${data.answers} />
          <${Details} key=${data.id} contact=${data} />
        </div>
        <div class="stack"><${Appointments} contact=${data} /><${Calls} contact=${data} /></div>
      </div>`}
    <//>
  </div>`;
}
