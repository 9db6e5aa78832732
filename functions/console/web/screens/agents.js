// Both agents: what they say, how they sound, and what happens when two people save at once.
import { call, changed, failureOf, useAction, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html, useEffect, useLayoutEffect, useState } from '../lib/html.js';
import { phone } from '../lib/phone.js';
import { useRoute } from '../lib/router.js';
import { session } from '../lib/session.js';
import { duration } from '../lib/time.js';
import { Area, Button, Card, Copy, Form, Loaded, Note, PageHead, Problem, Segments, Select, Text, toast } from '../lib/ui.js';
import { agentBadge } from '../lib/words.js';

/** What an agent's voice may come from, and which languages it may listen for: as the API has them. */
const PROVIDERS = { '11labs': 'ElevenLabs', azure: 'Azure', cartesia: 'Cartesia', deepgram: 'Deepgram', hume: 'Hume', inworld: 'Inworld', lmnt: 'LMNT', minimax: 'MiniMax', neuphonic: 'Neuphonic', openai: 'OpenAI', playht: 'PlayHT', 'rime-ai': 'Rime', vapi: 'Vapi' };
const LANGUAGES = ['en', 'en-GB', 'en-US', 'en-AU', 'en-IN', 'en-NZ', 'de', 'es', 'fr', 'hi', 'it', 'ja', 'ko', 'nl', 'pl', 'pt', 'ru', 'sv', 'tr', 'uk'];
const names = new Intl.DisplayNames(['en-GB'], { type: 'language' });

const FIELDS = /** @type {const} */ ([
  ['name', 'Name'],
  ['firstMessage', 'First sentence'],
  ['systemPrompt', 'Instructions'],
  ['voiceProvider', 'Voice from'],
  ['voiceId', 'Voice'],
  ['language', 'Language'],
  ['maxDurationSeconds', 'Longest call (seconds)'],
  ['vapiPhoneNumberId', 'Number'],
]);

/** The parts of an agent that are edited. @param {any} agent */
const editable = (agent) => Object.fromEntries(FIELDS.map(([name]) => [name, agent[name] ?? (name === 'vapiPhoneNumberId' ? '' : agent[name])]));

/** Two versions side by side, where they differ: for each the one that holds is chosen. */
function Conflict({ mine, theirs, base, onTake }) {
  const differing = FIELDS.filter(([name]) => String(mine[name]) !== String(theirs[name]));
  const [choice, setChoice] = useState(/** @type {Record<string, string>} */ (Object.fromEntries(differing.map(([name]) => [name, String(mine[name]) !== String(base[name]) ? 'mine' : 'theirs']))));
  const take = () => onTake(Object.fromEntries(FIELDS.map(([name]) => [name, choice[name] === 'mine' ? mine[name] : theirs[name]])));
  return html`<div class="stack">
    <${Note} tone="warn" title="Somebody saved this agent while you were writing.">${differing.length === 0 ? 'What they saved is what you wrote.' : 'Choose for each difference which one holds, then save.'}<//>
    ${differing.map(
      ([name, label]) => html`<div class="stack" key=${name} style=${{ gap: '0.5rem' }}>
        <div class="row" style=${{ justifyContent: 'space-between' }}><h3>${label}</h3>
          <${Segments} label=${`Which ${label.toLowerCase()}`} value=${choice[name]} onInput=${(next) => setChoice({ ...choice, [name]: next })} options=${[['mine', 'Mine'], ['theirs', 'Theirs']]} /></div>
        <div class="compare">
          <div class=${choice[name] === 'mine' ? 'is-chosen' : ''}><p class="fine">Mine</p>${String(mine[name]) || '–'}</div>
          <div class=${choice[name] === 'theirs' ? 'is-chosen' : ''}><p class="fine">Theirs</p>${String(theirs[name]) || '–'}</div>
        </div>
      </div>`,
    )}
    <div class="form-actions"><${Button} kind="primary" onClick=${take}>Take these<//></div>
  </div>`;
}

/** What was written and not saved, while the page is open: who looks something up elsewhere finds it again. @type {Map<string, {base: any, form: any}>} */
const drafts = new Map();

/** As a form has it: all texts. @param {any} agent */
const formOf = (agent) => ({ ...editable(agent), maxDurationSeconds: String(agent.maxDurationSeconds) });

/** As the API has it. @param {any} form */
const agentOf = (form) => ({ ...form, maxDurationSeconds: Number(form.maxDurationSeconds) });

/** What is written of an agent, kept while the page is open, and compared with the version that it was filled from. @param {any} agent */
function useAgentDraft(agent) {
  const mine = `${session.get().org} ${session.get().user} ${agent.role}`;
  const draft = drafts.get(mine);
  const [base, setBase] = useState(draft?.base ?? agent);
  const [form, setForm] = useState(/** @type {any} */ (draft?.form ?? formOf(agent)));
  const isDirty = JSON.stringify(agentOf(form)) !== JSON.stringify(editable(base));
  useLayoutEffect(() => {
    if (isDirty) drafts.set(mine, { base, form });
    else drafts.delete(mine);
  }, [isDirty, base, form]);
  /** @param {any} from @param {any} [filled] */
  const fill = (from, filled = formOf(from)) => {
    setBase(from);
    setForm(filled);
  };
  // What is saved elsewhere is shown, unless somebody writes here.
  useEffect(() => {
    if (!isDirty && agent.version !== base.version) fill(agent);
  }, [agent.version]);
  useEffect(() => {
    if (!isDirty) return undefined;
    const warn = (/** @type {BeforeUnloadEvent} */ event) => event.preventDefault();
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, [isDirty]);
  return { base, form, isDirty, fill, set: (/** @type {string} */ name) => (/** @type {any} */ value) => setForm({ ...form, [name]: value }) };
}

/** What is wrong with a form, by field. @param {any} form @returns {Record<string, string>} */
function wrongIn(form) {
  return {
    name: form.name.trim() ? '' : 'Give it a name.',
    firstMessage: form.firstMessage.trim() ? '' : 'What does it say first?',
    systemPrompt: form.systemPrompt.trim() ? '' : 'What is it to do?',
    voiceId: form.voiceId.trim() ? '' : 'Name the voice, as its provider does.',
    maxDurationSeconds: /^\d+$/.test(form.maxDurationSeconds.trim()) && Number(form.maxDurationSeconds) >= 60 ? '' : 'A whole number of seconds, 60 or more.',
  };
}

function AgentFields({ draft, errors, numbers, readonly }) {
  const { form, set } = draft;
  return html`<div class="fields">
      <${Text} label="Name" maxlength="100" value=${form.name} onInput=${set('name')} error=${errors.name} readonly=${readonly} />
      <${Select} label="Number" value=${form.vapiPhoneNumberId} onInput=${set('vapiPhoneNumberId')} disabled=${readonly} options=${[['', 'None'], ...numbers.map((one) => [one.vapiPhoneId, phone(one.phoneNumber)])]} />
    </div>
    <${Area} label="First sentence" rows=${2} value=${form.firstMessage} onInput=${set('firstMessage')} error=${errors.firstMessage} readonly=${readonly} hint="What is said when the phone is picked up." />
    <${Area} label="Instructions" rows=${12} maxlength="20000" value=${form.systemPrompt} onInput=${set('systemPrompt')} error=${errors.systemPrompt} readonly=${readonly} hint=${`${form.systemPrompt.length.toLocaleString('en-GB')} of 20,000 characters. The day, the clinic’s facts and how to book are added to each call by themselves.`} />
    <div class="fields">
      <${Select} label="Voice from" value=${form.voiceProvider} onInput=${set('voiceProvider')} disabled=${readonly} options=${Object.entries(PROVIDERS)} />
      <${Text} label="Voice" maxlength="100" value=${form.voiceId} onInput=${set('voiceId')} error=${errors.voiceId} readonly=${readonly} hint="As its provider names it." />
      <${Select} label="Language" value=${form.language} onInput=${set('language')} disabled=${readonly} options=${LANGUAGES.map((code) => [code, names.of(code) ?? code])} />
      <${Text} label="Longest call (seconds)" inputmode="numeric" value=${form.maxDurationSeconds} onInput=${set('maxDurationSeconds')} error=${errors.maxDurationSeconds} readonly=${readonly} hint=${Number(form.maxDurationSeconds) >= 60 ? duration(Number(form.maxDurationSeconds)) : ''} />
    </div>`;
}

function Editor({ agent, numbers, onSaved }) {
  const here = useHere();
  const draft = useAgentDraft(agent);
  const { base, form } = draft;
  const [theirs, setTheirs] = useState(/** @type {any} */ (null));
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const action = useAction(async (send) => {
    try {
      const { data } = await send('POST', '/api/founder-console/agent/behavior', { [agent.role]: { ...agentOf(form), vapiPhoneNumberId: form.vapiPhoneNumberId || null, version: base.version } });
      draft.fill(data.agents.find((one) => one.role === agent.role));
      changed('/api/founder-console/agent', '/api/agents');
      toast('Saved. The voice service has it in a moment.');
      onSaved();
    } catch (error) {
      const failed = failureOf(error);
      if (failed.code !== 'version_conflict') throw failed;
      const { data } = await call('GET', `/api/founder-console/agent/config?role=${agent.role}`);
      setTheirs(data.agents[0]);
    }
  });
  const submit = () => {
    const wrong = wrongIn(form);
    setErrors(wrong);
    if (!Object.values(wrong).some(Boolean)) action.run();
  };
  const take = (/** @type {any} */ taken) => {
    draft.fill(theirs, { ...taken, maxDurationSeconds: String(taken.maxDurationSeconds) });
    setTheirs(null);
    toast('Taken. Look it over, then save.');
  };
  if (theirs) return html`<${Conflict} mine=${agentOf(form)} theirs=${editable(theirs)} base=${editable(base)} onTake=${take} />`;
  return html`<${Form} onSubmit=${submit}>
    <div class="stack">
      <div class="row"><span>${agentBadge(agent.sync)}</span><span class="fine">Version ${base.version}</span>${agent.vapiAssistantId && html`<span class="fine id">Assistant <code>${agent.vapiAssistantId.slice(0, 8)}…</code><${Copy} value=${agent.vapiAssistantId} what="assistant’s id" /></span>`}</div>
      ${agent.sync === 'failed' && html`<${Note} tone="bad" title="The voice service does not take it.">${agent.syncReason ?? 'Change it and save it again.'}<//>`}
      <${AgentFields} draft=${draft} errors=${errors} numbers=${numbers.filter((one) => one.type === agent.role)} readonly=${!here.mayChange} />
      <${Problem} failure=${action.failure} />
      ${here.mayChange && html`<div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy} disabled=${!draft.isDirty}>Save<//>${draft.isDirty && html`<${Button} onClick=${() => draft.fill(base)}>Undo the changes<//>`}</div>`}
    </div>
  <//>`;
}

export default function Agents() {
  const route = useRoute();
  const role = route.value('role') === 'outbound' ? 'outbound' : 'inbound';
  const isPending = (/** @type {any} */ data) => data?.agents.some((one) => one.sync === 'pending');
  const agents = useGet('/api/founder-console/agent/config', { every: (data) => (isPending(data) ? 2_000 : 20_000) });
  const numbers = useGet('/api/integrations/vapi/numbers');
  return html`<div class="page">
    <${PageHead} title="Agents" sub="One answers the clinic’s phone, the other rings people for it." />
    <${Segments} label="Agent" value=${role} onInput=${(next) => route.set({ role: next === 'inbound' ? null : next })} options=${[['inbound', 'Answers calls'], ['outbound', 'Rings people']]} />
    <${Problem} failure=${numbers.failure} onRetry=${numbers.reload} isBusy=${numbers.isLoading} />
    <${Card} title=${role === 'inbound' ? 'The receptionist' : 'The caller'}>
      <${Loaded} from=${agents} lines=${12}>
        ${(data) => html`<${Editor} key=${role} agent=${data.agents.find((one) => one.role === role)} numbers=${numbers.data ?? []} onSaved=${agents.reload} />`}
      <//>
    <//>
  </div>`;
}
