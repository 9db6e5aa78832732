//! How a text ends: sent, and paid for; or not, and its price is in the wallet again. Both in one transaction.

use std::sync::Arc;

use base::clock::Clock;
use domain::{
    amount::Amount,
    ledger::{Posting, Reason},
    message::{Message, State},
};
use platform::Platform;
use store::{Attempt, Dynamo, StoreError, messages::Messages, wallets::Wallets};

/// Ends texts.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    messages: Messages,
    wallets: Wallets,
    db: Dynamo,
    clock: Arc<dyn Clock>,
}

impl Ending {
    pub(super) fn new(platform: &Platform, db: &Dynamo) -> Self {
        Self {
            messages: Messages::new(db.clone()),
            wallets: Wallets::new(db.clone()),
            db: db.clone(),
            clock: Arc::clone(&platform.clock),
        }
    }

    /// Ends the claim on a text, which is as read: it stands like `after`, or the claim is given back. The price goes back with it, unless
    /// the text was sent or waits. One that has ended by now stays as it is.
    pub(super) async fn end(&self, message: &Message, after: Option<State>) -> Result<(), StoreError> {
        let is_kept = matches!(
            after,
            Some(State::Sent { .. } | State::Delivered { .. } | State::Undelivered { .. } | State::Waiting)
        );
        self.db
            .until_written("a text", || async {
                let there = self.messages.get(message.org_id, &message.item).await?;
                let is_as_read =
                    |there: &Message| there.message_id == message.message_id && there.state == message.state;
                if !there.as_ref().is_some_and(is_as_read) {
                    return Ok(Attempt::Done(()));
                }
                if is_kept || price_of(message) == Amount::ZERO {
                    let written = match &after {
                        Some(state) => self.messages.note(message, state.clone()).await.map(|_| ()),
                        None => self.messages.give_back(message).await,
                    };
                    return Attempt::of(written);
                }
                let wallet = self.wallets.existing(message.org_id).await?;
                let reason = Reason::TextRefund { message: message.message_id.clone() };
                let posting = self.posting(message, reason, "Text message not sent");
                Attempt::of(self.wallets.refund_text(&wallet, &posting, message, after.clone()).await)
            })
            .await
    }

    /// What the ledger is to say of it.
    pub(super) fn posting(&self, message: &Message, reason: Reason, what: &str) -> Posting {
        let segments = message.text.as_ref().map_or(0, |text| text.segments);
        let unit = if segments == 1 { "segment" } else { "segments" };
        let description = format!("{what}, {segments} {unit}");
        Posting { reason, amount: price_of(message), description, at: self.clock.now() }
    }
}

/// What was paid for a message.
pub(super) fn price_of(message: &Message) -> Amount {
    message.text.as_ref().map_or(Amount::ZERO, |text| text.price)
}
