// Whom the clinic knows.
import { changed, query, useAction, usePages } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html, useState } from '../lib/html.js';
import { phone } from '../lib/phone.js';
import { go, useRoute } from '../lib/router.js';
import { shortMoment } from '../lib/time.js';
import { Button, Card, Dialog, Empty, Form, More, PageHead, Problem, Search, Skeleton, Table, Text } from '../lib/ui.js';

function Add({ onClose }) {
  const [form, setForm] = useState({ name: '', phone: '', email: '' });
  const [error, setError] = useState('');
  const action = useAction(async (send) => {
    const number = form.phone.replaceAll(/[\s().-]/g, '');
    const { data } = await send('POST', '/api/contacts', { contact_name: form.name.trim(), ...(number && { phone_number: number }), ...(form.email.trim() && { email: form.email.trim() }) });
    changed('/api/contacts');
    go(`/contacts/${encodeURIComponent(data.id)}`);
  });
  const submit = () => {
    setError(form.name.trim() ? '' : 'What is the name?');
    if (form.name.trim()) action.run();
  };
  const set = (/** @type {string} */ name) => (/** @type {string} */ value) => setForm({ ...form, [name]: value });
  return html`<${Dialog} title="Add a contact" onClose=${onClose}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <${Text} label="Name" autocomplete="off" maxlength="80" value=${form.name} onInput=${set('name')} error=${error} />
        <${Text} label="Phone" type="tel" autocomplete="off" value=${form.phone} onInput=${set('phone')} hint="With its country, such as +44 7700 900123." />
        <${Text} label="E-mail" type="email" autocomplete="off" value=${form.email} onInput=${set('email')} />
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Add<//><${Button} onClick=${onClose}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

/** Nobody to show: of all, of those whom a search finds, or of the newest of them alone. */
function Nobody({ sought, hasMore }) {
  if (!sought) return html`<${Empty} icon="contacts" title="The clinic knows nobody yet.">Who books by phone stands here from then on; or add somebody.<//>`;
  if (hasMore) return html`<${Empty} icon="search" title="Nobody like that among those looked through.">There are others, who were changed longer ago.<//>`;
  return html`<${Empty} icon="search" title="Nobody like that.">A name is found by how any of its words begins, a number as it is dialled, an address by how it begins.<//>`;
}

export default function Contacts() {
  const here = useHere();
  const route = useRoute();
  // What is looked for is a name or a number: no address shows it.
  const sought = route.kept('search');
  const pages = usePages(query('/api/contacts', { limit: 50, search: sought }), 'contacts');
  const columns = [
    { name: 'name', label: 'Name', main: true, cell: (one) => one.contact_name },
    { name: 'phone', label: 'Phone', cell: (one) => html`<span class="num">${one.phone_number ? phone(one.phone_number) : '–'}</span>` },
    { name: 'email', label: 'E-mail', long: true, cell: (one) => one.email ?? '–' },
    { name: 'changed', label: 'Last changed', quiet: true, cell: (one) => html`<span class="num">${shortMoment(one.updated_at, here.zone)}</span>` },
  ];
  return html`<div class="page">
    <${PageHead} title="Contacts" sub="Everybody who has booked, and whom staff added. The last changed stands first." actions=${here.mayKeepDiary && html`<${Button} kind="primary" icon="plus" onClick=${() => route.set({ new: '1' })}>Add<//>`} />
    <div class="filters"><${Search} label="Name, number or e-mail" value=${sought} onInput=${(words) => route.keep('search', words)} /></div>
    <${Card} kind="card-flush">
      ${
        pages.items === null
          ? pages.failure
            ? html`<${Problem} failure=${pages.failure} onRetry=${pages.reload} />`
            : html`<${Skeleton} lines=${10} />`
          : pages.items.length === 0
            ? html`<${Nobody} sought=${sought} hasMore=${pages.hasMore} />`
            : html`<${Table} caption="Contacts" columns=${columns} rows=${pages.items} rowKey=${(one) => one.id} rowTo=${(one) => `/contacts/${encodeURIComponent(one.id)}`} />`
      }
      <${More} pages=${pages} />
    <//>
    ${route.value('new') === '1' && here.mayKeepDiary && html`<${Add} onClose=${() => route.set({ new: null })} />`}
  </div>`;
}
