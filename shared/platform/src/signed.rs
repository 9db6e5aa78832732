//! Requests of AWS's REST APIs that we make ourselves, signed by the SDK's own signer: for a service of which we need one request
//! or two, its client would bring more code than those (decision 14).

use std::{fmt, sync::Arc};

use aws_sdk_dynamodb::config::{ProvideCredentials as _, Region, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use base::clock::Clock;
use bytes::Bytes;
use http::{Request, Response};
use vendors::http::{Http, HttpError};

use crate::Platform;

/// One service of AWS's, by the role of the function.
#[derive(Clone)]
pub(crate) struct Signed {
    http: Http,
    region: Option<Region>,
    credentials: Option<SharedCredentialsProvider>,
    clock: Arc<dyn Clock>,
    service: &'static str,
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("service", &self.service).finish_non_exhaustive()
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SignedError {
    /// It could not be made or signed, and did not leave: there are no credentials, or an address is none.
    #[error("a request to AWS could not be signed")]
    Unsigned(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer came. It may have been carried out all the same.
    #[error("no answer came from AWS")]
    Http(#[source] HttpError),
}

impl Signed {
    /// Returns requests to a service, by the name that its signatures have for it.
    pub(crate) fn of(platform: &Platform, service: &'static str) -> Self {
        Self {
            http: platform.vendors.clone(),
            region: platform.region.clone(),
            credentials: platform.credentials.clone(),
            clock: Arc::clone(&platform.clock),
            service,
        }
    }

    /// Signs a request and sends it. Returns the answer, whatever its status.
    ///
    /// # Errors
    /// See [`SignedError`].
    pub(crate) async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, SignedError> {
        self.sign(&mut request).await.map_err(SignedError::Unsigned)?;
        self.http.send(request).await.map_err(SignedError::Http)
    }

    /// Signs a request as S3 wants it, and as any service takes it: the path as it is, and the body's hash in a header of its own.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
    async fn sign(
        &self,
        request: &mut Request<Bytes>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (Some(region), Some(credentials)) = (&self.region, &self.credentials) else {
            return Err("the region or the credentials are not known".into());
        };
        let identity = credentials.provide_credentials().await?.into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = SigningParams::builder()
            .identity(&identity)
            .region(region.as_ref())
            .name(self.service)
            .time(self.clock.now().try_into()?)
            .settings(settings)
            .build()?
            .into();
        let headers =
            request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers,
            SignableBody::Bytes(request.body()),
        )?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}
