//! `POST /api/billing/wallet/topup`.

use aws_lc_rs::digest::{SHA256, digest};
use domain::{amount::Amount, ids::CustomerId, rate::Costly};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use vendors::stripe::{CheckoutSession, SessionStatus, StripeError, TopUp};
use web::{
    auth::Caller,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use crate::Deps;

/// How long is waited before Stripe is asked again.
const ANOTHER_MOMENT: SignedDuration = SignedDuration::from_millis(300);
/// How long an open session is answered again.
const SESSION_LASTS: SignedDuration = SignedDuration::from_mins(10);

/// What is to be topped up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount_pence": 2500}))]
pub struct Wanted {
    /// Whole pence. Each bad form has a sentence of its own: see `amount`.
    #[serde(default)]
    #[schema(value_type = i64, minimum = 2500)]
    amount_pence: Value,
    /// Where the browser goes afterwards: a path on the dashboard.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    return_url: Value,
}
web::json_bodies!(Wanted);

/// Where to pay.
#[derive(Debug, Serialize, ToSchema)]
pub struct Begun {
    url: String,
}

/// Makes a Checkout session. A double click makes one: an open session of the same org, user, amount and path from the last ten
/// minutes is returned again, and two at once have one idempotency key.
///
/// # Errors
/// When the caller may not pay, the amount or path is not usable, the clinic has asked too often of late, or Stripe or the store does not answer.
pub async fn create(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Begun>, Problem> {
    caller.may_change()?;
    let amount = amount(&input.body.amount_pence, deps.top_up_limits)?;
    let path = return_path(&input.body.return_url)?;
    let now = deps.platform.clock.now();
    if let Some(wait) = deps.rates.take(caller.org, Costly::Checkout, now).await? {
        return Err(Problem::too_often(wait));
    }
    let customer = customer(deps, caller).await?;
    let fingerprint = fingerprint(caller, amount, &path);
    let asked = Asked { amount, path: &path, fingerprint: &fingerprint };
    let url = match session_url(deps, &customer, &asked).await {
        // Once: should the fresh one be gone too, another would be no better.
        Err(NoSession::CustomerGone) => {
            let fresh = replacement(deps, caller, &customer).await?;
            session_url(deps, &fresh, &asked).await?
        }
        made => made?,
    };
    tracing::info!(org_id = %caller.org, user = %caller.user, pence = amount.pence(), "a top-up was begun");
    Ok(Answer::ok(Begun { url }))
}

/// What is to be paid, as it makes two top-ups the same.
struct Asked<'a> {
    amount: Amount,
    path: &'a str,
    fingerprint: &'a str,
}

/// Why there is no page to pay at.
enum NoSession {
    /// Stripe has no such customer any more.
    CustomerGone,
    /// Anything else.
    Failed(Problem),
}

impl From<StripeError> for NoSession {
    fn from(error: StripeError) -> Self {
        if error.is_customer_gone() { Self::CustomerGone } else { Self::Failed(stripe_problem(error)) }
    }
}

impl From<NoSession> for Problem {
    fn from(none: NoSession) -> Self {
        match none {
            NoSession::CustomerGone => Self::new(Code::PaymentProviderUnavailable),
            NoSession::Failed(problem) => problem,
        }
    }
}

/// Where to pay: at the session that is open already, else at a new one.
///
/// The key of the first try follows from what is there, so that two at once make one session. Stripe keeps a failure
/// under its key for a day; the last try has a key of its own, for ten minutes.
async fn session_url(deps: &Deps, customer: &CustomerId, asked: &Asked<'_>) -> Result<String, NoSession> {
    let Asked { amount, path, fingerprint } = *asked;
    let separator = if path.contains('?') { '&' } else { '?' };
    let back = |outcome: &str| format!("{}{path}{separator}topup={outcome}", deps.dashboard_origin);
    let now = deps.platform.clock.now();
    let window = now.as_second().div_euclid(SESSION_LASTS.as_secs());
    let mut failure = None;
    for try_key in ["", "", "", &format!("-again-{window}")] {
        let newest = deps.stripe.newest_session(customer, fingerprint).await?;
        let current = newest.as_ref().filter(|session| is_current(session, now));
        if let Some(url) = current.and_then(|session| session.url.clone()) {
            return Ok(url);
        }
        let after = newest.map_or_else(|| "none".to_owned(), |session| session.id.to_string());
        let made = deps
            .stripe
            .create_session(&TopUp {
                customer,
                amount,
                success_url: &back("success"),
                cancel_url: &back("cancelled"),
                fingerprint,
                idempotency_key: &format!("topup-{fingerprint}-{customer}-after-{after}{try_key}"),
            })
            .await;
        match made {
            Ok(CheckoutSession { url: Some(url), .. }) => return Ok(url),
            Ok(_) => {}
            Err(error) if error.is_transient() => failure = Some(error),
            Err(error) => return Err(error.into()),
        }
        // The other click of a double click may be under way with the same key: a moment, and its session is there.
        deps.platform.clock.sleep(ANOTHER_MOMENT).await;
    }
    let without = || NoSession::Failed(Problem::new(Code::PaymentProviderUnavailable));
    Err(failure.map_or_else(without, NoSession::from))
}

/// The org's customer at Stripe, noted on our side before anything can be charged to it.
async fn customer(deps: &Deps, caller: &Caller) -> Result<CustomerId, Problem> {
    let wallet = deps.wallets.ensure(caller.org).await?;
    if let Some(customer) = wallet.stripe_customer {
        return Ok(customer);
    }
    let made = made_customer(deps, caller, None).await?;
    Ok(deps.wallets.note_customer(caller.org, &made).await?)
}

/// The org's customer in the place of one that is gone at Stripe: deleted there, or of another account or mode. What the old one
/// paid stays the org's.
async fn replacement(deps: &Deps, caller: &Caller, gone: &CustomerId) -> Result<CustomerId, Problem> {
    let made = made_customer(deps, caller, Some(gone)).await?;
    let noted = deps.wallets.replace_customer(caller.org, gone, &made).await?;
    tracing::warn!(org_id = %caller.org, %gone, fresh = %noted, "an org's customer is gone at Stripe and was replaced");
    Ok(noted)
}

/// A customer that Stripe makes for the org, noted as its own.
async fn made_customer(
    deps: &Deps,
    caller: &Caller,
    gone: Option<&CustomerId>,
) -> Result<CustomerId, Problem> {
    let window = deps.platform.clock.now().as_second().div_euclid(SESSION_LASTS.as_secs());
    let made = deps.stripe.create_customer(caller.org, gone, window).await.map_err(stripe_problem)?;
    if deps.customers.add(&made, caller.org).await? {
        Ok(made)
    } else {
        // Stripe gave an org another's customer: nothing may be charged to it.
        Err(Problem::new(Code::Internal))
    }
}

fn is_current(session: &CheckoutSession, now: Timestamp) -> bool {
    let age = now.as_second().saturating_sub(session.created);
    session.status == SessionStatus::Open && age < SESSION_LASTS.as_secs()
}

/// What makes two top-ups the same.
fn fingerprint(caller: &Caller, amount: Amount, path: &str) -> String {
    let text = format!("{}\n{}\n{}\n{path}", caller.org, caller.user, amount.pence());
    hex::encode(digest(&SHA256, text.as_bytes()))
}

/// Whole pence within the limits; each fault has its own sentence.
fn amount(value: &Value, (least, most): (Amount, Amount)) -> Result<Amount, Problem> {
    let refuse = |detail: String| Err(Problem::new(Code::InvalidAmount).saying(detail));
    let number = match value {
        Value::Null => return refuse("amount_pence is missing: how many pence to top up.".into()),
        Value::Number(number) => number,
        Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            return refuse("amount_pence must be a number, in whole pence: 2500 for £25.".into());
        }
    };
    let too_large =
        || refuse(format!("amount_pence is more than the largest top-up, {} ({most}).", most.pence()));
    let Some(pence) = number.as_i64() else {
        return match number.as_u64() {
            Some(_) => too_large(),
            None => refuse(
                "amount_pence must be whole pence, written without a fraction or an exponent: 2500 for £25."
                    .into(),
            ),
        };
    };
    match Amount::try_from(pence) {
        Ok(amount) if amount < least => {
            refuse(format!("amount_pence is less than the smallest top-up, {} ({least}).", least.pence()))
        }
        Ok(amount) if amount <= most => Ok(amount),
        Err(_) if pence < 0 => refuse("amount_pence is negative; a top-up adds money.".into()),
        Ok(_) | Err(_) => too_large(),
    }
}

/// A path on the dashboard's own origin. Anything that a browser could take for another host is refused.
fn return_path(value: &Value) -> Result<String, Problem> {
    const DEFAULT: &str = "/dashboard/wallet";
    let path = match value {
        Value::Null => return Ok(DEFAULT.to_owned()),
        Value::String(path) => path,
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => "",
    };
    let is_plain =
        path.bytes().all(|c| c.is_ascii_graphic() && !matches!(c, b'\\' | b'#' | b'"' | b'<' | b'>'));
    let is_path = path.starts_with('/') && !path.starts_with("//");
    if is_path && is_plain && path.len() <= 500 {
        Ok(path.to_owned())
    } else {
        Err(Problem::new(Code::InvalidValue)
            .saying("return_url is a path on the dashboard, such as /dashboard/wallet."))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` passes")]
fn stripe_problem(error: StripeError) -> Problem {
    Problem::new(Code::PaymentProviderUnavailable).because(&error)
}
