//! Why a call ended, in Vapi's words (`Call.endedReason`), and what each word means here.
//!
//! Vapi adds words as it grows. A word that no rule knows is one of the ordinary ways in which a call ends:
//! its talk is charged, as Vapi states it. `every_documented_reason_has_a_rule` goes through all that Vapi
//! documents.

use domain::call::{Ending, Outcome, Price, Upstream};

/// A rule: a word, or the beginning of words when it ends with `*`, and what it means.
type Rule = (&'static str, Ending);

const ENDED: Ending = Ending::ordinary();
const TRANSFERRED: Ending = Ending { outcome: Outcome::Transferred, ..ENDED };
/// Something broke that is neither Vapi's nor a provider's: talk that was had is charged.
const BROKEN: Ending = Ending { outcome: Outcome::Failed, ..ENDED };
const UNANSWERED: Ending = Ending { outcome: Outcome::Missed, price: Price::IfSeenTalking, upstream: None };
/// No assistant of ours ever talked: our answer, or Vapi, stopped the call before.
const NOT_BEGUN: Ending = Ending { outcome: Outcome::Failed, price: Price::IfSeenTalking, upstream: None };
/// Vapi or a provider behind it broke the call, which Vapi does not bill either (docs/decisions/0013).
const FAULT: Ending = Ending { outcome: Outcome::Failed, price: Price::Waived, upstream: None };
const NO_CREDIT: Ending = Ending { upstream: Some(Upstream::NoCredit), ..NOT_BEGUN };
const NO_SLOT: Ending = Ending { upstream: Some(Upstream::NoSlot), ..NOT_BEGUN };
const STOPPED: Ending = Ending { upstream: Some(Upstream::Stopped), ..NOT_BEGUN };

/// The rules. Of those that fit a word, the longest counts.
const RULES: [Rule; 60] = [
    // A party, or a limit, ended it.
    ("assistant-ended-call*", ENDED),
    ("assistant-said-end-call-phrase", ENDED),
    ("customer-ended-call*", ENDED),
    ("silence-timed-out", ENDED),
    ("exceeded-max-duration", ENDED),
    ("manually-canceled", ENDED),
    ("voicemail", ENDED),
    ("vonage-completed", ENDED),
    ("call.in-progress.twilio-completed-call", ENDED),
    ("call.in-progress.sip-completed-call", ENDED),
    ("call.ending.hook-executed-say", ENDED),
    ("call-deleted", ENDED),
    // Put through.
    ("assistant-forwarded-call", TRANSFERRED),
    ("call.ending.hook-executed-transfer", TRANSFERRED),
    ("call.ringing.hook-executed-transfer", NOT_BEGUN),
    ("assistant-request-returned-forwarding-phone-number", NOT_BEGUN),
    ("call.forwarding.operator-busy", TRANSFERRED),
    ("call.forwarding.no-answer", TRANSFERRED),
    // The parties never talked.
    ("customer-busy", UNANSWERED),
    ("customer-did-not-answer", UNANSWERED),
    ("customer-did-not-give-microphone-permission", UNANSWERED),
    ("call.ringing.sip-inbound-caller-hungup-before-call-connect", UNANSWERED),
    ("call.ringing.hook-executed-say", UNANSWERED),
    ("scheduled-call-deleted", UNANSWERED),
    ("twilio-reported-customer-misdialed", UNANSWERED),
    ("vonage-rejected", UNANSWERED),
    // Stopped before any assistant of ours talked.
    ("assistant-request-*", NOT_BEGUN),
    ("assistant-not-*", NOT_BEGUN),
    ("assistant-join-timed-out", NOT_BEGUN),
    ("call.start.*", NOT_BEGUN),
    ("call-start-error-*", NOT_BEGUN),
    ("call.ringing.error-*", NOT_BEGUN),
    ("call.in-progress.error-sip-inbound-call-failed-to-connect", NOT_BEGUN),
    ("call.in-progress.error-sip-outbound-call-failed-to-connect", NOT_BEGUN),
    ("twilio-failed-to-connect-call", NOT_BEGUN),
    ("vonage-failed-to-connect-call", NOT_BEGUN),
    ("phone-call-provider-bypass-enabled-but-no-call-received", NOT_BEGUN),
    ("dial-refused", NOT_BEGUN),
    // Our own account at Vapi.
    ("call.start.error-subscription-insufficient-credits", NO_CREDIT),
    ("call.start.error-subscription-wallet-does-not-exist", NO_CREDIT),
    ("call.start.error-subscription-upgrade-failed", NO_CREDIT),
    ("call.start.error-subscription-concurrency-limit-reached", NO_SLOT),
    ("call.start.error-vapi-number-outbound-daily-limit", NO_SLOT),
    ("call.start.error-subscription-frozen", STOPPED),
    ("call.start.error-fraud-check-failed", STOPPED),
    // Vapi, or a provider of models, voices, transcripts or lines, broke it.
    ("call.start.error-vapifault-*", FAULT),
    ("call.in-progress.error-vapifault-*", FAULT),
    ("call.in-progress.error-providerfault-*", FAULT),
    ("call.in-progress.error-pipeline-*", FAULT),
    ("pipeline-*", FAULT),
    ("vapifault-*", FAULT),
    ("providerfault-*", FAULT),
    ("worker-shutdown", FAULT),
    ("phone-call-provider-closed-websocket", FAULT),
    ("vonage-disconnected", FAULT),
    ("unknown-error", FAULT),
    // Broken while it went on, by what was asked of it or by the caller's line.
    ("call.in-progress.error-warm-transfer-*", BROKEN),
    ("call.in-progress.error-transfer-failed", BROKEN),
    ("call.in-progress.error-assistant-did-not-receive-customer-audio", BROKEN),
    // Ours, not Vapi's: the carrier said that the call is over.
    ("carrier-completed", ENDED),
];

/// Returns what a reason means. A word that no rule knows means an ordinary end.
pub fn ending(reason: &str) -> Ending {
    rule(reason).map_or(ENDED, |(_, ending)| *ending)
}

fn rule(reason: &str) -> Option<&'static Rule> {
    let fits = |(word, _): &&Rule| match word.strip_suffix('*') {
        Some(beginning) => reason.starts_with(beginning),
        None => reason == *word,
    };
    RULES.iter().filter(fits).max_by_key(|(word, _)| word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reason that Vapi's API description lists (docs.vapi.ai/api-reference).
    const DOCUMENTED: &str = include_str!("../../../../tests/schemas/vapi-ended-reasons.txt");

    #[test]
    fn every_documented_reason_has_a_rule() {
        let without: Vec<_> = DOCUMENTED.lines().filter(|reason| rule(reason).is_none()).collect();
        assert_eq!(without, Vec::<&str>::new());
        assert!(DOCUMENTED.lines().count() > 500);
    }

    #[test]
    fn every_rule_fits_a_reason_or_a_word_of_before() {
        // Words that Vapi sent before 2026 and no longer documents, and ours.
        let old = ["vapifault-x", "providerfault-x", "unknown-error", "dial-refused", "carrier-completed"];
        let reasons = || DOCUMENTED.lines().chain(old);
        for word in RULES.iter().map(|(word, _)| word) {
            assert!(reasons().any(|reason| rule(reason).is_some_and(|(fits, _)| fits == word)), "{word}");
        }
    }

    #[test]
    fn what_a_reason_means() {
        let cases = [
            ("customer-ended-call", ENDED),
            ("a-word-of-2028", ENDED),
            ("customer-did-not-answer", UNANSWERED),
            ("customer-busy", UNANSWERED),
            ("assistant-forwarded-call", TRANSFERRED),
            ("call.start.error-subscription-insufficient-credits", NO_CREDIT),
            ("call.start.error-subscription-concurrency-limit-reached", NO_SLOT),
            ("call.start.error-subscription-frozen", STOPPED),
            ("call.in-progress.error-vapifault-worker-not-available", FAULT),
            ("call.in-progress.error-providerfault-outbound-sip-503-service-unavailable", FAULT),
            ("pipeline-error-openai-llm-failed", FAULT),
            ("call.in-progress.error-transfer-failed", BROKEN),
        ];
        for (reason, means) in cases {
            assert_eq!(ending(reason), means, "{reason}");
        }
    }
}
