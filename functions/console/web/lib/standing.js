// What stands in the diary although somebody leaves, goes away, or a service ends: it is shown, and nothing is moved by itself.
import { changed, useAction } from './api.js';
import { useHere } from './clinic.js';
import { html, useState } from './html.js';
import { moment } from './time.js';
import { Button, Confirm, Dialog, Icon, Link, toast } from './ui.js';

/** The appointments, each a link. @param {{title: string, standing: any, onClose: () => void}} props */
export function Standing({ title, standing, onClose }) {
  const here = useHere();
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <div class="stack">
      <p>${standing.has_more ? 'These and more stand' : standing.appointments.length === 1 ? 'This stands' : 'These stand'} in the diary as before. Move or cancel what cannot be kept: the patients are told of it.</p>
      <ul class="notices">${standing.appointments.map(
        (one) => html`<li key=${one.id}><${Icon} name="calendar" size=${20} /><div>
          <p><${Link} class="strong" to=${`/appointments/${encodeURIComponent(one.id)}`}>${moment(one.scheduled_time, here.zone)}<//></p>
          <p class="sub wrap">${one.service_type}, ${one.contact_name}</p>
        </div></li>`,
      )}</ul>
      <div class="form-actions"><${Button} kind="primary" onClick=${onClose}>Done<//></div>
    </div>
  <//>`;
}

/**
 * Asks whether something is to end, ends it, and shows what stands of it.
 * @param {{title: string, verb: string, end: (send: any) => Promise<{data: any}>, done: string, children: any, onClose: () => void}} props
 */
export function Ending({ title, verb, end, done, children, onClose }) {
  const [standing, setStanding] = useState(/** @type {any} */ (null));
  const action = useAction(async (send) => {
    const { data } = await end(send);
    changed('/api/services', '/api/resources', '/api/appointments');
    toast(done);
    if (data.appointments.length === 0) onClose();
    else setStanding(data);
  });
  if (standing) return html`<${Standing} title="Still in the diary" standing=${standing} onClose=${onClose} />`;
  return html`<${Confirm} title=${title} verb=${verb} danger action=${action} onClose=${onClose} onConfirm=${() => action.run()}>${children}<//>`;
}
