// Signing in: on the local stack as whoever is chosen.
import { html, useEffect, useState } from '../lib/html.js';
import { MAY, ROLES } from '../lib/clinic.js';
import { SignInFailed, localClinics, signInLocally } from '../lib/session.js';
import { Button, Form, Note, Select, Text } from '../lib/ui.js';

/** The clinic that the local stack starts with. */
const DEMO = 'de300000-0000-4000-8000-000000000001';
const ORG = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** @param {() => Promise<void>} act */
function useSigningIn(act) {
  const [isBusy, setBusy] = useState(false);
  const [sentence, setSentence] = useState('');
  const run = async () => {
    setBusy(true);
    setSentence('');
    try {
      await act();
    } catch (error) {
      setSentence(error instanceof SignInFailed ? error.message : 'That did not work. Try again in a moment.');
      setBusy(false);
    }
  };
  return { run, isBusy, sentence, setSentence };
}

function Local() {
  const [clinics, setClinics] = useState([{ org_id: DEMO, name: /** @type {string | null} */ ('The demo clinic') }]);
  useEffect(() => {
    localClinics().then((found) => found.length > 0 && setClinics(found)).catch(() => {});
  }, []);
  const [org, setOrg] = useState(DEMO);
  const [other, setOther] = useState('');
  const [role, setRole] = useState('owner');
  const wanted = org === 'other' ? other.trim().toLowerCase() : org;
  const action = useSigningIn(() => signInLocally(role === 'operator' ? { operator: true } : { org_id: wanted, role }));
  const submit = () => {
    if (role !== 'operator' && !ORG.test(wanted)) action.setSentence('A clinic’s id looks like de300000-0000-4000-8000-000000000001.');
    else action.run();
  };
  return html`<${Form} onSubmit=${submit}>
    <div class="stack">
      <p class="sub">This is a stack on your own machine: choose who you are.</p>
      <${Select}
        label="Role"
        value=${role}
        onInput=${setRole}
        options=${Object.entries(ROLES)}
        hint=${role === 'operator' ? 'Looks after all clinics.' : MAY[role]}
      />
      ${
        role !== 'operator' &&
        html`<${Select} label="Clinic" value=${org} onInput=${setOrg} options=${[...clinics.map((clinic) => [clinic.org_id, clinic.name ?? clinic.org_id]), ['other', 'Another, by its id']]} />
          ${org === 'other' && html`<${Text} label="The clinic’s id" value=${other} onInput=${setOther} autocomplete="off" spellcheck="false" />`}`
      }
      ${action.sentence && html`<div role="alert"><${Note} tone="bad">${action.sentence}<//></div>`}
      <${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Sign in<//>
    </div>
  <//>`;
}

export default function SignIn({ config }) {
  return html`<main class="alone">
    <svg viewBox="0 0 32 32" width="44" height="44" aria-hidden="true"><rect width="32" height="32" rx="8" fill="var(--accent-solid)" /><path d="M8 10l5.500 13h5L24 10" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" /></svg>
    <h1>Sign in to Voxanne</h1>
    <div class="card">${config?.sign_in === 'local' ? html`<${Local} />` : html`<${Note}>Nobody can sign in on this page yet. Use the clinic’s dashboard as before.<//>`}</div>
  </main>`;
}
