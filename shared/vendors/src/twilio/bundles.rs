//! Regulatory bundles: the papers without which Twilio sells no number of some countries
//! (twilio.com/docs/phone-numbers/regulatory/api/bundles). A bundle is of one account, and no other can buy under it: an account below
//! ours buys under a clone of ours.

use http::Uri;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Account, PAGE, Twilio, TwilioError, form, read};
use domain::{
    ids::{AccountSid, BundleSid},
    number::{Bundle, Country, NumberType},
};

/// The one status under which Twilio sells.
const APPROVED: &str = "twilio-approved";

/// The most documents of a bundle that are looked through for an address.
const MOST_DOCUMENTS: usize = 3;

/// One page of the Numbers API.
#[derive(Deserialize)]
struct Page<R> {
    results: Vec<R>,
    meta: Meta,
}

impl<R> Page<R> {
    /// Returns the rows, and the next page's path. The host is left out: the token goes to the host that we know, wherever a list leads.
    fn parts(self) -> (Vec<R>, Option<String>) {
        let path = |url: String| {
            let path = url.parse::<Uri>().ok().and_then(|uri| uri.path_and_query().map(ToString::to_string));
            path.unwrap_or(url)
        };
        (self.results, self.meta.next_page_url.map(path))
    }
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    next_page_url: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    sid: BundleSid,
    #[serde(default)]
    status: String,
    #[serde(default)]
    valid_until: Option<Timestamp>,
}

impl Entry {
    /// Returns the bundle, if it is approved: `provisionally-approved` is not.
    fn approved(self) -> Option<Bundle> {
        (self.status == APPROVED).then_some(Bundle { sid: self.sid, valid_until: self.valid_until })
    }
}

impl Twilio {
    /// Returns the account's own bundles that Twilio has approved for numbers of this country and kind, expired ones among them.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn approved_bundles(
        &self,
        account: &Account,
        country: Country,
        number_type: NumberType,
    ) -> Result<Vec<Bundle>, TwilioError> {
        let kind = match number_type {
            NumberType::Local => "local",
            NumberType::TollFree => "toll-free",
        };
        let query = form(&[
            ("Status", APPROVED),
            ("IsoCountry", country.code()),
            ("NumberType", kind),
            ("PageSize", PAGE),
        ]);
        let first = format!("{}/v2/RegulatoryCompliance/Bundles?{query}", self.numbers_base_url);
        let listed = self.pages(account, &self.numbers_base_url, first, Page::<Entry>::parts).await?;
        Ok(listed.into_iter().filter_map(Entry::approved).collect())
    }

    /// Returns the bundles of our own account, as [`Self::approved_bundles`] does of any.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn our_approved_bundles(
        &self,
        country: Country,
        number_type: NumberType,
    ) -> Result<Vec<Bundle>, TwilioError> {
        self.approved_bundles(self.parent()?, country, number_type).await
    }

    /// Clones a bundle of our own account into an account below it, where it is approved at once
    /// (twilio.com/docs/phone-numbers/regulatory/api/clones-resource). Twilio makes another for each request, so the caller must look
    /// for it first.
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn clone_bundle(
        &self,
        bundle: &BundleSid,
        into: &AccountSid,
        friendly_name: &str,
    ) -> Result<BundleSid, TwilioError> {
        #[derive(Deserialize)]
        struct Clone {
            bundle_sid: BundleSid,
        }
        let url = format!("{}/v2/RegulatoryCompliance/Bundles/{bundle}/Clones", self.numbers_base_url);
        let fields = [("TargetAccountSid", into.as_str()), ("FriendlyName", friendly_name)];
        let answer = self.post(self.parent()?, &url, &fields).await?;
        Ok(read::<Clone>(&answer)?.bundle_sid)
    }

    /// Returns the address (`AD…`) that the papers of an account's bundle name, if they name one. Under such a bundle Twilio sells for
    /// no other address (its error 21651).
    ///
    /// # Errors
    /// See [`TwilioError`].
    pub async fn address_of_bundle(
        &self,
        account: &Account,
        bundle: &BundleSid,
    ) -> Result<Option<String>, TwilioError> {
        #[derive(Deserialize)]
        struct Item {
            object_sid: String,
        }
        #[derive(Deserialize)]
        struct Document {
            #[serde(default)]
            attributes: Value,
        }
        let base = format!("{}/v2/RegulatoryCompliance", self.numbers_base_url);
        let first = format!("{base}/Bundles/{bundle}/ItemAssignments?{}", form(&[("PageSize", PAGE)]));
        let items = self.pages(account, &self.numbers_base_url, first, Page::<Item>::parts).await?;
        // The others are end users, `IT…`.
        let is_document =
            |sid: &String| sid.starts_with("RD") && sid.bytes().all(|c| c.is_ascii_alphanumeric());
        let documents = items.into_iter().map(|item| item.object_sid).filter(is_document);
        for sid in documents.take(MOST_DOCUMENTS) {
            let url = format!("{base}/SupportingDocuments/{sid}");
            let document: Document = self.get(account, &url).await?;
            if let Some(address) = document.attributes["address_sids"][0].as_str() {
                return Ok(Some(address.to_owned()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use futures::future::BoxFuture;
    use http::{Request, Response, header};
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;
    use crate::http::{Http, HttpError};

    fn account(sid: &str) -> Account {
        Account { sid: AccountSid::parse(sid).unwrap(), token: SecretString::from("token") }
    }

    type Requests = Arc<Mutex<Vec<Request<Bytes>>>>;

    /// Returns a client that answers with these bodies in turn, and what it is asked.
    fn answering(bodies: Vec<Value>) -> (Twilio, Requests) {
        let asked = Requests::default();
        let (requests, bodies) = (Arc::clone(&asked), Mutex::new(bodies.into_iter()));
        let sandbox =
            move |request: Request<Bytes>| -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> {
                requests.lock().unwrap().push(request);
                let body = bodies.lock().unwrap().next().unwrap();
                Box::pin(async move { Ok(Response::new(Bytes::from(body.to_string()))) })
            };
        let http = Http::Sandbox(Arc::new(sandbox));
        let twilio =
            Twilio::new(http, "http://api.example", "http://voice.example", "http://numbers.example");
        (twilio.with_parent(account("AC0")), asked)
    }

    fn page(results: &Value, next: Option<&str>) -> Value {
        json!({"results": results, "meta": {"page": 0, "page_size": 50, "key": "results", "next_page_url": next}})
    }

    #[tokio::test]
    async fn approved_bundles_are_read_to_the_end_of_the_list_at_our_host() {
        let first = json!([
            {"sid": "BU1", "status": "twilio-approved", "valid_until": null, "iso_country": "GB", "links": {}},
            {"sid": "BU2", "status": "provisionally-approved", "valid_until": null},
            {"sid": "BU3", "status": "of another day"},
            {"sid": "BU4"},
        ]);
        let second =
            json!([{"sid": "BU5", "status": "twilio-approved", "valid_until": "2026-03-01T12:00:00Z"}]);
        let next = "https://elsewhere.example/v2/RegulatoryCompliance/Bundles?Page=1&PageToken=PT1";
        let (twilio, asked) = answering(vec![page(&first, Some(next)), page(&second, None)]);
        let found =
            twilio.approved_bundles(&account("AC1"), Country::UnitedKingdom, NumberType::TollFree).await;
        let found: Vec<(String, Option<String>)> = found
            .unwrap()
            .into_iter()
            .map(|bundle| (bundle.sid.into(), bundle.valid_until.map(|until| until.to_string())))
            .collect();
        let until = Some("2026-03-01T12:00:00Z".to_owned());
        assert_eq!(found, [("BU1".to_owned(), None), ("BU5".to_owned(), until)]);
        let asked = asked.lock().unwrap();
        let urls: Vec<String> = asked.iter().map(|request| request.uri().to_string()).collect();
        assert_eq!(
            urls,
            [
                "http://numbers.example/v2/RegulatoryCompliance/Bundles?Status=twilio-approved&IsoCountry=GB\
                 &NumberType=toll-free&PageSize=1000",
                "http://numbers.example/v2/RegulatoryCompliance/Bundles?Page=1&PageToken=PT1",
            ]
        );
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_read_to_its_end_is_an_error() {
        let row = |value: Value| page(&json!([value]), None);
        for bodies in [
            vec![json!({"results": []})],
            vec![json!({"meta": {}})],
            vec![row(json!({"sid": "BU1", "status": "twilio-approved", "valid_until": "soon"}))],
            vec![row(json!({"status": "twilio-approved"}))],
            vec![page(&json!([]), Some("not a url"))],
        ] {
            let (twilio, _) = answering(bodies.clone());
            let found = twilio.our_approved_bundles(Country::Australia, NumberType::Local).await;
            assert!(matches!(found, Err(TwilioError::Unreadable(_))), "{bodies:?}: {found:?}");
        }
    }

    #[tokio::test]
    async fn our_bundle_is_cloned_with_our_own_token_into_an_account_below() {
        let (twilio, asked) = answering(vec![json!({"bundle_sid": "BU9", "status": "twilio-approved"})]);
        let bundle = BundleSid::parse("BU1").unwrap();
        let made = twilio.clone_bundle(&bundle, &AccountSid::parse("AC1").unwrap(), "voxanne/local").await;
        assert_eq!(made.unwrap().as_str(), "BU9");
        let request = asked.lock().unwrap().remove(0);
        assert_eq!(request.uri(), "http://numbers.example/v2/RegulatoryCompliance/Bundles/BU1/Clones");
        assert_eq!(&request.body()[..], b"TargetAccountSid=AC1&FriendlyName=voxanne%2Flocal");
        assert_eq!(request.headers()[header::AUTHORIZATION], "Basic QUMwOnRva2Vu");
    }

    #[tokio::test]
    async fn the_address_of_a_bundle_is_the_first_that_its_documents_name() {
        let bundle = BundleSid::parse("BU1").unwrap();
        let items = page(
            &json!([{"object_sid": "IT1"}, {"object_sid": "RD1"}, {"object_sid": "RD2"}, {"object_sid": "RD/3"}]),
            None,
        );
        let none = json!({"sid": "RD1", "attributes": {"document_number": "1"}});
        for (second, expected) in [
            (json!({"attributes": {"address_sids": ["AD1", "AD2"]}}), Some("AD1")),
            (json!({"attributes": {"address_sids": []}}), None),
            (json!({"attributes": null}), None),
            (json!({}), None),
        ] {
            let (twilio, asked) = answering(vec![items.clone(), none.clone(), second]);
            let found = twilio.address_of_bundle(&account("AC1"), &bundle).await.unwrap();
            assert_eq!(found.as_deref(), expected);
            let asked = asked.lock().unwrap();
            let paths: Vec<&str> = asked.iter().map(|request| request.uri().path()).collect();
            assert_eq!(
                paths,
                [
                    "/v2/RegulatoryCompliance/Bundles/BU1/ItemAssignments",
                    "/v2/RegulatoryCompliance/SupportingDocuments/RD1",
                    "/v2/RegulatoryCompliance/SupportingDocuments/RD2",
                ]
            );
        }
    }

    #[tokio::test]
    async fn a_purchase_names_its_bundle_only_where_there_is_one() {
        let number = domain::phone_number::PhoneNumber::parse("+442079460100").unwrap();
        let bundle = BundleSid::parse("BU1").unwrap();
        for (bundle_sid, expected) in [
            (
                Some(&bundle),
                "PhoneNumber=%2B442079460100&FriendlyName=m&SmsUrl=https%3A%2F%2Fapi.example.com%2Ftexts&AddressSid=AD1&BundleSid=BU1",
            ),
            (
                None,
                "PhoneNumber=%2B442079460100&FriendlyName=m&SmsUrl=https%3A%2F%2Fapi.example.com%2Ftexts&AddressSid=AD1",
            ),
        ] {
            let (twilio, asked) = answering(vec![json!({"sid": "PN1", "phone_number": "+442079460100"})]);
            let order = crate::twilio::Order {
                number: &number,
                friendly_name: "m",
                address_sid: Some("AD1"),
                bundle_sid,
                texts_url: "https://api.example.com/texts",
            };
            twilio.buy(&account("AC1"), &order).await.unwrap();
            assert_eq!(&asked.lock().unwrap()[0].body()[..], expected.as_bytes());
        }
    }
}
