//! The queue `agent-sync`: one message, one agent that the vendor is to have as it is stored.

mod push;

use std::sync::Arc;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use base::config::{Base, Invalid, VapiSettings};
use platform::Platform;
pub use push::{LEASE, PushError};
use services::voice::{Settings, VapiResources};
use store::{
    agents::Agents,
    made_once::MadeOnce,
    mappings::Mappings,
    numbers::Numbers,
    queue::{Push, SyncQueue},
};
use web::problem::chain;

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
    /// The messages that this function reads, for those that must come again.
    pub queue: SyncQueue,
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
    let mut failed = SqsBatchResponse::default();
    for message in event.records {
        let id = message.message_id.unwrap_or_default();
        if let Err(error) = push(deps, message.body.as_deref().unwrap_or_default()).await {
            tracing::warn!(
                message_id = id,
                cause = chain(&*error),
                "an agent is to be given to the vendor again"
            );
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failed.batch_item_failures.push(failure);
        }
    }
    failed
}

async fn push(deps: &Deps, body: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A message that is not ours fails until it is a dead letter, where somebody sees it.
    let push: Push = serde_json::from_str(body)?;
    Ok(push::push(deps, &push).await?)
}
