// The clinic's numbers: what there is, and how one is bought, brought or given up.
import { changed, query, useAction, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html, useState } from '../lib/html.js';
import { money } from '../lib/money.js';
import { phone } from '../lib/phone.js';
import { moment } from '../lib/time.js';
import { Badge, Button, Card, Confirm, Copy, Dialog, Empty, Facts, Form, Icon, Id, Loaded, Note, PageHead, Problem, Select, Skeleton, Text, classes, toast } from '../lib/ui.js';
import { numberBadge } from '../lib/words.js';

const COUNTRIES = [['GB', 'United Kingdom'], ['US', 'United States'], ['CA', 'Canada'], ['AU', 'Australia']];
/** The steps of a purchase in their order. */
const STEPS = [['claimed', 'Asked for'], ['charged', 'Paid from the wallet'], ['bought', 'Bought from the carrier'], ['imported', 'Known to the voice service'], ['active', 'In use']];
const TELEPHONY = ['/api/managed-telephony', '/api/phone-settings', '/api/integrations', '/api/billing/wallet', '/api/agents', '/api/founder-console'];

function Progress({ status }) {
  const at = STEPS.findIndex(([name]) => name === status);
  if (at < 0) return html`<${Note} tone="warn">It could not be set up, and what was charged is being given back.<//>`;
  return html`<ol class="progress">
    ${STEPS.map(
      ([name, label], step) => html`<li key=${name} class=${classes(step <= at && 'is-done', step === at + 1 && 'is-now')}>
        <span class="mark">${step <= at ? html`<${Icon} name="check" size=${16} />` : step === at + 1 ? html`<span class="spinner" aria-hidden="true"></span>` : '·'}</span>${label}
      </li>`,
    )}
  </ol>`;
}

function Address({ value, onInput }) {
  const set = (/** @type {string} */ name) => (/** @type {string} */ text) => onInput({ ...value, [name]: text });
  return html`<fieldset><legend>The clinic’s address, which the carrier asks for</legend>
    <div class="fields">
      <${Text} label="Name" maxlength="100" autocomplete="organization" value=${value.customerName} onInput=${set('customerName')} />
      <${Text} label="Street" maxlength="100" autocomplete="street-address" value=${value.street} onInput=${set('street')} />
      <${Text} label="City" maxlength="100" value=${value.city} onInput=${set('city')} />
      <${Text} label="Region" maxlength="100" value=${value.region} onInput=${set('region')} />
      <${Text} label="Postcode" maxlength="100" autocomplete="postal-code" value=${value.postalCode} onInput=${set('postalCode')} />
    </div>
  </fieldset>`;
}

function Buy({ direction, onClose }) {
  const [form, setForm] = useState({ country: 'GB', numberType: 'local', areaCode: '' });
  const [asked, setAsked] = useState(/** @type {string | null} */ (null));
  const [chosen, setChosen] = useState('');
  const [address, setAddress] = useState({ customerName: '', street: '', city: '', region: '', postalCode: '' });
  const [needsAddress, setNeedsAddress] = useState(false);
  const found = useGet(asked);
  const set = (/** @type {string} */ name) => (/** @type {string} */ value) => {
    setForm({ ...form, [name]: value });
    setAsked(null);
    setChosen('');
  };
  const search = () => {
    setChosen('');
    setAsked(query('/api/managed-telephony/available-numbers', { ...form, areaCode: form.areaCode.trim(), limit: 12 }));
  };
  const action = useAction(async (send) => {
    const withAddress = needsAddress && Object.values(address).some(Boolean);
    const { status, data } = await send('POST', '/api/managed-telephony/provision', {
      country: form.country,
      numberType: form.numberType,
      direction,
      ...(chosen ? { phoneNumber: chosen } : form.areaCode.trim() && { areaCode: form.areaCode.trim() }),
      ...(withAddress && { address }),
    });
    changed(...TELEPHONY);
    toast(status === 201 ? `${phone(data.phoneNumber)} is the clinic’s.` : 'The number is being set up: its progress stands on this page.');
    onClose();
  });
  const failed = action.failure;
  if (failed?.code === 'address_required' && !needsAddress) setNeedsAddress(true);
  return html`<${Dialog} title=${direction === 'inbound' ? 'Buy a number that patients ring' : 'Buy a number to ring from'} wide onClose=${onClose}>
    <div class="stack">
      <${Form} onSubmit=${search}>
        <div class="filters">
          <${Select} label="Country" value=${form.country} onInput=${set('country')} options=${COUNTRIES} />
          <${Select} label="Kind" value=${form.numberType} onInput=${set('numberType')} options=${[['local', 'Local'], ['toll_free', 'Free for callers']]} />
          <${Text} label="Area code" inputmode="numeric" maxlength="6" value=${form.areaCode} onInput=${set('areaCode')} />
          <${Button} type="submit" icon="search" isBusy=${found.isLoading && asked !== null}>Search<//>
        </div>
      <//>
      ${
        asked &&
        html`<${Loaded} from=${found} lines=${3}>
          ${(data) =>
            data.numbers.length === 0
              ? html`<${Empty} icon="search" title="There is none of that kind.">Try another area code or kind.<//>`
              : html`<div class="choices" role="group" aria-label="Numbers">${data.numbers.map((one) => html`<button key=${one.phoneNumber} type="button" class="choice" aria-pressed=${chosen === one.phoneNumber ? 'true' : 'false'} onClick=${() => setChosen(one.phoneNumber)}><span class="num strong">${phone(one.phoneNumber)}</span><small>${[one.locality, one.region].filter(Boolean).join(', ') || ' '}</small></button>`)}</div>`}
        <//>`
      }
      ${needsAddress && html`<${Address} value=${address} onInput=${setAddress} />`}
      ${found.data && html`<p class="sub">A number costs ${money(found.data.costPence)}, paid from the wallet now. If it cannot be set up, the money comes back.</p>`}
      <${Problem} failure=${failed} />
      ${failed?.more.shortfallPence && html`<p>${money(failed.more.shortfallPence)} is missing: the wallet has ${money(failed.more.current)}.</p>`}
      <div class="form-actions"><${Button} kind="primary" isBusy=${action.isBusy} disabled=${!chosen} onClick=${() => action.run()}>${chosen ? `Buy ${phone(chosen)} for ${money(found.data.costPence)}` : 'Choose a number'}<//><${Button} onClick=${onClose}>Cancel<//></div>
    </div>
  <//>`;
}

function Connect({ direction, onClose }) {
  const [form, setForm] = useState({ accountSid: '', authToken: '', phoneNumber: '' });
  const [error, setError] = useState('');
  const action = useAction(async (send) => {
    const { status } = await send('POST', '/api/integrations/twilio', { accountSid: form.accountSid.trim(), authToken: form.authToken.trim(), phoneNumber: form.phoneNumber.replaceAll(/[\s().-]/g, ''), type: direction });
    changed(...TELEPHONY);
    toast(status === 201 ? 'The number is connected.' : 'The number is being connected: its progress stands on this page.');
    onClose();
  });
  const set = (/** @type {string} */ name) => (/** @type {string} */ value) => setForm({ ...form, [name]: value });
  const submit = () => {
    if (Object.values(form).some((value) => !value.trim())) setError('Fill in all three, as Twilio’s console shows them.');
    else {
      setError('');
      action.run();
    }
  };
  return html`<${Dialog} title="Connect a number of your own" onClose=${onClose}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <p class="sub">A number in the clinic’s own account at Twilio. Nothing is charged for it here; the token is kept sealed.</p>
        <${Text} label="Account SID" autocomplete="off" spellcheck="false" value=${form.accountSid} onInput=${set('accountSid')} hint="AC and 32 digits and letters." />
        <${Text} label="Auth token" type="password" autocomplete="off" value=${form.authToken} onInput=${set('authToken')} />
        <${Text} label="Phone number" type="tel" autocomplete="off" value=${form.phoneNumber} onInput=${set('phoneNumber')} hint="With its country, such as +44 20 7183 8750." />
        ${error && html`<div role="alert"><${Note} tone="bad">${error}<//></div>`}
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Connect<//><${Button} onClick=${onClose}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

function GiveUp({ number, onClose }) {
  const action = useAction(async (send) => {
    const { status } = await send('DELETE', `/api/managed-telephony/numbers/${encodeURIComponent(number.phoneNumber)}`);
    changed(...TELEPHONY);
    toast(status === 200 ? `${phone(number.phoneNumber)} is given up.` : 'A provider has not confirmed yet. Ask again in a minute.');
    onClose();
  });
  return html`<${Confirm} title=${`Give up ${phone(number.phoneNumber)}?`} verb="Give it up" danger action=${action} onClose=${onClose} onConfirm=${() => action.run()}>
    <p>It takes no call from now on${number.isManaged ? ', and cannot be had back' : '; in the clinic’s own account at Twilio it stays'}. What it cost is not given back.</p>
  <//>`;
}

function Line({ direction, number, purchase, agent }) {
  const here = useHere();
  const [dialog, setDialog] = useState('');
  const again = useAction(async (send) => {
    await send('DELETE', `/api/managed-telephony/numbers/${encodeURIComponent(number.phoneNumber)}`);
    changed(...TELEPHONY);
  });
  const link = useAction(async (send) => {
    await send('POST', '/api/integrations/vapi/assign-number', { vapiPhoneId: number.vapiPhoneId, role: direction });
    changed(...TELEPHONY);
    toast('The agent has the number.');
  });
  const inbound = direction === 'inbound';
  const isLinked = number && agent?.vapiPhoneNumberId === number.vapiPhoneId;
  const isActive = number?.status === 'active';
  return html`<${Card} title=${inbound ? 'Patients ring' : 'The agent rings from'} actions=${number && numberBadge(number.status)}>
    ${
      number
        ? html`<div class="stack">
            <p class="id num" style=${{ fontSize: '1.375rem', fontWeight: 620 }}>${phone(number.phoneNumber)}<${Copy} value=${number.phoneNumber} what="number" /></p>
            <${Facts}
              items=${[
                ['Whose', number.isManaged ? 'Bought here' : 'The clinic’s own, at Twilio'],
                number.isManaged && ['Cost', money(number.costPence)],
                ['Since', html`<span class="num">${moment(number.purchasedAt, here.zone)}</span>`],
                agent && ['Agent', isLinked ? agent.name : html`<${Badge} tone="warn">No agent has it<//>`],
                ['Id', html`<${Id} value=${number.vapiPhoneId} what="number’s id" />`],
              ]}
            />
            <${Problem} failure=${again.failure ?? link.failure} />
            ${number.status === 'releasing' && html`<${Note} tone="warn" actions=${here.mayChange && html`<${Button} small icon="refresh" isBusy=${again.isBusy} onClick=${() => again.run()}>Ask again<//>`}>A provider has not confirmed yet that it is given up.<//>`}
            ${isActive && here.mayChange && html`<div class="form-actions">${agent && !isLinked && html`<${Button} isBusy=${link.isBusy} onClick=${() => link.run()}>Give it to the agent<//>`}<${Button} icon="trash" onClick=${() => setDialog('give-up')}>Give it up<//></div>`}
          </div>`
        : purchase
          ? html`<div class="stack"><p class="sub">Begun ${moment(purchase.startedAt, here.zone)}. This page follows it.</p><${Progress} status=${purchase.status} /></div>`
          : html`<${Empty}
              icon=${inbound ? 'phoneIn' : 'phoneOut'}
              title=${inbound ? 'Nobody can ring yet.' : 'The agent cannot ring anybody yet.'}
              action=${here.mayChange && html`<${Button} kind="primary" onClick=${() => setDialog('buy')}>Buy a number<//><${Button} onClick=${() => setDialog('connect')}>Connect your own<//>`}
            >
              ${inbound ? 'Buy a number, or connect one that the clinic has at Twilio; then divert the main line to it.' : 'Buy a number to ring from, or connect one that the clinic has at Twilio.'}
            <//>`
    }
    ${dialog === 'buy' && html`<${Buy} direction=${direction} onClose=${() => setDialog('')} />`}
    ${dialog === 'connect' && html`<${Connect} direction=${direction} onClose=${() => setDialog('')} />`}
    ${dialog === 'give-up' && number && html`<${GiveUp} number=${number} onClose=${() => setDialog('')} />`}
  <//>`;
}

export default function Numbers() {
  const status = useGet('/api/managed-telephony/phone-status', { every: (data) => (data?.purchases.length || data?.numbers.some((one) => one.status === 'releasing') ? 2_000 : 30_000) });
  const agents = useGet('/api/agents');
  const of = (/** @type {any[]} */ list, /** @type {string} */ direction) => list.find((one) => one.direction === direction && one.status !== 'released') ?? null;
  return html`<div class="page">
    <${PageHead} title="Numbers" sub="One that patients ring, and one that the agent rings from." />
    ${
      status.data
        ? html`<${Problem} failure=${status.failure} onRetry=${status.reload} />
            <${Problem} failure=${agents.failure} onRetry=${agents.reload} isBusy=${agents.isLoading} />
            <div class="columns">
              ${['inbound', 'outbound'].map((direction) => html`<${Line} key=${direction} direction=${direction} number=${of(status.data.numbers, direction)} purchase=${of(status.data.purchases, direction)} agent=${agents.data?.agents.find((one) => one.role === direction)} />`)}
            </div>`
        : status.failure
          ? html`<${Problem} failure=${status.failure} onRetry=${status.reload} isBusy=${status.isLoading} />`
          : html`<div class="columns"><${Skeleton} height="300px" /><${Skeleton} height="300px" /></div>`
    }
  </div>`;
}
