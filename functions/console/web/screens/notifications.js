// Everything the clinic was told.
import { changed, query, useAction, usePages } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html } from '../lib/html.js';
import { Notice } from '../lib/notices.js';
import { useRoute } from '../lib/router.js';
import { Button, Card, Empty, More, PageHead, Problem, Segments, Select, Skeleton, toast } from '../lib/ui.js';

export default function Notifications() {
  const here = useHere();
  const route = useRoute();
  const status = route.value('status') || 'all';
  const type = route.value('type');
  const pages = usePages(query('/api/notifications', { status, type, limit: 30 }), 'notifications');
  const all = useAction(async (send) => {
    const { data } = await send('POST', '/api/notifications/mark-all-read');
    changed('/api/notifications');
    await pages.reload();
    toast(data.has_more ? 'Marked the newest 100. There are more.' : 'Marked what can wait. Emergencies stay until each is seen to.');
  });
  return html`<div class="page">
    <${PageHead}
      title="Notifications"
      sub="What callers left, what cannot wait, and what went wrong."
      actions=${here.mayKeepDiary && html`<${Button} icon="check" isBusy=${all.isBusy} onClick=${() => all.run()}>Mark all as read<//>`}
    />
    <${Problem} failure=${all.failure} />
    <div class="filters">
      <${Segments} label="Which" value=${status} onInput=${(next) => route.set({ status: next === 'all' ? null : next })} options=${[['all', 'All'], ['unread', 'Unread'], ['read', 'Read']]} />
      <${Select} label="Kind" value=${type} onInput=${(next) => route.set({ type: next })} options=${[['', 'Every kind'], ['message_taken', 'Messages'], ['emergency', 'Emergencies'], ['calendar_problem', 'Calendar'], ['payment_problem', 'Payments']]} />
    </div>
    <${Card}>
      ${
        pages.items === null
          ? pages.failure
            ? html`<${Problem} failure=${pages.failure} onRetry=${pages.reload} />`
            : html`<${Skeleton} lines=${8} />`
          : pages.items.length === 0
            ? html`<${Empty} icon="bell" title="There is nothing here.">Messages that callers leave stand here, with the number to ring back.<//>`
            : html`<ul class="notices">${pages.items.map((item) => html`<${Notice} key=${item.id} item=${item} canDelete />`)}</ul>`
      }
      <${More} pages=${pages} />
    <//>
  </div>`;
}
