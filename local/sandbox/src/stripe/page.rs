//! The payment page, the bank's page, and the sandbox's own addresses, under `/_sandbox/stripe/`.

use bytes::Bytes;
use domain::amount::Amount;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{Act, StripeSandbox};

impl StripeSandbox {
    /// Returns what is under `/_sandbox/stripe/`: the payment page, the bank's page, disputes, warnings, refunds that
    /// fail, and how cards behave.
    pub fn page(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().trim_start_matches("/_sandbox/stripe/").to_owned();
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["pay", session]) => self.payment_page(session, None),
            (&Method::POST, ["pay", session]) => self.submitted(session, request.body()),
            (&Method::GET, ["authenticate", intent]) => self.bank_page(intent, None),
            (&Method::POST, ["authenticate", intent]) => self.authenticated(intent, request.body()),
            (&Method::POST, ["cards", method]) => outcome(
                serde_json::from_value(body["card"].clone())
                    .map(|card| self.set_card(method, card))
                    .map(|()| json!({"id": method, "card": body["card"]}))
                    .map_err(|error| format!("The card cannot be used: {error}.")),
            ),
            (&Method::POST, ["disputes"]) => {
                let intent = body["payment_intent"].as_str().unwrap_or_default();
                outcome(self.dispute(intent, body["amount"].as_i64()).map(|id| json!({"id": id})))
            }
            (&Method::POST, ["disputes", id]) => {
                outcome(self.decide_dispute(id, body["won"] == true).map(|()| json!({"id": id})))
            }
            (&Method::POST, ["disputes", id, "reinstate"]) => {
                let pence = body["amount"].as_i64().unwrap_or_default();
                outcome(self.reinstate(id, pence).map(|()| json!({"id": id})))
            }
            (&Method::POST, ["early_fraud_warnings"]) => {
                let intent = body["payment_intent"].as_str().unwrap_or_default();
                outcome(self.warn(intent).map(|id| json!({"id": id})))
            }
            (&Method::POST, ["refunds", id, "fail"]) => {
                outcome(self.fail_refund(id).map(|()| json!({"id": id})))
            }
            _ => outcome(Err("There is nothing at this address of the Stripe sandbox.".into())),
        }
    }

    fn submitted(&self, session: &str, body: &[u8]) -> Response<Bytes> {
        let act = match pressed(body).as_deref() {
            Some("pay") => Act::Pay,
            Some("decline") => Act::Decline,
            Some("later") => Act::PayLater,
            _ => {
                return self.payment_page(
                    session,
                    Some("Choose one of the three: act=pay, act=decline or act=later."),
                );
            }
        };
        match self.act(session, act) {
            Ok(url) => redirect(&url),
            Err(sentence) => self.payment_page(session, Some(&sentence)),
        }
    }

    fn authenticated(&self, intent: &str, body: &[u8]) -> Response<Bytes> {
        let act = pressed(body);
        let succeeds = match act.as_deref() {
            Some("succeed") => true,
            Some("fail") => false,
            _ => return self.bank_page(intent, Some("Choose one of the two: act=succeed or act=fail.")),
        };
        // Read before: it is gone once the payment waits no more.
        let payment = self.object(intent).unwrap_or_default();
        let back = payment["next_action"]["redirect_to_url"]["return_url"].as_str();
        match (self.authenticate(intent, succeeds), back) {
            (Ok(()), Some(url)) => redirect(url),
            (Ok(()), None) => self.bank_page(intent, None),
            (Err(sentence), _) => self.bank_page(intent, Some(&sentence)),
        }
    }

    fn bank_page(&self, intent: &str, note: Option<&str>) -> Response<Bytes> {
        let Some(payment) = self.object(intent).filter(|found| found["object"] == "payment_intent") else {
            return html(StatusCode::NOT_FOUND, "<h1>There is no such payment</h1>");
        };
        let amount =
            payment["amount"].as_i64().and_then(|pence| Amount::try_from(pence).ok()).unwrap_or_default();
        let buttons = if payment["status"] == "requires_action" {
            "<form method=post>\
             <button name=act value=succeed>It is my card</button> \
             <button name=act value=fail>It is not</button></form>"
        } else {
            "<p>This payment waits for nothing.</p>"
        };
        let status = if note.is_none() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let note = note.map(|note| format!("<p role=alert><b>{note}</b></p>")).unwrap_or_default();
        html(
            status,
            &format!(
                "<h1>A payment of {amount}</h1><p>A stand-in for the bank's page. No money moves.</p>{note}{buttons}"
            ),
        )
    }

    fn payment_page(&self, session: &str, note: Option<&str>) -> Response<Bytes> {
        let Some(found) = self.object(session) else {
            return html(StatusCode::NOT_FOUND, "<h1>There is no such session</h1>");
        };
        let amount =
            found["amount_total"].as_i64().and_then(|pence| Amount::try_from(pence).ok()).unwrap_or_default();
        let note = note.map(|note| format!("<p role=alert><b>{note}</b></p>")).unwrap_or_default();
        let buttons = if found["status"] == "open" {
            "<form method=post>\
             <button name=act value=pay>Pay by card</button> \
             <button name=act value=decline>Pay with a card that is declined</button> \
             <button name=act value=later>Pay by a slow method</button></form>"
        } else {
            "<p>This session is closed.</p>"
        };
        let status = if note.is_empty() { StatusCode::OK } else { StatusCode::PAYMENT_REQUIRED };
        html(
            status,
            &format!(
                "<h1>Top up {amount}</h1><p>A stand-in for Stripe's page. No money moves.</p>{note}{buttons}"
            ),
        )
    }
}

/// The button that was pressed.
fn pressed(body: &[u8]) -> Option<String> {
    url::form_urlencoded::parse(body).find(|(name, _)| name == "act").map(|(_, value)| value.into_owned())
}

fn redirect(url: &str) -> Response<Bytes> {
    let mut response = html(StatusCode::SEE_OTHER, "");
    if let Ok(url) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response
}

fn outcome(result: Result<Value, String>) -> Response<Bytes> {
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(sentence) => (StatusCode::BAD_REQUEST, json!({ "detail": sentence })),
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn html(status: StatusCode, body: &str) -> Response<Bytes> {
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Sandbox payment</title>\
         <style>body{{font:1rem/1.5 system-ui;max-width:34rem;margin:4rem auto}}button{{padding:.5rem 1rem}}</style>{body}</html>"
    );
    let mut response = Response::new(Bytes::from(page));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}
