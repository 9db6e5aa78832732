//! S3: objects that no table holds. Two requests of its REST API, signed here by the SDK's own signer: its client would bring
//! more code than both (decision 14).

use std::{fmt, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::config::{ProvideCredentials as _, Region, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use base::clock::Clock;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use vendors::http::{Http, HttpError};

use crate::Platform;

/// The checksum of what is put: S3 demands one wherever objects are locked.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
const CHECKSUM: &str = "x-amz-checksum-sha256";

/// One bucket.
#[derive(Clone)]
pub struct Bucket {
    http: Http,
    base_url: String,
    region: Option<Region>,
    credentials: Option<SharedCredentialsProvider>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Why an object was not got or put. A put may have been done all the same.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// No answer came.
    #[error("the bucket did not answer")]
    Http(#[source] HttpError),
    /// The request could not be made or signed: no credentials, or a key that is no path.
    #[error("a request to the bucket could not be signed")]
    Unsigned(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// S3 refused.
    #[error("the bucket answered {0}")]
    Refused(StatusCode),
}

impl Bucket {
    /// Returns the bucket at `base_url`, such as `https://<bucket>.s3.<region>.amazonaws.com`, by the platform's credentials.
    pub fn of(platform: &Platform, base_url: impl Into<String>) -> Self {
        Self {
            http: platform.vendors.clone(),
            base_url: base_url.into(),
            region: platform.region.clone(),
            credentials: platform.credentials.clone(),
            clock: Arc::clone(&platform.clock),
        }
    }

    /// Returns the newest version of an object. None when there is none, or when S3 keeps to itself whether there is one: to
    /// whoever may not list the bucket it answers 403 for an object that is not there. [`Bucket::put_new`] tells them apart.
    ///
    /// `key` is letters, digits and `-`.
    ///
    /// # Errors
    /// When S3 does not answer, or answers with anything but the object.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, BucketError> {
        let answer = self.send(Method::GET, key, Bytes::new(), false).await?;
        match answer.status() {
            StatusCode::OK => Ok(Some(answer.into_body())),
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(None),
            status => Err(BucketError::Refused(status)),
        }
    }

    /// Puts a version of an object, over any that is there.
    ///
    /// # Errors
    /// When S3 does not answer, or refuses.
    pub async fn put(&self, key: &str, body: Bytes) -> Result<(), BucketError> {
        match self.send(Method::PUT, key, body, false).await?.status() {
            StatusCode::OK => Ok(()),
            status => Err(BucketError::Refused(status)),
        }
    }

    /// Puts an object where there is none; returns whether it did.
    ///
    /// # Errors
    /// When S3 does not answer, or refuses for another reason.
    pub async fn put_new(&self, key: &str, body: Bytes) -> Result<bool, BucketError> {
        match self.send(Method::PUT, key, body, true).await?.status() {
            StatusCode::OK => Ok(true),
            StatusCode::PRECONDITION_FAILED => Ok(false),
            status => Err(BucketError::Refused(status)),
        }
    }

    async fn send(
        &self,
        method: Method,
        key: &str,
        body: Bytes,
        is_new: bool,
    ) -> Result<Response<Bytes>, BucketError> {
        let mut request =
            Request::builder().method(&method).uri(format!("{}/{key}", self.base_url.trim_end_matches('/')));
        if method == Method::PUT {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .header(CHECKSUM, STANDARD.encode(digest(&SHA256, &body)));
        }
        if is_new {
            request = request.header(header::IF_NONE_MATCH, "*");
        }
        let mut request = request.body(body).map_err(|error| BucketError::Unsigned(Box::new(error)))?;
        self.sign(&mut request).await.map_err(BucketError::Unsigned)?;
        self.http.send(request).await.map_err(BucketError::Http)
    }

    /// Signs a request as S3 wants it: the path as it is, and the body's hash in a header of its own.
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
            .name("s3")
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
