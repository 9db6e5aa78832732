//! What all orgs share at Vapi: the credential by which it signs what it sends us, and the tools. Each is made once.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use base::alarm;
use base::alarm::chain;
use base::clock::Clock;
use base::config::Reader;
use domain::ids::{VapiCredentialId, VapiToolId};
use store::{
    StoreError,
    made_once::{MadeOnce, Slot, VapiObject},
};
use vendors::vapi::{
    Vapi, VapiError,
    numbers::Webhook,
    tools::{TOOLS, Tool},
};

/// How long one may take to make one of these.
const LEASE: SignedDuration = SignedDuration::from_secs(20);

/// What is made once at Vapi.
#[derive(Clone, Debug)]
pub struct VapiResources {
    /// The vendor.
    pub vapi: Vapi,
    objects: MadeOnce<VapiObject>,
    settings: Settings,
    clock: Arc<dyn Clock>,
}

/// The tools of every agent.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    /// Those that it must have.
    pub current: Vec<VapiToolId>,
    /// Those that these took the place of: it must have none of them.
    pub replaced: Vec<VapiToolId>,
}

/// How Vapi reaches us.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://…`: where our API is, seen from outside.
    pub public_url: String,
    /// The webhook credential that was made by hand in Vapi's dashboard, if one was.
    pub credential_id: Option<VapiCredentialId>,
    /// What Vapi signs with: the newest of the webhook's secrets.
    pub secret: Option<SecretString>,
    /// The mark on everything a vendor keeps for us.
    pub environment: String,
}

impl Settings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>, environment: &str) -> Self {
        let public_url = reader.required("PUBLIC_URL").trim_end_matches('/').to_owned();
        if !public_url.is_empty() && !public_url.starts_with("https://") {
            reader.problem("PUBLIC_URL is the https address of our API, e.g. https://api.example.com");
        }
        let credential_id = reader.optional("VAPI_WEBHOOK_CREDENTIAL_ID").and_then(|id| {
            VapiCredentialId::parse(id)
                .map_err(|error| reader.problem(format!("VAPI_WEBHOOK_CREDENTIAL_ID: {error}")))
                .ok()
        });
        Self {
            public_url,
            credential_id,
            secret: reader.webhook_secrets("VAPI_WEBHOOK_SECRETS").into_iter().next(),
            environment: environment.to_owned(),
        }
    }
}

/// Why something shared is not there.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// Another process is making it at this moment.
    #[error("{what} is being made by another")]
    Busy {
        /// What.
        what: &'static str,
    },
    /// There is no secret that Vapi could sign with.
    #[error("there is no webhook secret to give to Vapi")]
    NoSecret,
    /// Vapi did not do its part.
    #[error(transparent)]
    Vapi(#[from] VapiError),
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VoiceError {
    /// Whether trying again cannot help until an operator changes something.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Vapi(error) => error.is_final(),
            Self::NoSecret => true,
            Self::Busy { .. } | Self::Store(_) => false,
        }
    }
}

impl VapiResources {
    /// Puts it together.
    pub const fn new(
        vapi: Vapi,
        objects: MadeOnce<VapiObject>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { vapi, objects, settings, clock }
    }

    /// Where our API is, seen from outside, without a slash at its end.
    pub fn public_url(&self) -> &str {
        &self.settings.public_url
    }

    /// The mark of this environment.
    pub fn environment(&self) -> &str {
        &self.settings.environment
    }

    /// Where Vapi posts, and how it signs: by the configured credential, else by one that we make for the current secret.
    ///
    /// # Errors
    /// See [`VoiceError`]. A refusal alarms: the credential is then to be made in Vapi's dashboard and configured.
    pub async fn webhook(&self) -> Result<Webhook, VoiceError> {
        let url = format!("{}/api/vapi/webhook", self.settings.public_url);
        if let Some(credential) = &self.settings.credential_id {
            return Ok(Webhook { url, credential: credential.clone() });
        }
        let secret = self.settings.secret.as_ref().ok_or(VoiceError::NoSecret)?;
        let hash = hex::encode(digest(&SHA256, secret.expose_secret().as_bytes()));
        // The secret is part of the name: another secret is another credential.
        let mark = hash.get(..8).unwrap_or_default();
        let name = format!("voxanne/{}/{mark}", self.settings.environment);
        let made = self
            .once("webhook_credential", &hash, async || {
                // One may have been made by a try that died. Vapi does not describe this list; without it, one is made.
                let known = self.vapi.credential_named(&name).await;
                if let Ok(Some(known)) = known {
                    return Ok(known.into());
                }
                let made = self.vapi.webhook_credential(&name, secret).await;
                made.map(String::from).inspect_err(|error| {
                    if error.is_final() {
                        alarm!(
                            "vapi_credential_refused",
                            cause = chain(error),
                            "Vapi refuses to make the webhook credential: \
                            make it in Vapi's dashboard and set VAPI_WEBHOOK_CREDENTIAL_ID"
                        );
                    }
                })
            })
            .await?;
        let credential = VapiCredentialId::parse(made.id).map_err(|_| VapiError::AnotherObject)?;
        Ok(Webhook { url, credential })
    }

    /// The tools every agent has, found or made. One of another definition is another tool: others who use the account may
    /// share the first.
    ///
    /// # Errors
    /// See [`VoiceError`]. A refusal alarms: no agent of any org reaches Vapi meanwhile.
    pub async fn tools(&self) -> Result<Tools, VoiceError> {
        let mut tools = Tools::default();
        let parsed = |id| VapiToolId::parse(id).map_err(|_| VapiError::AnotherObject);
        for tool in &TOOLS {
            let key = format!("tool:{}", tool.name);
            let find_or_make = async || {
                self.find_or_make(tool).await.inspect_err(|error| {
                    if error.is_final() {
                        alarm!(
                            "vapi_tool_refused",
                            tool = tool.name,
                            cause = chain(error),
                            "Vapi refuses a tool that every agent has: no agent reaches Vapi"
                        );
                    }
                })
            };
            let made = self.once(&key, &tool.definition_hash(), find_or_make).await?;
            tools.current.push(parsed(made.id)?);
            for id in made.replaced {
                tools.replaced.push(parsed(id)?);
            }
        }
        Ok(tools)
    }

    async fn find_or_make(&self, tool: &Tool) -> Result<String, VapiError> {
        if let Some(known) = self.vapi.tool_like(tool).await? {
            return Ok(known.into());
        }
        self.vapi.create_tool(tool).await.map(String::from)
    }

    /// What is kept under `key`, if it was made from the definition of this hash; else `make` makes it, while no other process
    /// does.
    async fn once(
        &self,
        key: &str,
        hash: &str,
        make: impl AsyncFnOnce() -> Result<String, VapiError>,
    ) -> Result<VapiObject, VoiceError> {
        let is_current =
            |slot: &Slot<VapiObject>| slot.made.clone().filter(|made| made.definition_hash == hash);
        if let Some(made) = self.objects.get(key).await?.as_ref().and_then(is_current) {
            return Ok(made);
        }
        let now = self.clock.now();
        let busy = || VoiceError::Busy { what: "what all agents share at Vapi" };
        let slot = self.objects.lease(key, now, now + LEASE).await?.ok_or_else(busy)?;
        if let Some(made) = is_current(&slot) {
            self.objects.give_back(key, slot, now).await?;
            return Ok(made);
        }
        let outcome = make().await.map(|id| successor(slot.made.as_ref(), id, hash));
        let after = match &outcome {
            Ok(object) => Some(object.clone()),
            Err(_) => slot.made.clone(),
        };
        if !self.objects.give_back(key, Slot { made: after, ..slot }, now).await? {
            return Err(busy());
        }
        Ok(outcome?)
    }
}

/// The object `id`, made from the definition of this hash, which takes the place of the one before.
fn successor(before: Option<&VapiObject>, id: String, hash: &str) -> VapiObject {
    let mut replaced = before.map(|before| before.replaced.clone()).unwrap_or_default();
    replaced.extend(before.map(|before| before.id.clone()));
    replaced.retain(|other| *other != id);
    VapiObject { id, definition_hash: hash.to_owned(), replaced }
}
