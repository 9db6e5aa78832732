// One appointment: who, when, with whom, and what can be done with it.
import { changed, failureOf, useAction, useGet } from '../lib/api.js';
import { CancelDialog, MoveDialog } from '../lib/booking.js';
import { useHere } from '../lib/clinic.js';
import { namesOf, useCatalog } from '../lib/diary.js';
import { Disputed, useDraft } from '../lib/draft.js';
import { Answers } from '../lib/answers.js';
import { html, useState } from '../lib/html.js';
import { money } from '../lib/money.js';
import { phone } from '../lib/phone.js';
import { clock, dayOf, longDay, moment } from '../lib/time.js';
import { Area, Badge, Button, Card, Copy, Empty, Facts, Form, Icon, Id, Link, Loaded, PageHead, Problem, toast } from '../lib/ui.js';
import { appointmentBadge, appointmentWord, madeBy, messageBadge, plain, syncBadge } from '../lib/words.js';

/** What may come after a status. @type {Record<string, string[]>} */
const NEXT = { confirmed: ['arrived', 'completed', 'no_show'], arrived: ['completed', 'no_show', 'confirmed'], completed: ['arrived'], no_show: ['arrived', 'confirmed'], cancelled: [] };

function Notes({ appointment }) {
  const here = useHere();
  const draft = useDraft(appointment, ['notes']);
  const action = useAction(async (send) => {
    try {
      const { data } = await send('PATCH', `/api/appointments/${encodeURIComponent(appointment.id)}`, { revision: draft.base.revision, version: draft.base.version, notes: draft.form.notes });
      draft.saved(data);
    } catch (error) {
      if (failureOf(error).code === 'version_conflict') changed('/api/appointments');
      throw error;
    }
    changed('/api/appointments');
    toast('The notes are saved.');
  });
  const isDisputed = draft.disputed.length > 0;
  return html`<${Card} title="Notes">
    <${Form} onSubmit=${() => action.run()}>
      <div class="stack">
        <${Area} label="For the clinic’s people" rows=${4} maxlength="2000" value=${draft.form.notes} onInput=${draft.set('notes')} readonly=${!here.mayKeepDiary} />
        ${!isDisputed && html`<${Problem} failure=${action.failure} />`}
        <${Disputed} draft=${draft} labels=${{ notes: 'Notes' }} onSettled=${action.clear} />
        ${here.mayKeepDiary && html`<div class="form-actions"><${Button} type="submit" isBusy=${action.isBusy} disabled=${draft.isSame || isDisputed}>Save the notes<//></div>`}
      </div>
    <//>
  <//>`;
}

/** @type {Record<string, string>} */
const BY = { email: 'e-mail', sms: 'text' };
/** What the API says of why, in words; a carrier's own code stays as it is. @param {string} reason */
const because = (reason) => (reason ? reason[0].toUpperCase() + reason.slice(1) : '');

function Messages({ id }) {
  const here = useHere();
  const messages = useGet(`/api/messages?appointment_id=${encodeURIComponent(id)}`);
  return html`<${Card} title="What the patient was told">
    <${Loaded} from=${messages} lines=${2}>
      ${(data) =>
        data.messages.length === 0
          ? html`<${Empty} icon="mail" title="Nothing yet.">A patient who can be reached is told a few minutes after each change.<//>`
          : html`<ul class="notices">${data.messages.map(
              (one) => html`<li key=${one.id}>
                <${Icon} name="mail" size=${20} />
                <div>
                  <p class="row"><span>${plain(one.kind ?? 'message')} by ${BY[one.channel] ?? plain(one.channel)}</span>${messageBadge(one.status)}</p>
                  <p class="fine num">${moment(one.created_at, here.zone)}${one.cost_pence && here.maySeeBusiness ? `, cost ${money(one.cost_pence)}` : ''}</p>
                  ${one.reason && html`<p class="fine">${because(one.reason)}.</p>`}
                </div>
              </li>`,
            )}</ul>`}
    <//>
  <//>`;
}

function Actions({ appointment, onMove, onCancel }) {
  const status = useAction(async (send, /** @type {string} */ next) => {
    await send('PATCH', `/api/appointments/${encodeURIComponent(appointment.id)}`, { revision: appointment.revision, version: appointment.version, status: next });
    changed('/api/appointments');
    toast(`It stands as “${appointmentWord(next)}” now.`);
  });
  const next = NEXT[appointment.status] ?? [];
  if (next.length === 0) return null;
  return html`<${Card} title="How it stands">
    <div class="stack">
      <div class="row">${next.map((one) => html`<${Button} key=${one} small isBusy=${status.isBusy} onClick=${() => status.run(one)}>${appointmentWord(one)}<//>`)}</div>
      <${Problem} failure=${status.failure} onRetry=${() => { status.clear(); changed('/api/appointments'); }} />
      ${
        appointment.status === 'confirmed' &&
        html`<div class="row">
          <${Button} icon="clock" onClick=${onMove}>Move<//>
          <${Button} kind="danger" icon="close" onClick=${onCancel}>Cancel it<//>
        </div>`
      }
    </div>
  <//>`;
}

function Detail({ appointment, resources, onMove, onCancel }) {
  const here = useHere();
  const one = appointment;
  return html`<div class="columns">
    <div class="two-thirds stack">
      <${Card} title="The appointment">
        <${Facts}
          items=${[
            ['When', html`${longDay(one.scheduled_time, here.zone)}, <span class="num">${clock(one.scheduled_time, here.zone)}–${clock(one.ends_at, here.zone)}</span> <span class="sub">(${one.duration_minutes} min)</span>`],
            ['Service', one.service_type],
            ['With', namesOf(resources, one.resource_ids)],
            ['Status', html`<span class="row">${appointmentBadge(one.status)}${one.overbooked && html`<${Badge} tone="violet">Overbooked<//>`}</span>`],
            ['Calendar', syncBadge(one.calendar)],
            ['Patient', one.contact_id ? html`<${Link} to=${`/contacts/${encodeURIComponent(one.contact_id)}`}>${one.contact_name}<//>` : one.contact_name],
            ['Phone', one.phone_number ? html`<span class="id num">${phone(one.phone_number)}<${Copy} value=${one.phone_number} what="number" /></span>` : 'None'],
            ['E-mail', one.email ? html`${one.email} <${Copy} value=${one.email} what="address" />` : 'None'],
            ['Made by', html`${madeBy(one.created_by)}, <span class="num">${moment(one.created_at, here.zone)}</span>`],
            one.call_id && ['Call', html`<${Link} to=${`/calls/${encodeURIComponent(one.call_id)}`}>The call in which it was booked<//>`],
            ['Id', html`<${Id} value=${one.id} what="appointment’s id" />`],
          ]}
        />
      <//>
      <${Answers} answers=${one.answers} />
      <${Notes} key=${one.id} appointment=${one} />
    </div>
    <div class="third stack">
      ${here.mayKeepDiary && html`<${Actions} appointment=${one} onMove=${onMove} onCancel=${onCancel} />`}
      <${Messages} id=${one.id} />
    </div>
  </div>`;
}

export default function Appointment({ id }) {
  const here = useHere();
  const appointment = useGet(`/api/appointments/${encodeURIComponent(id)}`, { every: 15_000 });
  const catalog = useCatalog();
  const [dialog, setDialog] = useState('');
  const one = appointment.data;
  return html`<div class="page">
    <${PageHead}
      back=${{ to: one ? `/calendar?day=${dayOf(one.scheduled_time, here.zone)}` : '/calendar', label: 'Calendar' }}
      title=${one ? one.contact_name : 'Appointment'}
      sub=${one && `${one.service_type}, ${moment(one.scheduled_time, here.zone)}`}
    />
    <${Problem} failure=${catalog.failure} onRetry=${catalog.reload} />
    <${Loaded} from=${appointment} lines=${8}>
      ${(data) => html`<${Detail} appointment=${data} resources=${catalog.all} onMove=${() => setDialog('move')} onCancel=${() => setDialog('cancel')} />`}
    <//>
    ${dialog === 'move' && one && html`<${MoveDialog} appointment=${one} onClose=${() => setDialog('')} />`}
    ${dialog === 'cancel' && one && html`<${CancelDialog} appointment=${one} onClose=${() => setDialog('')} />`}
  </div>`;
}
