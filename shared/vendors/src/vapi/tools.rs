//! The tools that every assistant has: made once at Vapi, shared by all orgs.

use aws_lc_rs::digest::{SHA256, digest};
use http::Method;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{Named, Vapi, VapiError, id_of};
use domain::ids::VapiToolId;

/// A tool as it shall be at Vapi.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// The name of the tool's function, by which it is found again.
    pub name: &'static str,
    /// Returns what Vapi is sent of the tool, for a function of the given name.
    pub definition: fn(&str) -> Value,
}

/// Every tool that an assistant of ours has.
pub const TOOLS: [Tool; 1] = [Tool { name: "end_call", definition: end_call }];

fn end_call(name: &str) -> Value {
    json!({
        "type": "endCall",
        "function": {
            "name": name,
            "description": "Ends the call politely once the caller has said goodbye.",
        },
    })
}

impl Tool {
    /// Returns the SHA-256 of the definition, in hexadecimal: another definition has another hash.
    pub fn definition_hash(&self, environment: &str) -> String {
        // An object's keys are written sorted, whatever the order they were given in.
        let text = self.definition_in(environment).to_string();
        hex::encode(digest(&SHA256, text.as_bytes()))
    }

    /// Returns the function's name in one environment: environments may share an account, and each has its
    /// own tool.
    pub fn name_in(&self, environment: &str) -> String {
        format!("{}_{environment}", self.name)
    }

    fn definition_in(&self, environment: &str) -> Value {
        (self.definition)(&self.name_in(environment))
    }

    /// Returns the definition without its `type`, which a tool keeps for life.
    fn changes(&self, environment: &str) -> Value {
        let mut definition = self.definition_in(environment);
        if let Some(fields) = definition.as_object_mut() {
            fields.remove("type");
        }
        definition
    }
}

impl Vapi {
    /// Returns the tool whose function has exactly this name; the oldest, when there are several.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn tool_named(&self, name: &str) -> Result<Option<VapiToolId>, VapiError> {
        let is_it = |entry: &Value| entry["function"]["name"] == name;
        self.listed("/tool", &[], is_it).await?.into_iter().next().map(id_of).transpose()
    }

    /// Makes a tool. Vapi makes another for each request, so the caller must look with [`Self::tool_named`]
    /// first.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn create_tool(&self, tool: &Tool, environment: &str) -> Result<VapiToolId, VapiError> {
        let made: Named<VapiToolId> =
            self.send_json(Method::POST, "/tool", &tool.definition_in(environment)).await?;
        Ok(made.id)
    }

    /// Makes the tool at Vapi what its definition says now.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn update_tool(
        &self,
        id: &VapiToolId,
        tool: &Tool,
        environment: &str,
    ) -> Result<(), VapiError> {
        let path = format!("/tool/{id}");
        self.send_json::<IgnoredAny>(Method::PATCH, &path, &tool.changes(environment)).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_found_by_the_name_that_it_is_made_with() {
        for tool in TOOLS {
            assert_eq!(tool.definition_in("dev")["function"]["name"], tool.name_in("dev"));
            assert_ne!(tool.name_in("dev"), tool.name_in("prod"));
            assert!(tool.changes("dev").get("type").is_none());
            assert!(tool.definition_in("dev")["type"].is_string());
        }
    }

    #[test]
    fn the_hash_is_of_the_sorted_keys() {
        let one = Tool { name: "x", definition: |_| json!({"a": 1, "b": 2}) };
        let same = Tool { name: "x", definition: |_| json!({"b": 2, "a": 1}) };
        let other = Tool { name: "x", definition: |_| json!({"a": 1, "b": 3}) };
        assert_eq!(one.definition_hash("dev"), same.definition_hash("dev"));
        assert_ne!(one.definition_hash("dev"), other.definition_hash("dev"));
        assert_eq!(one.definition_hash("dev").len(), 64);
    }
}
