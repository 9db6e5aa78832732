//! Why no card is charged by itself: what the bank said of one, and what was asked back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::AutoRecharge;
use crate::{ids::DisputeId, wallet::Wallet};

/// Why one card is not charged any more. Another card in its place ends the suspension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// What was said of the card.
    pub reason: SuspensionReason,
    /// The card that is not charged any more, as Stripe names it (`pm_…`).
    pub payment_method: String,
    /// When the suspension began.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// The page where the customer can pay, when the bank demands that they authenticate; shown for a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_url: Option<String>,
}

/// What was said of a suspended card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum SuspensionReason {
    /// The bank refused the card, for this reason in Stripe's words (`card_declined`,
    /// `authentication_required` …). Only another card changes that.
    Declined(String),
    /// Stripe does not charge the card at all: it is gone, or another customer's. The org may ask for it anew.
    Unusable,
}

impl SuspensionReason {
    /// The word for a card that Stripe does not charge at all.
    const UNUSABLE: &str = "card_unusable";

    /// Returns the word that is stored and shown.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Declined(code) => code,
            Self::Unusable => Self::UNUSABLE,
        }
    }
}

impl From<String> for SuspensionReason {
    fn from(word: String) -> Self {
        if word == Self::UNUSABLE { Self::Unusable } else { Self::Declined(word) }
    }
}

impl From<SuspensionReason> for String {
    fn from(reason: SuspensionReason) -> Self {
        reason.as_str().to_owned()
    }
}

/// Why a card is not charged although there is too little money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The org has switched auto-recharge off.
    Off,
    /// The wallet has no card that may be charged again.
    NoCard,
    /// The bank or Stripe refused the card: see [`Suspension`].
    Suspended,
    /// Money was asked back, and the org has not asked for a charge since.
    AskedBack,
    /// The card was disputed, or Stripe warned of it: it is never charged by itself again.
    CardBarred,
    /// A dispute over one of the org's payments is open.
    Disputed,
    /// Not even one amount fits into what is left of the org's limit for the month.
    MonthlyLimit,
    /// The books check froze the wallet.
    Frozen,
}

impl Skip {
    /// Returns a stable word for the dashboard and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NoCard => "no_card",
            Self::Suspended => "card_declined",
            Self::AskedBack => "asked_back",
            Self::CardBarred => "card_barred",
            Self::Disputed => "dispute_open",
            Self::MonthlyLimit => "monthly_limit",
            Self::Frozen => "wallet_frozen",
        }
    }
}

/// A saved card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card<'a> {
    /// The card as Stripe names it (`pm_…`): another name each time that the same card is saved.
    pub id: &'a str,
    /// What Stripe calls the card's number by, however often it is saved; absent where Stripe does not say.
    pub fingerprint: Option<&'a str>,
}

/// How a dispute over a payment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeNews {
    /// The dispute, as Stripe names it.
    pub id: DisputeId,
    /// How far it has come.
    pub stage: DisputeStage,
}

/// How far a dispute has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStage {
    /// The bank asks, and may take the money later.
    Inquiry,
    /// The bank asked, and took nothing.
    InquiryClosed,
    /// The cardholder wants the money back, and the bank has not decided.
    Open,
    /// The bank decided for the clinic.
    Won,
    /// The bank decided for the cardholder.
    Lost,
}

impl AutoRecharge {
    /// Returns the same with its episode given up, and the card of that suspended for this reason. Where the
    /// customer can still pay by hand, `action_url` is the page.
    #[must_use]
    pub fn refused(&self, reason: SuspensionReason, at: Timestamp, action_url: Option<String>) -> Self {
        let Some(episode) = &self.episode else { return self.clone() };
        let payment_method = episode.payment_method.clone();
        Self { suspended: Some(Suspension { reason, payment_method, at, action_url }), ..self.given_up() }
    }

    /// Returns the same with `card`, where it is known, never charged by itself again.
    #[must_use]
    fn barred(mut self, card: Option<Card<'_>>) -> Self {
        if let Some(Card { id, fingerprint }) = card {
            self.barred_cards.extend(fingerprint.into_iter().chain([id]).map(str::to_owned));
        }
        self
    }
}

impl Wallet {
    /// Returns why no card would be charged by itself, however little money there is; `None` when the card
    /// would be.
    pub fn charging_stop(&self) -> Option<Skip> {
        let recharge = &self.auto_recharge;
        let is_on = recharge.settings.as_ref().is_some_and(|settings| settings.enabled);
        let card = self.payment_method.as_ref().filter(|_| self.stripe_customer.is_some());
        match card {
            _ if !is_on => Some(Skip::Off),
            _ if self.frozen.is_some() => Some(Skip::Frozen),
            _ if !recharge.disputes.is_empty() => Some(Skip::Disputed),
            None => Some(Skip::NoCard),
            Some(_) if self.is_card_barred() => Some(Skip::CardBarred),
            Some(_) if recharge.asked_back_at.is_some() => Some(Skip::AskedBack),
            Some(_) if self.suspension().is_some() => Some(Skip::Suspended),
            Some(_) => None,
        }
    }

    /// Returns whether the wallet's present card was disputed or warned of, under this name or another.
    fn is_card_barred(&self) -> bool {
        let names = [&self.payment_method, &self.card_fingerprint];
        names.into_iter().flatten().any(|name| self.auto_recharge.barred_cards.contains(name))
    }

    /// Returns why the wallet's present card is not charged any more, if the bank or Stripe refused it.
    pub fn suspension(&self) -> Option<&Suspension> {
        let card = self.payment_method.as_ref();
        self.auto_recharge.suspended.as_ref().filter(|there| Some(&there.payment_method) == card)
    }

    /// Returns the word for what keeps the wallet's present card from being charged, however much the org wants
    /// it; `None` when nothing does.
    pub fn suspended_reason(&self) -> Option<&str> {
        let recharge = &self.auto_recharge;
        if self.is_card_barred() {
            Some(Skip::CardBarred.as_str())
        } else if recharge.asked_back_at.is_some() {
            Some(Skip::AskedBack.as_str())
        } else {
            self.suspension().map(|there| there.reason.as_str())
        }
    }

    /// Returns the auto-recharge once money that was paid with `card` was asked back: nothing is charged by
    /// itself until the org asks for it anew. Money of another card than the present one says nothing of that.
    #[must_use]
    pub fn asked_back(&self, card: Option<&str>, at: Timestamp) -> AutoRecharge {
        let is_of_another =
            matches!((card, &self.payment_method), (Some(card), Some(present)) if card != present);
        let mut after = self.auto_recharge.clone();
        if !is_of_another {
            after.asked_back_at = Some(at);
        }
        after
    }

    /// Returns the auto-recharge once the disputes over a payment by `card` stand as told. While one is open
    /// nothing is charged; the card is never charged by itself again, whoever wins; one that is lost is money
    /// that was asked back. An inquiry that comes to nothing leaves nothing behind.
    ///
    /// Telling the same again changes nothing, also after the org has asked for a charge anew.
    #[must_use]
    pub fn heard_of_disputes(
        &self,
        card: Option<Card<'_>>,
        disputes: &[DisputeNews],
        at: Timestamp,
    ) -> AutoRecharge {
        let mut wallet = self.clone();
        for DisputeNews { id, stage } in disputes {
            wallet.auto_recharge = match stage {
                DisputeStage::Inquiry | DisputeStage::InquiryClosed => wallet.auto_recharge.clone(),
                DisputeStage::Open | DisputeStage::Won => wallet.auto_recharge.clone().barred(card),
                DisputeStage::Lost => wallet.bad_news(id.as_str(), card, at),
            };
            match stage {
                DisputeStage::Inquiry | DisputeStage::Open => {
                    wallet.auto_recharge.disputes.insert(id.clone());
                }
                DisputeStage::InquiryClosed | DisputeStage::Won | DisputeStage::Lost => {
                    wallet.auto_recharge.disputes.remove(id);
                }
            }
        }
        wallet.auto_recharge
    }

    /// Returns the auto-recharge once Stripe has warned that a payment by `card` is likely to be fraud: the
    /// card is never charged by itself again, and no other until the org asks for it anew. Telling the same
    /// again changes nothing.
    #[must_use]
    pub fn warned_of(&self, warning: &str, card: Option<Card<'_>>, at: Timestamp) -> AutoRecharge {
        self.bad_news(warning, card, at)
    }

    /// Returns the auto-recharge once a lost dispute or a warning of this id is told of, which counts once.
    fn bad_news(&self, id: &str, card: Option<Card<'_>>, at: Timestamp) -> AutoRecharge {
        if self.auto_recharge.bad_news.contains(id) {
            return self.auto_recharge.clone();
        }
        let mut after = self.asked_back(card.map(|card| card.id), at).barred(card);
        after.bad_news.insert(id.to_owned());
        after
    }
}
