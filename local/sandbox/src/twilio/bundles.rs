//! Regulatory bundles: listed, cloned into accounts below, and demanded where a number is bought.

use std::cmp::Reverse;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Address, Made, State, TwilioSandbox,
    api::{Answer, Params, Refusal, bad, missing},
    inventory::{Area, COUNTRIES_WITH_BUNDLES},
    page::page_v2,
};

const HOST: &str = "https://numbers.twilio.com";
const APPROVED: &str = "twilio-approved";
/// The kinds of numbers that a bundle may be of, in the words of this API and of the search's paths.
const KINDS: [(&str, &str); 3] = [("local", "Local"), ("mobile", "Mobile"), ("toll-free", "TollFree")];

/// Papers of an account, for numbers of one country and kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bundle {
    sid: String,
    account: String,
    country: String,
    /// `local`, `mobile`, `toll-free`.
    kind: String,
    /// `draft`, `pending-review`, `in-review`, `twilio-rejected`, `twilio-approved`, `provisionally-approved`.
    status: String,
    valid_until: Option<Timestamp>,
    friendly_name: String,
    /// The address that its papers name, one of the account's.
    #[serde(default)]
    address: Option<String>,
    made: Made,
}

impl TwilioSandbox {
    /// Files approved papers for every kind of number that needs some, for an account that has none.
    pub(super) fn file_papers(&self, account_sid: &str) {
        if self.lock().bundles.values().any(|bundle| bundle.account == account_sid) {
            return;
        }
        for country in COUNTRIES_WITH_BUNDLES {
            for (kind, _) in KINDS {
                self.add_bundle(account_sid, country, kind);
            }
        }
    }

    /// An account gets an approved bundle that does not expire. Returns its SID.
    pub fn add_bundle(&self, account_sid: &str, country: &str, kind: &str) -> String {
        let now = self.clock.now();
        let mut state = self.lock();
        let made = state.made(now);
        let sid = format!("BU{:032x}", made.order);
        let bundle = Bundle {
            sid: sid.clone(),
            account: account_sid.to_owned(),
            country: country.to_owned(),
            kind: kind.to_owned(),
            status: APPROVED.into(),
            valid_until: None,
            friendly_name: format!("{country} {kind}"),
            address: None,
            made,
        };
        state.bundles.insert(sid.clone(), bundle);
        sid
    }

    /// The bundles of all accounts come to another status: `twilio-rejected`, `in-review`.
    pub fn judge_bundles(&self, status: &str) {
        for bundle in self.lock().bundles.values_mut() {
            status.clone_into(&mut bundle.status);
        }
    }

    /// The bundles of all accounts are valid until then, and no longer.
    pub fn expire_bundles(&self, until: Timestamp) {
        for bundle in self.lock().bundles.values_mut() {
            bundle.valid_until = Some(until);
        }
    }

    /// The papers of an account's bundles name an address from now on: one that it has, and no other is sold for.
    pub fn add_address_to_bundles(&self, account_sid: &str) {
        let sid = self.sid("AD");
        let now = self.clock.now();
        let mut state = self.lock();
        let made = state.made(now);
        let fields = ["CustomerName", "Street", "City", "Region", "PostalCode"];
        let fields = fields.into_iter().map(|name| (name.to_owned(), "of the papers".to_owned())).collect();
        let address = Address { sid: sid.clone(), account: account_sid.to_owned(), fields, made };
        state.addresses.insert(sid.clone(), address);
        for bundle in state.bundles.values_mut().filter(|bundle| bundle.account == account_sid) {
            bundle.address = Some(sid.clone());
        }
    }

    /// Every bundle of every account, oldest first.
    pub fn bundles(&self) -> Vec<Value> {
        let state = self.lock();
        let mut bundles: Vec<&Bundle> = state.bundles.values().collect();
        bundles.sort_by_key(|bundle| bundle.made);
        let told = bundles.into_iter();
        told.map(|bundle| {
            json!({"sid": bundle.sid, "account_sid": bundle.account, "country": bundle.country,
                "number_type": bundle.kind, "status": bundle.status, "valid_until": bundle.valid_until,
                "address_sid": bundle.address})
        })
        .collect()
    }

    /// The bundle that a number was bought under, if it was bought under one.
    pub fn bundle_of(&self, number: &str) -> Option<String> {
        let state = self.lock();
        state.numbers.values().find(|owned| owned.number == number).and_then(|owned| owned.bundle.clone())
    }

    /// The address that a number was bought for, if it was bought for one.
    pub fn address_of(&self, number: &str) -> Option<String> {
        let state = self.lock();
        state.numbers.values().find(|owned| owned.number == number).and_then(|owned| owned.address.clone())
    }

    /// Answers what is asked at `/v2/RegulatoryCompliance/Bundles`, for the caller's own account: no other's papers are there.
    pub(super) fn of_bundles(
        &self,
        state: &mut State,
        caller: &str,
        asked: (&Method, &[&str]),
        path: &str,
        params: &Params,
    ) -> Answer {
        match asked {
            (&Method::GET, []) => Ok((StatusCode::OK, list(state, caller, path, params))),
            (&Method::GET, [sid]) => {
                let bundle = state.bundles.get(*sid).filter(|bundle| bundle.account == caller);
                bundle.map(|bundle| (StatusCode::OK, bundle_json(bundle))).ok_or_else(|| missing(path))
            }
            (&Method::GET, [sid, "ItemAssignments"]) => {
                let bundle = state.bundles.get(*sid).filter(|bundle| bundle.account == caller);
                let bundle = bundle.ok_or_else(|| missing(path))?;
                Ok((StatusCode::OK, items(bundle, path, params)))
            }
            (&Method::POST, [sid, "Clones"]) => self.clone_bundle(state, caller, sid, path, params),
            _ => Err(missing(path)),
        }
    }

    /// Clones an approved bundle into an account of the same owner.
    fn clone_bundle(
        &self,
        state: &mut State,
        caller: &str,
        sid: &str,
        path: &str,
        params: &Params,
    ) -> Answer {
        let bundle = state.bundles.get(sid).filter(|bundle| bundle.account == caller);
        let bundle = bundle.cloned().ok_or_else(|| missing(path))?;
        let target = params.get("TargetAccountSid").map_or("", String::as_str);
        let is_below = state.accounts.get(target).is_some_and(|account| account.owner == caller);
        if !is_below {
            return Err(bad(20_001, format!("Invalid TargetAccountSid: {target}")));
        }
        if bundle.status != APPROVED {
            return Err(bad(20_001, format!("Bundle {sid} status is not twilio-approved")));
        }
        let name = params.get("FriendlyName").cloned();
        let address = bundle.address.as_ref().and_then(|sid| state.addresses.get(sid)).cloned();
        let address = address.map(|address| Address {
            sid: self.sid("AD"),
            account: target.to_owned(),
            made: state.made(self.clock.now()),
            ..address
        });
        let clone = Bundle {
            sid: self.sid("BU"),
            account: target.to_owned(),
            friendly_name: name.unwrap_or_else(|| bundle.friendly_name.clone()),
            address: address.as_ref().map(|address| address.sid.clone()),
            made: state.made(self.clock.now()),
            ..bundle
        };
        let mut body = bundle_json(&clone);
        body["bundle_sid"] = body["sid"].take();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("sid");
            fields.remove("links");
        }
        state.addresses.extend(address.map(|address| (address.sid.clone(), address)));
        state.bundles.insert(clone.sid.clone(), clone);
        Ok((StatusCode::CREATED, body))
    }
}

/// Refuses a purchase that is not made under an approved bundle of the buyer's, for this country and kind (Twilio's error 21649), or for
/// another address than the bundle's own (21651).
pub(super) fn check(
    state: &State,
    (account, area, named, address): (&str, &Area, Option<&String>, Option<&String>),
    now: Timestamp,
) -> Result<(), Refusal> {
    let refuse = |message: String| Err(bad(21_649, message));
    let Some(sid) = named else {
        let kind = area.kind.to_uppercase();
        return refuse(format!(
            "Bundle required and not provided for country: [{}] and numberType: [{kind}]",
            area.country
        ));
    };
    let Some(bundle) = state.bundles.get(sid).filter(|bundle| bundle.account == account) else {
        return refuse(format!("Bundle [{sid}] not found"));
    };
    if bundle.status != APPROVED || bundle.valid_until.is_some_and(|until| until <= now) {
        return refuse(format!("Bundle [{sid}] status is not twilio-approved"));
    }
    let is_of_kind = KINDS.contains(&(bundle.kind.as_str(), area.kind));
    if bundle.country != area.country || !is_of_kind {
        return refuse(format!("Bundle [{sid}] is not of this country and kind of number"));
    }
    if bundle.address.is_some() && bundle.address.as_ref() != address {
        return Err(bad(21_651, "Address not contained in bundle"));
    }
    Ok(())
}

/// What an account's bundle consists of: its one document, when it names an address.
fn items(bundle: &Bundle, path: &str, params: &Params) -> Value {
    let (sid, made) = (&bundle.sid, time(bundle.made.at));
    let url = format!("{HOST}/v2/RegulatoryCompliance/Bundles/{sid}/ItemAssignments");
    let row = bundle.address.as_ref().map(|_| {
        let item = sid.replacen("BU", "BV", 1);
        json!({"sid": item, "bundle_sid": sid, "account_sid": bundle.account, "object_sid": document_of(bundle),
            "date_created": made, "url": format!("{url}/{item}")})
    });
    let rows: Vec<(u64, Value)> = row.into_iter().map(|row| (bundle.made.order, row)).collect();
    page_v2(HOST, path, params, &rows)
}

fn document_of(bundle: &Bundle) -> String {
    bundle.sid.replacen("BU", "RD", 1)
}

/// The document of one of the caller's bundles.
pub(super) fn document(state: &State, caller: &str, sid: &str) -> Option<(StatusCode, Value)> {
    let is_it = |bundle: &&Bundle| bundle.account == caller && document_of(bundle) == sid;
    let bundle = state.bundles.values().find(is_it)?;
    let (address, made) = (bundle.address.as_ref()?, time(bundle.made.at));
    let body = json!({"sid": sid, "account_sid": caller, "friendly_name": "Proof of address", "mime_type": null,
        "status": bundle.status, "failure_reason": null, "errors": null, "type": "proof_of_address",
        "attributes": {"address_sids": [address]}, "date_created": made, "date_updated": made,
        "url": format!("{HOST}/v2/RegulatoryCompliance/SupportingDocuments/{sid}")});
    Some((StatusCode::OK, body))
}

fn list(state: &State, caller: &str, path: &str, params: &Params) -> Value {
    let is = |name: &str, value: &str| params.get(name).is_none_or(|wanted| wanted == value);
    let mine = state.bundles.values().filter(|bundle| {
        bundle.account == caller
            && is("Status", &bundle.status)
            && is("FriendlyName", &bundle.friendly_name)
            && is("IsoCountry", &bundle.country)
            && is("NumberType", &bundle.kind)
    });
    let mut mine: Vec<&Bundle> = mine.collect();
    mine.sort_by_key(|bundle| Reverse(bundle.made));
    let rows: Vec<(u64, Value)> =
        mine.into_iter().map(|bundle| (bundle.made.order, bundle_json(bundle))).collect();
    page_v2(HOST, path, params, &rows)
}

/// As Twilio shows one: neither the country nor the kind stands in it.
fn bundle_json(bundle: &Bundle) -> Value {
    let (sid, made) = (&bundle.sid, time(bundle.made.at));
    let url = format!("{HOST}/v2/RegulatoryCompliance/Bundles/{sid}");
    json!({"sid": sid, "account_sid": bundle.account, "regulation_sid": null,
    "friendly_name": bundle.friendly_name, "status": bundle.status,
    "valid_until": bundle.valid_until.map(time), "email": "papers@voxanne.example",
    "status_callback": null, "date_created": made, "date_updated": made, "url": url,
    "links": {
        "evaluations": format!("{url}/Evaluations"),
        "item_assignments": format!("{url}/ItemAssignments"),
        "bundle_copies": format!("{url}/Copies"),
    }})
}

/// ISO 8601, as the newer APIs write times.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
