//! What was said on a call: from the report, and from Vapi's own record where the report is lost or lacks something.

use base::alarm::chain;
use domain::{
    content::Content,
    ids::{CallId, OrgId},
};
use store::StoreError;
use vendors::vapi::VapiCall;

use super::Charging;

impl Charging {
    /// Keeps what a call's report says, and leaves what the report lacks as it was kept before.
    ///
    /// # Errors
    /// When the store does not do its part: the report must come again.
    pub async fn keep_content(&self, org: OrgId, call: &CallId, content: &Content) -> Result<(), StoreError> {
        let before = self.calls.content(org, call).await?;
        self.put_content(org, call, before.as_ref(), content.clone().or(before.clone().unwrap_or_default()))
            .await
    }

    /// Keeps what Vapi's record of a finished call says, where no report has said it. It is done before the call is closed,
    /// because nothing looks at a closed call again; a store that refuses it does not keep the money waiting.
    pub async fn keep_recorded(&self, org: OrgId, call: &CallId, found: &VapiCall) {
        if let Err(error) = self.fill_content(org, call, found.content()).await {
            tracing::error!(org_id = %org, call_id = %call, cause = chain(&error),
                "what was said on a call could not be kept");
        }
    }

    async fn fill_content(&self, org: OrgId, call: &CallId, content: &Content) -> Result<(), StoreError> {
        let before = self.calls.content(org, call).await?;
        let after = before.clone().unwrap_or_default().or(content.clone());
        self.put_content(org, call, before.as_ref(), after).await
    }

    async fn put_content(
        &self,
        org: OrgId,
        call: &CallId,
        before: Option<&Content>,
        after: Content,
    ) -> Result<(), StoreError> {
        if before == Some(&after) || before.is_none() && after == Content::default() {
            return Ok(());
        }
        self.calls.put_content(org, call, &after).await
    }
}
