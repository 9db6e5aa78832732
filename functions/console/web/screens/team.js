// Who works at the clinic, and what each may do.
import { changed, useAction, useGet } from '../lib/api.js';
import { MAY, ROLES, useHere } from '../lib/clinic.js';
import { html, useState } from '../lib/html.js';
import { moment } from '../lib/time.js';
import { Badge, Button, Card, Confirm, Dialog, Empty, Form, Loaded, PageHead, Problem, Select, Table, Text, toast } from '../lib/ui.js';
import { plain } from '../lib/words.js';

const TEAM = '/api/team/members';
/** @type {Record<string, [string, string]>} */
const STATUS = {
  active: ['Active', 'good'],
  invited: ['Invited', 'info'],
  pending: ['On its way', 'quiet'],
  leaving: ['Leaving', 'warn'],
  elsewhere: ['Has an account at another clinic', 'bad'],
};
const CHOICES = ['owner', 'admin', 'staff', 'viewer'].map((role) => [role, ROLES[role]]);

function Invite({ onClose }) {
  const [email, setEmail] = useState('');
  const [role, setRole] = useState('staff');
  const [error, setError] = useState('');
  const action = useAction(async (send) => {
    const { status } = await send('POST', TEAM, { email: email.trim(), role });
    changed(TEAM);
    toast(status === 202 ? 'Noted. The invitation goes out in a moment.' : 'The invitation is on its way.');
    onClose();
  });
  const submit = () => {
    setError(email.includes('@') ? '' : 'Whom? An e-mail address.');
    if (email.includes('@')) action.run();
  };
  return html`<${Dialog} title="Invite somebody" onClose=${onClose}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <${Text} label="E-mail" type="email" autocomplete="off" value=${email} onInput=${setEmail} error=${error} hint="The invitation goes there." />
        <${Select} label="Role" value=${role} onInput=${setRole} options=${CHOICES} hint=${MAY[role]} />
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" icon="mail" isBusy=${action.isBusy}>Invite<//><${Button} onClick=${onClose}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

function ChangeRole({ person, onClose }) {
  const [role, setRole] = useState(person.role);
  const action = useAction(async (send) => {
    await send('PATCH', `${TEAM}/${encodeURIComponent(person.id)}`, { role });
    changed(TEAM);
    toast('Saved. It holds from their next sign-in, within the hour.');
    onClose();
  });
  return html`<${Dialog} title=${`What may ${person.email} do?`} onClose=${onClose}>
    <${Form} onSubmit=${() => action.run()}>
      <div class="stack">
        <${Select} label="Role" value=${role} onInput=${setRole} options=${CHOICES} hint=${MAY[role]} />
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy} disabled=${role === person.role}>Save<//><${Button} onClick=${onClose}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

function Remove({ person, onClose }) {
  const action = useAction(async (send) => {
    const { data } = await send('DELETE', `${TEAM}/${encodeURIComponent(person.id)}`);
    changed(TEAM);
    toast(data.removed ? `${person.email} does not belong to the clinic any more.` : `${person.email} is being removed: the sign-in service is told.`);
    onClose();
  });
  return html`<${Confirm} title=${`Remove ${person.email}?`} verb="Remove" danger action=${action} onClose=${onClose} onConfirm=${() => action.run()}>
    <p>What they may do ends with their sign-in, within the hour. What they did stays as it is.</p>
  <//>`;
}

export default function Team() {
  const here = useHere();
  const members = useGet(TEAM, { every: (data) => (data?.members.some((one) => ['pending', 'leaving'].includes(one.status)) ? 5_000 : 60_000) });
  const [dialog, setDialog] = useState(/** @type {{kind: string, person?: any} | null} */ (null));
  const close = () => setDialog(null);
  const columns = [
    { name: 'who', label: 'Who', main: true, cell: (one) => html`${one.email}${one.is_you ? html` <span class="sub">(you)</span>` : ''}` },
    { name: 'role', label: 'Role', cell: (one) => ROLES[one.role] ?? plain(one.role) },
    { name: 'status', label: 'Status', cell: (one) => html`<${Badge} tone=${(STATUS[one.status] ?? ['', 'quiet'])[1]}>${(STATUS[one.status] ?? [plain(one.status)])[0]}<//>` },
    { name: 'since', label: 'Since', cell: (one) => html`<span class="num">${moment(one.added_at, here.zone)}</span>` },
    here.mayChange && {
      name: 'actions',
      label: '',
      align: 'end',
      cell: (one) => html`<div class="actions" style=${{ justifyContent: 'flex-end' }}>
        <${Button} small icon="edit" aria-label=${`Change the role of ${one.email}`} onClick=${() => setDialog({ kind: 'role', person: one })}>Role<//>
        <${Button} small kind="ghost" icon="trash" label=${`Remove ${one.email}`} onClick=${() => setDialog({ kind: 'remove', person: one })} />
      </div>`,
    },
  ].filter(Boolean);
  return html`<div class="page">
    <${PageHead} title="Team" sub="Who works here, and what each may do." actions=${here.mayChange && html`<${Button} kind="primary" icon="plus" onClick=${() => setDialog({ kind: 'invite' })}>Invite<//>`} />
    <${Card} kind="card-flush">
      <${Loaded} from=${members} lines=${5}>
        ${(data) => (data.members.length === 0 ? html`<${Empty} icon="team" title="Nobody is listed yet.">Invite the people who keep the diary, or who look at the money.<//>` : html`<${Table} caption="The clinic’s people" columns=${columns} rows=${data.members} rowKey=${(one) => one.id} />`)}
      <//>
    <//>
    ${dialog?.kind === 'invite' && html`<${Invite} onClose=${close} />`}
    ${dialog?.kind === 'role' && html`<${ChangeRole} person=${dialog.person} onClose=${close} />`}
    ${dialog?.kind === 'remove' && html`<${Remove} person=${dialog.person} onClose=${close} />`}
  </div>`;
}
