// What the clinic says about itself: the receptionist knows it on the next call.
import { changed, useAction, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html, useMemo, useState } from '../lib/html.js';
import { session } from '../lib/session.js';
import { Area, Button, Card, Facts, Form, Id, Loaded, PageHead, Problem, Select, Text, toast } from '../lib/ui.js';

const KNOWN = ['Europe/London', 'Europe/Dublin', 'America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles', 'America/Toronto', 'America/Vancouver', 'Australia/Sydney', 'Australia/Melbourne', 'Australia/Brisbane', 'Australia/Perth'];

function Editor({ clinic }) {
  const here = useHere();
  const [form, setForm] = useState({
    name: clinic.name ?? '',
    time_zone: clinic.time_zone,
    address: clinic.address ?? '',
    text: clinic.notice?.text ?? '',
    until: clinic.notice?.until ?? '',
    emails: clinic.alert_emails.join('\n'),
    sender: clinic.sender_name ?? '',
  });
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const zones = useMemo(() => {
    const all = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];
    return [...new Set([clinic.time_zone, ...KNOWN, ...all])];
  }, [clinic.time_zone]);
  const emails = form.emails.split(/[\s,;]+/).filter(Boolean);
  const action = useAction(async (send) => {
    await send('PATCH', '/api/clinic', {
      time_zone: form.time_zone,
      ...(form.name.trim() && { name: form.name.trim() }),
      address: form.address.trim(),
      notice: form.text.trim() ? { text: form.text.trim(), until: form.until } : { text: '' },
      alert_emails: emails,
      ...(form.sender.trim() !== (clinic.sender_name ?? '') && { sender_name: form.sender.trim() }),
    });
    changed('/api/clinic');
    toast('Saved. The receptionist knows it on the next call.');
  });
  const submit = () => {
    const wrong = {
      until: form.text.trim() && !form.until ? 'Until when does it hold?' : '',
      emails: emails.length > 5 ? 'At most five addresses.' : emails.some((one) => !one.includes('@')) ? 'One of these is no address.' : '',
    };
    setErrors(wrong);
    if (!Object.values(wrong).some(Boolean)) action.run();
  };
  const set = (/** @type {string} */ name) => (/** @type {string} */ value) => setForm({ ...form, [name]: value });
  const readonly = !here.mayChange;
  return html`<${Form} onSubmit=${submit}>
    <div class="stack">
      <div class="fields">
        <${Text} label="Name" value=${form.name} onInput=${set('name')} readonly=${readonly} hint="What patients know the clinic by." />
        <${Select} label="Time zone" value=${form.time_zone} onInput=${set('time_zone')} disabled=${readonly} options=${zones.map((zone) => [zone, zone.replaceAll('_', ' ')])} hint="Every time here is shown in it." />
      </div>
      <${Text} label="Address" maxlength="200" value=${form.address} onInput=${set('address')} readonly=${readonly} hint="Where callers find it." />
      <${Area} label="Notice" rows=${2} maxlength="300" value=${form.text} onInput=${set('text')} readonly=${readonly} hint="What callers are told for some time, such as “Closed on Friday.” Empty for none." />
      ${form.text.trim() && html`<div class="fields"><${Text} label="It holds until, and on" type="date" value=${form.until} onInput=${set('until')} error=${errors.until} readonly=${readonly} /></div>`}
      <div class="fields"><${Text} label="Sender of texts" maxlength="11" autocomplete="off" spellcheck="false" value=${form.sender} onInput=${set('sender')} readonly=${readonly} hint="What patients’ telephones show: at most 11 letters and figures. Texts are paid for from the wallet; without a name none is sent." /></div>
      <${Area} label="Told at once of an emergency" rows=${3} value=${form.emails} onInput=${set('emails')} error=${errors.emails} readonly=${readonly} hint="E-mail addresses, one a line, at most five." />
      <${Problem} failure=${action.failure} />
      ${here.mayChange && html`<div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Save<//></div>`}
    </div>
  <//>`;
}

/** When calls are answered, and to which line they go else. */
function Answering({ clinic }) {
  const here = useHere();
  const [form, setForm] = useState({ answering: clinic.answering, line: clinic.main_line ?? '' });
  const [error, setError] = useState('');
  const action = useAction(async (send) => {
    await send('PATCH', '/api/clinic', { answering: form.answering, main_line: form.line.replaceAll(/[\s().-]/g, '') });
    changed('/api/clinic');
    toast('Saved. It holds from the next call on.');
  });
  const submit = () => {
    const wrong = form.answering !== 'always' && !form.line.trim() ? 'To which line are calls put through then?' : '';
    setError(wrong);
    if (!wrong) action.run();
  };
  const readonly = !here.mayChange;
  return html`<${Form} onSubmit=${submit}>
    <div class="stack">
      <div class="fields">
        <${Select} label="The receptionist answers" value=${form.answering} disabled=${readonly} onInput=${(answering) => setForm({ ...form, answering })} options=${[['always', 'Always'], ['outside_hours', 'Outside working hours'], ['paused', 'Not for now']]} />
        <${Text} label="The clinic’s own line" type="tel" autocomplete="off" value=${form.line} onInput=${(line) => setForm({ ...form, line })} error=${error} readonly=${readonly} hint="While she does not answer, calls are put through to it. With its country." />
      </div>
      <${Problem} failure=${action.failure} />
      ${here.mayChange && html`<div class="form-actions"><${Button} type="submit" isBusy=${action.isBusy}>Save<//></div>`}
    </div>
  <//>`;
}

/** What is an emergency, and what a caller is told then: the clinic's own, or what holds in its country. */
function Emergencies({ clinic }) {
  const here = useHere();
  const [form, setForm] = useState({ flags: (clinic.red_flags ?? []).join('\n'), sentence: clinic.emergency_sentence ?? '' });
  const flags = form.flags.split('\n').map((line) => line.trim()).filter(Boolean);
  const action = useAction(async (send) => {
    await send('PATCH', '/api/clinic', { red_flags: flags.length > 0 ? flags : null, emergency_sentence: form.sentence.trim() });
    changed('/api/clinic');
    toast('Saved. It holds from the next call on.');
  });
  const readonly = !here.mayChange;
  return html`<${Form} onSubmit=${() => action.run()}>
    <div class="stack">
      <div>
        <p class="strong">In force</p>
        <p class="wrap">“${clinic.in_force.emergency_sentence}”</p>
        <p class="sub wrap">When a caller speaks of ${clinic.in_force.red_flags.join('; ')}.</p>
      </div>
      <${Area} label="The clinic’s own red flags" rows=${5} value=${form.flags} onInput=${(next) => setForm({ ...form, flags: next })} readonly=${readonly} hint="One a line, at most fifteen. Empty for those of its country." />
      <${Area} label="The clinic’s own sentence" rows=${2} maxlength="250" value=${form.sentence} onInput=${(next) => setForm({ ...form, sentence: next })} readonly=${readonly} hint="It names the emergency number. Empty for the sentence of its country." />
      <${Problem} failure=${action.failure} />
      ${here.mayChange && html`<div class="form-actions"><${Button} type="submit" isBusy=${action.isBusy}>Save<//></div>`}
    </div>
  <//>`;
}

export default function Clinic() {
  const clinic = useGet('/api/clinic');
  const { org } = session.get();
  return html`<div class="page">
    <${PageHead} title="Clinic" sub="The receptionist says these facts, and no others, of the clinic." />
    <${Card} title="Facts"><${Loaded} from=${clinic} lines=${8}>${(data) => html`<${Editor} clinic=${data} />`}<//><//>
    ${
      clinic.data?.in_force &&
      html`<${Card} title="When she answers"><${Answering} clinic=${clinic.data} /><//>
        <${Card} title="Emergencies" sub="The receptionist books nothing then: she says the sentence, and the clinic’s people are told at once."><${Emergencies} clinic=${clinic.data} /><//>`
    }
    ${org && html`<${Card} title="For support"><${Facts} items=${[['The clinic’s id', html`<${Id} value=${org} what="clinic’s id" />`]]} /><//>`}
  </div>`;
}
