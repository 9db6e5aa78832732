//! Which sandbox stands in for which host.

use std::sync::Arc;

use base::clock::Clock;
use bytes::Bytes;
use http::{Request, Response};
use vendors::http::{Http, HttpError};

use super::{
    bucket::{self, BucketSandbox},
    faults::{Faults, through},
    google::GoogleSandbox,
    mail::{self, MailSandbox},
    stripe::StripeSandbox,
    supabase::{self, SupabaseSandbox},
    twilio::TwilioSandbox,
    vapi::VapiSandbox,
};

/// All the sandboxes, and what goes wrong between us and them.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// Vapi.
    pub vapi: Arc<VapiSandbox>,
    /// Stripe.
    pub stripe: Arc<StripeSandbox>,
    /// Twilio.
    pub twilio: Arc<TwilioSandbox>,
    /// Google.
    pub google: Arc<GoogleSandbox>,
    /// Supabase Auth.
    pub supabase: Arc<SupabaseSandbox>,
    /// S3.
    pub bucket: Arc<BucketSandbox>,
    /// SES.
    pub mail: Arc<MailSandbox>,
    /// What goes wrong on the way.
    pub faults: Arc<Faults>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Hosts {
    /// Answers a request: by the sandbox of its host, or over the network, where there is one.
    ///
    /// # Errors
    /// When a fault says that no answer comes, or the host is no sandbox's.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        network: Option<Http>,
    ) -> Result<Response<Bytes>, HttpError> {
        let is_control = request.uri().path().starts_with("/_sandbox/vapi/control/");
        let vendor = match request.uri().host() {
            _ if is_control => Some("vapi"),
            Some("api.vapi.sandbox" | "storage.vapi.sandbox") => Some("vapi"),
            Some("api.stripe.sandbox") => Some("stripe"),
            Some("api.twilio.sandbox" | "voice.twilio.sandbox" | "numbers.twilio.sandbox") => Some("twilio"),
            Some(mail::HOST) => Some("ses"),
            Some(supabase::HOST) => Some("supabase"),
            Some("oauth2.googleapis.sandbox" | "www.googleapis.sandbox") => Some("google"),
            _ => None,
        };
        if request.uri().host() == Some(bucket::HOST) {
            return Ok(self.bucket.answer(&request));
        }
        match (vendor, network) {
            (Some(vendor), _) => {
                let act = || self.act(vendor, &request);
                let keep = |answer: &Response<Bytes>| {
                    if vendor == "stripe" {
                        self.stripe.keep_answer(&request, answer);
                    }
                };
                through(&self.faults, &self.clock, vendor, &request, act, keep).await
            }
            (None, Some(network)) => network.send(request).await,
            (None, None) => Err(HttpError::Connection("no sandbox stands in for this host".into())),
        }
    }

    fn act(&self, vendor: &str, request: &Request<Bytes>) -> Response<Bytes> {
        match vendor {
            "vapi" if request.uri().host() == Some("storage.vapi.sandbox") => self.vapi.stored(request),
            "vapi" => self.vapi.answer(request),
            "stripe" => self.stripe.answer(request),
            "supabase" => self.supabase.answer(request),
            "ses" => self.mail.answer(request, self.clock.now()),
            "google" if request.uri().host() == Some("oauth2.googleapis.sandbox") => {
                self.google.token_endpoint(request)
            }
            "google" => self.google.answer(request),
            _ => ask_twilio(&self.twilio, &self.vapi, request),
        }
    }
}

/// Has Twilio answer, and ends at Vapi the calls that it was told to hang up.
pub fn ask_twilio(twilio: &TwilioSandbox, vapi: &VapiSandbox, request: &Request<Bytes>) -> Response<Bytes> {
    let answer = twilio.answer(request);
    for call_sid in twilio.ended_calls() {
        vapi.carrier_ended(&call_sid);
    }
    answer
}
