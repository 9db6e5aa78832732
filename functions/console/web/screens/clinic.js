// What the clinic says about itself: the receptionist knows it on the next call.
import { changed, failureOf, useAction, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { Disputed, useDraft } from '../lib/draft.js';
import { html, useMemo, useState } from '../lib/html.js';
import { session } from '../lib/session.js';
import { Area, Button, Card, Facts, Form, Id, Loaded, PageHead, Problem, Select, Text, toast } from '../lib/ui.js';

const KNOWN = ['Europe/London', 'Europe/Dublin', 'America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles', 'America/Toronto', 'America/Vancouver', 'Australia/Sydney', 'Australia/Melbourne', 'Australia/Brisbane', 'Australia/Perth'];

/** What is written of the clinic, as texts. @param {any} clinic */
const textsOf = (clinic) => ({
  name: clinic.name,
  time_zone: clinic.time_zone,
  address: clinic.address,
  notice: clinic.notice?.text,
  until: clinic.notice?.until,
  emails: clinic.alert_emails.join('\n'),
  sender: clinic.sender_name,
  reminders: clinic.reminders.join(),
  answering: clinic.answering,
  line: clinic.main_line,
  flags: (clinic.red_flags ?? []).join('\n'),
  sentence: clinic.emergency_sentence,
});

const LABELS = {
  name: 'Name',
  time_zone: 'Time zone',
  address: 'Address',
  notice: 'Notice',
  until: 'It holds until',
  emails: 'Told at once of an emergency',
  sender: 'Sender of texts',
  reminders: 'Patients are reminded',
  answering: 'The receptionist answers',
  line: 'The clinic’s own line',
  flags: 'The clinic’s own red flags',
  sentence: 'The clinic’s own sentence',
};

const recordOf = (/** @type {any} */ clinic) => ({ ...textsOf(clinic), version: clinic.version });

/**
 * A form over some of what the clinic says. Only what is written anew is sent, so that nothing else is touched; and nothing where
 * another has changed the clinic since it was read, until this person has seen it.
 * @param {any} clinic
 * @param {readonly (keyof typeof LABELS)[]} names
 * @param {(form: Record<string, string>) => Record<string, unknown>} bodyOf each value by the name of its text
 * @param {string} done what is said then
 */
function useClinicForm(clinic, names, bodyOf, done) {
  const record = useMemo(() => recordOf(clinic), [clinic]);
  const draft = useDraft(record, names);
  const action = useAction(async (send) => {
    try {
      const { data } = await send('PATCH', '/api/clinic', { ...bodyOf(draft.form), version: draft.base.version });
      draft.saved(recordOf(data));
    } catch (error) {
      if (failureOf(error).code === 'version_conflict') changed('/api/clinic');
      throw error;
    }
    changed('/api/clinic');
    toast(done);
  });
  return { draft, form: draft.form, set: draft.set, action, isMine: (/** @type {string} */ name) => draft.form[name] !== (draft.base[name] ?? '') };
}

/** What follows the fields of each form: what did not work, what is disputed, and the button. */
function Ending({ of, primary = false }) {
  const here = useHere();
  const isDisputed = of.draft.disputed.length > 0;
  return html`${!isDisputed && html`<${Problem} failure=${of.action.failure} />`}
    <${Disputed} draft=${of.draft} labels=${LABELS} onSettled=${of.action.clear} />
    ${here.mayChange && html`<div class="form-actions"><${Button} kind=${primary ? 'primary' : 'plain'} type="submit" isBusy=${of.action.isBusy} disabled=${isDisputed || (!primary && of.draft.isSame)}>Save<//></div>`}`;
}

const addresses = (/** @type {string} */ text) => text.split(/[\s,;]+/).filter(Boolean);

function Editor({ clinic }) {
  const here = useHere();
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const zones = useMemo(() => {
    const all = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];
    return [...new Set([clinic.time_zone, ...KNOWN, ...all])];
  }, [clinic.time_zone]);
  const body = (/** @type {Record<string, string>} */ form) => ({
    // A clinic that has said nothing yet says its zone first.
    time_zone: form.time_zone,
    ...(of.isMine('name') && form.name.trim() && { name: form.name.trim() }),
    ...(of.isMine('address') && { address: form.address.trim() }),
    ...((of.isMine('notice') || of.isMine('until')) && { notice: form.notice.trim() ? { text: form.notice.trim(), until: form.until } : { text: '' } }),
    ...(of.isMine('emails') && { alert_emails: addresses(form.emails) }),
    ...(of.isMine('sender') && { sender_name: form.sender.trim() }),
    ...(of.isMine('reminders') && { reminders: form.reminders.split(',').filter(Boolean) }),
  });
  const of = useClinicForm(clinic, ['name', 'time_zone', 'address', 'notice', 'until', 'emails', 'sender', 'reminders'], body, 'Saved. The receptionist knows it on the next call.');
  const { form, set } = of;
  const emails = addresses(form.emails);
  const submit = () => {
    const wrong = {
      until: form.notice.trim() && !form.until ? 'Until when does it hold?' : '',
      emails: emails.length > 5 ? 'At most five addresses.' : emails.some((one) => !one.includes('@')) ? 'One of these is no address.' : '',
    };
    setErrors(wrong);
    if (!Object.values(wrong).some(Boolean)) of.action.run();
  };
  const readonly = !here.mayChange;
  return html`<${Form} onSubmit=${submit}>
    <div class="stack">
      <div class="fields">
        <${Text} label=${LABELS.name} value=${form.name} onInput=${set('name')} readonly=${readonly} hint="What patients know the clinic by." />
        <${Select} label=${LABELS.time_zone} value=${form.time_zone} onInput=${set('time_zone')} disabled=${readonly} options=${zones.map((zone) => [zone, zone.replaceAll('_', ' ')])} hint="Every time here is shown in it." />
      </div>
      <${Text} label=${LABELS.address} maxlength="200" value=${form.address} onInput=${set('address')} readonly=${readonly} hint="Where callers find it." />
      <${Area} label=${LABELS.notice} rows=${2} maxlength="300" value=${form.notice} onInput=${set('notice')} readonly=${readonly} hint="What callers are told for some time, such as “Closed on Friday.” Empty for none." />
      ${form.notice.trim() && html`<div class="fields"><${Text} label="It holds until, and on" type="date" value=${form.until} onInput=${set('until')} error=${errors.until} readonly=${readonly} /></div>`}
      <div class="fields"><${Text} label=${LABELS.sender} maxlength="11" autocomplete="off" spellcheck="false" value=${form.sender} onInput=${set('sender')} readonly=${readonly} hint="What patients’ telephones show: at most 11 letters and figures. Texts are paid for from the wallet; without a name none is sent." />
        <${Select} label=${LABELS.reminders} value=${form.reminders} onInput=${set('reminders')} disabled=${readonly} options=${REMINDERS} hint="By mail, and by text where texts are sent." /></div>
      <${Area} label=${LABELS.emails} rows=${3} value=${form.emails} onInput=${set('emails')} error=${errors.emails} readonly=${readonly} hint="E-mail addresses, one a line, at most five." />
      <${Ending} of=${of} primary />
    </div>
  <//>`;
}

const REMINDERS = [['', 'Never'], ['day_before', 'The day before'], ['two_hours_before', 'Two hours before'], ['day_before,two_hours_before', 'The day before, and two hours before']];

const ANSWERING = [['always', 'Always'], ['outside_hours', 'Outside working hours'], ['paused', 'Not for now']];

/** When calls are answered, and to which line they go else. */
function Answering({ clinic }) {
  const here = useHere();
  const [error, setError] = useState('');
  const body = (/** @type {Record<string, string>} */ form) => ({
    ...(of.isMine('answering') && { answering: form.answering }),
    ...(of.isMine('line') && { main_line: form.line.replaceAll(/[\s().-]/g, '') }),
  });
  const of = useClinicForm(clinic, ['answering', 'line'], body, 'Saved. It holds from the next call on.');
  const { form, set } = of;
  const submit = () => {
    const wrong = form.answering !== 'always' && !form.line.trim() ? 'To which line are calls put through then?' : '';
    setError(wrong);
    if (!wrong) of.action.run();
  };
  const readonly = !here.mayChange;
  return html`<${Form} onSubmit=${submit}>
    <div class="stack">
      <div class="fields">
        <${Select} label=${LABELS.answering} value=${form.answering} disabled=${readonly} onInput=${set('answering')} options=${ANSWERING} />
        <${Text} label=${LABELS.line} type="tel" autocomplete="off" value=${form.line} onInput=${set('line')} error=${error} readonly=${readonly} hint="While she does not answer, calls are put through to it. With its country." />
      </div>
      <${Ending} of=${of} />
    </div>
  <//>`;
}

const lines = (/** @type {string} */ text) => text.split('\n').map((line) => line.trim()).filter(Boolean);

/** What is an emergency, and what a caller is told then: the clinic's own, or what holds in its country. */
function Emergencies({ clinic }) {
  const here = useHere();
  const body = (/** @type {Record<string, string>} */ form) => ({
    ...(of.isMine('flags') && { red_flags: lines(form.flags).length > 0 ? lines(form.flags) : null }),
    ...(of.isMine('sentence') && { emergency_sentence: form.sentence.trim() }),
  });
  const of = useClinicForm(clinic, ['flags', 'sentence'], body, 'Saved. It holds from the next call on.');
  const { form, set } = of;
  const readonly = !here.mayChange;
  return html`<${Form} onSubmit=${() => of.action.run()}>
    <div class="stack">
      <div>
        <p class="strong">In force</p>
        <p class="wrap">“${clinic.in_force.emergency_sentence}”</p>
        <p class="sub wrap">When a caller speaks of ${clinic.in_force.red_flags.join('; ')}.</p>
      </div>
      <${Area} label=${LABELS.flags} rows=${5} value=${form.flags} onInput=${set('flags')} readonly=${readonly} hint="One a line, at most fifteen. Empty for those of its country." />
      <${Area} label=${LABELS.sentence} rows=${2} maxlength="250" value=${form.sentence} onInput=${set('sentence')} readonly=${readonly} hint="It names the emergency number. Empty for the sentence of its country." />
      <${Ending} of=${of} />
    </div>
  <//>`;
}

export default function Clinic() {
  const clinic = useGet('/api/clinic', { every: 30_000 });
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
