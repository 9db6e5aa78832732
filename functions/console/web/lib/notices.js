// What the clinic is told, and what is done with it.
import { changed, useAction } from './api.js';
import { useHere } from './clinic.js';
import { html } from './html.js';
import { phone } from './phone.js';
import { shortMoment } from './time.js';
import { Badge, Button, ButtonLink, Icon, Problem, classes } from './ui.js';
import { notice } from './words.js';

export function Notice({ item, canDelete = false }) {
  const here = useHere();
  const read = useAction(async (send) => {
    await send('PATCH', `/api/notifications/${encodeURIComponent(item.id)}/read`);
    changed('/api/notifications');
  });
  const drop = useAction(async (send) => {
    await send('DELETE', `/api/notifications/${encodeURIComponent(item.id)}`);
    changed('/api/notifications');
  });
  const [label, icon] = notice(item.type);
  return html`<li class=${classes(item.urgent && !item.read && 'urgent', item.read && 'read')}>
    <${Icon} name=${icon} size=${20} />
    <div>
      <div class="row">
        ${item.urgent ? html`<${Badge} tone="bad">${label}<//>` : html`<span class="strong">${label}</span>`}
        <span class="fine num">${shortMoment(item.created_at, here.zone)}</span>
        ${item.phone_number && html`<a class="fine num" href=${`tel:${item.phone_number}`}>${phone(item.phone_number)}</a>`}
      </div>
      <p>${item.message}</p>
      <${Problem} failure=${read.failure ?? drop.failure} />
      <div class="actions">
        ${item.call_id && html`<${ButtonLink} small to=${`/calls/${encodeURIComponent(item.call_id)}`} icon="phone">The call<//>`}
        ${!item.read && here.mayKeepDiary && html`<${Button} small icon="check" isBusy=${read.isBusy} onClick=${() => read.run()}>Done<//>`}
        ${canDelete && item.read && here.mayKeepDiary && html`<${Button} small kind="ghost" icon="trash" isBusy=${drop.isBusy} onClick=${() => drop.run()}>Delete<//>`}
      </div>
    </div>
  </li>`;
}
