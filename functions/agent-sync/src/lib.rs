//! The queue `agent-sync`: one message, one agent that the vendor is to have as it is stored.

#![recursion_limit = "256"]

mod push;

use std::sync::Arc;

use base::config::{Base, Invalid, VapiSettings};
use platform::Platform;
pub use push::{LEASE, PushError};
use services::voice::{Settings, VapiResources};
use store::{
    Dynamo,
    agents::Agents,
    made_once::MadeOnce,
    mappings::Mappings,
    numbers::Numbers,
    queue::{Push, SyncQueue},
    stack::Stack,
};
use web::{
    queue::each_message,
    runtime::{SqsBatchResponse, SqsEvent},
};

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// The agents.
    pub agents: Agents,
    /// The numbers they answer on.
    pub numbers: Numbers,
    /// Whose a number is, and who answers it.
    pub mappings: Mappings,
    /// The vendor.
    pub voice: VapiResources,
    /// The mark of this deployment, which its assistants bear.
    pub stack: Stack,
    /// The messages that this function reads, for those that must come again.
    pub queue: SyncQueue,
    /// Where all of it is written.
    pub db: Dynamo,
    /// Time and chance.
    pub platform: Platform,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let base = Base::read(&mut reader);
        let vapi = VapiSettings::read(&mut reader);
        let settings = Settings::read(&mut reader, &base.environment);
        let queue_url = reader.required("AGENT_SYNC_QUEUE_URL");
        reader.finish()?;
        let db = platform.database(&base.table_prefix);
        let vapi = platform.vapi(vapi);
        Ok(Self {
            agents: Agents::new(db.clone()),
            numbers: Numbers::new(db.clone()),
            mappings: Mappings::new(db.clone()),
            stack: Stack::new(db.clone()),
            db: db.clone(),
            voice: VapiResources::new(
                vapi,
                MadeOnce::vapi_objects(db),
                settings,
                Arc::clone(&platform.clock),
            ),
            queue: SyncQueue::new(platform.sqs.clone(), queue_url),
            platform,
        })
    }
}

/// Gives each agent that a message names to the vendor. Those that it does not have yet are given back to the queue, alone.
pub async fn handle(deps: &Deps, event: SqsEvent) -> SqsBatchResponse {
    each_message(event, |message: Push| async move { push::push(deps, &message).await }).await
}
