//! The tools that every assistant has: made once at Vapi, shared by all orgs.

use aws_lc_rs::digest::{SHA256, digest};
use http::Method;
use serde_json::{Value, json};

use super::{Named, Vapi, VapiError, id_of};
use domain::ids::VapiToolId;

/// A tool as it shall be at Vapi.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// What we call it.
    pub name: &'static str,
    /// Returns what Vapi is sent of the tool, which is also what it is found again by.
    pub definition: fn() -> Value,
}

/// Every tool that an assistant of ours has.
pub const TOOLS: [Tool; 1] = [Tool { name: "end_call", definition: end_call }];
/// What changes how a tool behaves: one that has more of it than its definition is another tool.
const DECIDING: [&str; 2] = ["messages", "rejectionPlan"];

/// Vapi's API describes no other field that we need for it (`CreateEndCallToolDTO`), and refuses those it does not describe.
fn end_call() -> Value {
    json!({"type": "endCall"})
}

impl Tool {
    /// Returns the SHA-256 of the definition, in hexadecimal: another definition has another hash.
    pub fn definition_hash(&self) -> String {
        // An object's keys are written sorted, whatever the order they were given in.
        let text = (self.definition)().to_string();
        hex::encode(digest(&SHA256, text.as_bytes()))
    }

    /// Returns whether an entry of Vapi's list does what the definition says: by the definition's own fields, because Vapi
    /// keeps no name or mark of ours on every kind of tool.
    fn is_kept_as(&self, entry: &Value) -> bool {
        let definition = (self.definition)();
        let mut fields = definition.as_object().into_iter().flatten();
        let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        fields.all(|(name, value)| entry[name] == *value)
            && DECIDING.iter().all(|name| !definition[name].is_null() || is_empty(&entry[name]))
    }
}

impl Vapi {
    /// Returns the tool that does what the definition says, whoever made it; the oldest, when there are several. It may be
    /// shared with others who use the account, so it is never changed.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn tool_like(&self, tool: &Tool) -> Result<Option<VapiToolId>, VapiError> {
        let found = self.listed("/tool", &[], |entry| tool.is_kept_as(entry)).await?;
        found.into_iter().next().map(id_of).transpose()
    }

    /// Makes a tool. Vapi makes another for each request, so the caller must look with [`Self::tool_like`] first.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn create_tool(&self, tool: &Tool) -> Result<VapiToolId, VapiError> {
        let made: Named<VapiToolId> = self.send_json(Method::POST, "/tool", &(tool.definition)()).await?;
        Ok(made.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_found_by_what_the_vendor_keeps_of_it() {
        let kept = |more: Value| {
            let mut entry =
                json!({"id": "t", "orgId": "o", "createdAt": "2026-01-01T00:00:00.000Z", "type": "endCall"});
            for (name, value) in more.as_object().into_iter().flatten() {
                entry[name] = value.clone();
            }
            TOOLS[0].is_kept_as(&entry)
        };
        assert!(kept(json!({})), "as it is sent");
        assert!(kept(json!({"messages": [], "rejectionPlan": null})), "with what Vapi adds");
        assert!(!kept(json!({"type": "function"})));
        assert!(
            !kept(json!({"messages": [{"type": "request-start", "content": "Bye."}]})),
            "it says something"
        );
        assert!(!kept(json!({"rejectionPlan": {"conditions": []}})), "it may not end the call");
    }

    #[test]
    fn the_hash_is_of_the_sorted_keys() {
        let one = Tool { name: "x", definition: || json!({"a": 1, "b": 2}) };
        let same = Tool { name: "x", definition: || json!({"b": 2, "a": 1}) };
        let other = Tool { name: "x", definition: || json!({"a": 1, "b": 3}) };
        assert_eq!(one.definition_hash(), same.definition_hash());
        assert_ne!(one.definition_hash(), other.definition_hash());
        assert_eq!(one.definition_hash().len(), 64);
    }
}
