// The way to the first call: each step is done when the facts say so.
import { useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html } from '../lib/html.js';
import { money } from '../lib/money.js';
import { phone } from '../lib/phone.js';
import { ButtonLink, Card, Icon, Note, PageHead, Problem, Skeleton, classes } from '../lib/ui.js';

/** A minute's money at 56p, and a little: what a first call needs. */
const ENOUGH = 280;

export default function Start() {
  const here = useHere();
  const reads = {
    clinic: useGet('/api/clinic'),
    wallet: useGet('/api/billing/wallet', { every: 20_000 }),
    numbers: useGet('/api/managed-telephony/phone-status', { every: 20_000 }),
    agents: useGet('/api/agents', { every: 20_000 }),
    services: useGet('/api/services'),
    resources: useGet('/api/resources'),
    google: useGet('/api/google-oauth/status'),
    calls: useGet('/api/calls-dashboard?call_type=inbound&limit=1', { every: 20_000 }),
  };
  const all = Object.values(reads);
  const failed = all.find((one) => one.failure && !one.data);
  if (failed) return html`<div class="page"><${PageHead} title="Start" /><${Problem} failure=${failed.failure} onRetry=${() => Promise.all(all.map((one) => one.reload()))} /></div>`;
  if (all.some((one) => !one.data)) return html`<div class="page"><${PageHead} title="Start" sub="From an empty account to the first call." /><${Card}><${Skeleton} lines=${12} /><//></div>`;

  const of = Object.fromEntries(Object.entries(reads).map(([name, read]) => [name, read.data]));
  const inbound = of.numbers.numbers.find((one) => one.direction === 'inbound' && one.status === 'active');
  const agent = of.agents.agents.find((one) => one.role === 'inbound');
  const works = of.resources.resources.filter((one) => Object.keys(one.weekly).length > 0);
  const steps = [
    { name: 'Say who the clinic is', isDone: Boolean(of.clinic.name && of.clinic.address), said: of.clinic.name ? `${of.clinic.name}${of.clinic.address ? `, ${of.clinic.address}` : ': the address is missing.'}` : 'Name, address and time zone: callers are told them.', to: '/clinic', verb: 'To the facts' },
    { name: 'Put money in', isDone: of.wallet.available_pence >= ENOUGH, said: of.wallet.available_pence >= ENOUGH ? `${money(of.wallet.available_pence)} is available.` : `A call needs a minute’s money to begin; five minutes are ${money(ENOUGH)}.`, to: '/wallet?topup=open', verb: 'Top up' },
    { name: 'Have a number', isDone: Boolean(inbound), said: inbound ? `${phone(inbound.phoneNumber)} is active.` : 'Buy one, or connect one that the clinic has.', to: '/numbers', verb: 'To the numbers' },
    { name: 'Make the agent the clinic’s own', isDone: agent?.sync === 'synced' && Boolean(inbound) && agent.vapiPhoneNumberId === inbound?.vapiPhoneId, said: agent?.sync === 'failed' ? 'The voice service does not take it as it is.' : inbound && agent?.vapiPhoneNumberId !== inbound.vapiPhoneId ? 'The agent does not have the number yet.' : agent?.sync === 'synced' ? `${agent.name} is ready.` : 'What it says and how it sounds.', to: '/agents', verb: 'To the agent' },
    { name: 'Say what can be booked, and when', isDone: of.services.services.length > 0 && works.length > 0, said: of.services.services.length > 0 ? `${of.services.services.length} ${of.services.services.length === 1 ? 'service' : 'services'}, ${works.length} with hours.` : 'People and rooms with their hours, then the services.', to: of.resources.resources.length > 0 ? '/calendar/services' : '/calendar/hours', verb: 'To the services' },
    { name: 'Connect the calendar', isDone: of.google.connected && of.google.calendars > 0, said: of.google.connected ? (of.google.calendars > 0 ? `${of.google.calendars} in use.` : 'Connected: say whose time each calendar is.') : 'So that what stands in Google Calendar blocks times, and appointments stand there.', to: '/calendar/sync', verb: 'To the calendar' },
    { name: 'Divert the main line and ring it', isDone: of.calls.pagination.total > 0, said: of.calls.pagination.total > 0 ? 'A call has come.' : inbound ? `Have the clinic’s carrier divert the main line to ${phone(inbound.phoneNumber)}, then ring the main line. The call shows itself under Today.` : 'Once there is a number, the main line is diverted to it.', to: '/today', verb: 'Watch it ring' },
  ];
  const done = steps.filter((step) => step.isDone).length;
  return html`<div class="page">
    <${PageHead} title="Start" sub=${`${done} of ${steps.length} steps are done.`} />
    ${done === steps.length && html`<${Note} tone="good" title="All is set.">The receptionist answers, books, and is paid for. Today shows what goes on.<//>`}
    <${Card}>
      <ol class="steps">
        ${steps.map(
          (step, at) => html`<li key=${step.name} class=${classes(step.isDone && 'step-done')}>
            <span class="step-mark">${step.isDone ? html`<${Icon} name="check" size=${16} /><span class="unseen">Done</span>` : at + 1}</span>
            <div><h2>${step.name}</h2><p class="sub">${step.said}</p></div>
            <div class="actions"><${ButtonLink} small to=${step.to} kind=${!step.isDone && here.mayChange && steps.findIndex((one) => !one.isDone) === at ? 'primary' : 'plain'}>${step.verb}<//></div>
          </li>`,
        )}
      </ol>
    <//>
  </div>`;
}
