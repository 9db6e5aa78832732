//! Numbers: searched, bought, listed, released; and the addresses that some countries demand for them.

use std::cmp::Reverse;

use domain::phone_number::PhoneNumber;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Address, Owned, State, TwilioSandbox,
    api::{Answer, Params, Refusal, bad, date, friendly_name, missing},
    bundles, inventory,
    page::page,
};

/// How many numbers a search shows when nothing is said, and at most.
const SHOWN: usize = 30;
const MOST_SHOWN: usize = 1_000;
/// What an address is not without.
const ADDRESS_FIELDS: [&str; 6] = ["CustomerName", "Street", "City", "Region", "PostalCode", "IsoCountry"];

impl TwilioSandbox {
    /// What can be bought, without the numbers that are taken.
    pub(super) fn search(state: &State, country: &str, kind: &str, path: &str, params: &Params) -> Answer {
        let offers = inventory::offers(country, kind).ok_or_else(|| missing(path))?;
        let size = params.get("PageSize").and_then(|size| size.parse().ok()).unwrap_or(SHOWN);
        let is_true = |name: &str| params.get(name).is_some_and(|value| value == "true");
        let wanted = |name: &str| params.get(name).map(String::as_str);
        let without_address = is_true("ExcludeAllAddressRequired");
        let fits = |offer: &&inventory::Offer| {
            let [locality, region, _] = offer.place().unwrap_or_default();
            wanted("AreaCode").is_none_or(|code| offer.is_of_area_code(code))
                && wanted("Contains").is_none_or(|pattern| offer.has_digits(pattern))
                && wanted("InLocality").is_none_or(|place| place == locality)
                && wanted("InRegion").is_none_or(|place| place == region)
                && !(without_address && offer.area.address_requirements() == "any")
                && !state.is_owned(&offer.number)
                && !state.taken_away.contains(&offer.number)
        };
        let shown: Vec<Value> =
            offers.iter().filter(fits).take(size.min(MOST_SHOWN)).map(inventory::Offer::json).collect();
        Ok((StatusCode::OK, json!({"available_phone_numbers": shown, "uri": path})))
    }

    pub(super) fn list_numbers(state: &State, account: &str, path: &str, params: &Params) -> Value {
        let digits = params.get("PhoneNumber").map(|wanted| wanted.trim_matches('*'));
        let mine = state.numbers.values().filter(|owned| {
            owned.account == account
                && digits.is_none_or(|digits| owned.number.contains(digits))
                && params.get("FriendlyName").is_none_or(|name| owned.friendly_name == *name)
        });
        let mut mine: Vec<&Owned> = mine.collect();
        mine.sort_by_key(|owned| Reverse(owned.made));
        let rows: Vec<(u64, Value)> =
            mine.into_iter().map(|owned| (owned.made.order, number_json(owned))).collect();
        page(path, params, "incoming_phone_numbers", &rows)
    }

    /// Buys a number, for an address and under a bundle where the country demands them.
    pub(super) fn buy(&self, state: &mut State, account: &str, params: &Params) -> Answer {
        let number = params.get("PhoneNumber").map_or("", String::as_str);
        if PhoneNumber::parse(number).is_err() {
            return Err(bad(21_421, format!("PhoneNumber is not valid: {number}")));
        }
        let name = friendly_name(params)?.unwrap_or_else(|| inventory::friendly_name(number));
        let area = inventory::area_of(number)
            .filter(|_| !state.is_owned(number) && !state.taken_away.contains(number));
        let Some(area) = area else {
            return Err(bad(21_422, format!("{number} is not available.")));
        };
        let address = address_of(state, account, params)?;
        if area.address_requirements() == "any" && address.is_none() {
            let message = "Phone Number Requires an Address but the 'AddressSid' parameter was empty.";
            return Err(bad(21_631, message));
        }
        let bundle = params.get("BundleSid").filter(|sid| !sid.is_empty());
        if area.needs_bundle() || bundle.is_some() {
            let address = address.as_ref();
            bundles::check(state, (account, area, bundle, address), self.clock.now())?;
        }
        let owned = Owned {
            sid: self.sid("PN"),
            account: account.to_owned(),
            number: number.to_owned(),
            friendly_name: name,
            address,
            bundle: bundle.cloned(),
            address_requirements: area.address_requirements().into(),
            sms_url: params.get("SmsUrl").filter(|url| !url.is_empty()).cloned(),
            made: state.made(self.clock.now()),
        };
        let body = number_json(&owned);
        state.numbers.insert(owned.sid.clone(), owned);
        Ok((StatusCode::CREATED, body))
    }

    pub(super) fn number(state: &State, account: &str, sid: &str, path: &str) -> Answer {
        let owned = sid.strip_suffix(".json").and_then(|sid| state.numbers.get(sid));
        let owned = owned.filter(|owned| owned.account == account).ok_or_else(|| missing(path))?;
        Ok((StatusCode::OK, number_json(owned)))
    }

    /// Gives a number back: it can be bought again, if it is of the inventory.
    pub(super) fn release(state: &mut State, account: &str, sid: &str, path: &str) -> Answer {
        Self::number(state, account, sid, path)?;
        state.numbers.remove(sid.trim_end_matches(".json"));
        Ok((StatusCode::NO_CONTENT, Value::Null))
    }

    pub(super) fn list_addresses(state: &State, account: &str, path: &str, params: &Params) -> Value {
        let is_wanted = |address: &&Address| {
            let filters = ["FriendlyName", "CustomerName", "IsoCountry"];
            let is = |name: &str| {
                params.get(name).is_none_or(|wanted| address.fields.get(name).is_some_and(|is| is == wanted))
            };
            address.account == account && filters.into_iter().all(is)
        };
        let mut mine: Vec<&Address> = state.addresses.values().filter(is_wanted).collect();
        mine.sort_by_key(|address| Reverse(address.made));
        let rows: Vec<(u64, Value)> =
            mine.into_iter().map(|address| (address.made.order, address_json(address))).collect();
        page(path, params, "addresses", &rows)
    }

    pub(super) fn create_address(&self, state: &mut State, account: &str, params: &Params) -> Answer {
        let is_given = |name: &&str| params.get(*name).is_some_and(|value| !value.trim().is_empty());
        if let Some(name) = ADDRESS_FIELDS.iter().find(|name| !is_given(name)) {
            return Err(bad(20_001, format!("{name} is required")));
        }
        let address = Address {
            sid: self.sid("AD"),
            account: account.to_owned(),
            fields: params.clone(),
            made: state.made(self.clock.now()),
        };
        let body = address_json(&address);
        state.addresses.insert(address.sid.clone(), address);
        Ok((StatusCode::CREATED, body))
    }
}

/// The address that a purchase names: one of the account's own.
fn address_of(state: &State, account: &str, params: &Params) -> Result<Option<String>, Refusal> {
    let Some(sid) = params.get("AddressSid").filter(|sid| !sid.is_empty()) else { return Ok(None) };
    let is_own = state.addresses.get(sid).is_some_and(|address| address.account == account);
    if is_own { Ok(Some(sid.clone())) } else { Err(bad(20_001, format!("Invalid AddressSid: {sid}"))) }
}

fn number_json(owned: &Owned) -> Value {
    let (account, sid, made) = (&owned.account, &owned.sid, date(owned.made.at));
    json!({"sid": sid, "account_sid": account, "phone_number": owned.number,
        "friendly_name": owned.friendly_name, "address_sid": owned.address,
        "address_requirements": owned.address_requirements, "api_version": "2010-04-01", "beta": false,
        "capabilities": {"voice": true, "sms": true, "mms": false, "fax": false},
        "date_created": made, "date_updated": made, "origin": "twilio", "status": "in-use",
        "emergency_status": "Inactive", "emergency_address_sid": null, "bundle_sid": owned.bundle,
        "sms_url": "", "sms_method": "POST", "status_callback": "", "status_callback_method": "POST",
        "trunk_sid": null, "voice_url": null, "voice_method": "POST", "voice_receive_mode": "voice",
        "uri": format!("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}.json")})
}

fn address_json(address: &Address) -> Value {
    let (account, sid, made) = (&address.account, &address.sid, date(address.made.at));
    let field = |name: &str| address.fields.get(name).cloned().unwrap_or_default();
    json!({"sid": sid, "account_sid": account, "friendly_name": field("FriendlyName"),
        "customer_name": field("CustomerName"), "street": field("Street"),
        "street_secondary": field("StreetSecondary"), "city": field("City"), "region": field("Region"),
        "postal_code": field("PostalCode"), "iso_country": field("IsoCountry"),
        "emergency_enabled": false, "validated": false, "verified": false,
        "date_created": made, "date_updated": made,
        "uri": format!("/2010-04-01/Accounts/{account}/Addresses/{sid}.json")})
}
