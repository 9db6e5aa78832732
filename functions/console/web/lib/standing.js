// What stands in the diary although somebody leaves, goes away, or a service ends: it is shown, and nothing is moved by itself.
import { changed, useAction } from './api.js';
import { useHere } from './clinic.js';
import { html, useState } from './html.js';
import { moment } from './time.js';
import { Button, Confirm, Dialog, Icon, Link, toast } from './ui.js';

/** Whether anything stands, or may. @param {any} standing */
export const stands = (standing) => standing.appointments.length > 0 || standing.has_more;

/** The appointments, each a link. @param {{title: string, standing: any, onClose: () => void}} props */
export function Standing({ title, standing, onClose }) {
  const here = useHere();
  const { appointments: list, has_more: hasMore } = standing;
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <div class="stack">
      ${
        list.length > 0 &&
        html`<p>${list.length === 1 ? 'This stands' : 'These stand'} in the diary as before. Move or cancel what cannot be kept: the patients are told of it.</p>
          <ul class="notices">${list.map(
            (one) => html`<li key=${one.id}><${Icon} name="calendar" size=${20} /><div>
              <p><${Link} class="strong" to=${`/appointments/${encodeURIComponent(one.id)}`}>${moment(one.scheduled_time, here.zone)}<//></p>
              <p class="sub wrap">${one.service_type}, ${one.contact_name}</p>
            </div></li>`,
          )}</ul>`
      }
      ${hasMore && html`<p>The diary holds so much that it was not looked through to its end: there may be ${list.length > 0 ? 'more' : 'some'}. <${Link} to="/calendar">Look at the calendar<//>.</p>`}
      <div class="form-actions"><${Button} kind="primary" onClick=${onClose}>Done<//></div>
    </div>
  <//>`;
}

/**
 * Asks whether something is to end, ends it, and shows what stands of it. Who thinks better of it is back where they were.
 * @param {{title: string, verb: string, end: (send: any) => Promise<{data: any}>, done: string, children: any, onBack: () => void, onClose: () => void}} props
 */
export function Ending({ title, verb, end, done, children, onBack, onClose }) {
  const [standing, setStanding] = useState(/** @type {any} */ (null));
  const action = useAction(async (send) => {
    try {
      const { data } = await end(send);
      toast(done);
      if (stands(data)) setStanding(data);
      else onClose();
    } finally {
      // Also where another has changed it meanwhile.
      changed('/api/services', '/api/resources', '/api/appointments');
    }
  });
  if (standing) return html`<${Standing} title="Still in the diary" standing=${standing} onClose=${onClose} />`;
  return html`<${Confirm} title=${title} verb=${verb} danger action=${action} onClose=${onBack} onConfirm=${() => action.run()}>${children}<//>`;
}
