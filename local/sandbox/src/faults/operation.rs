//! What a request to a vendor is called.

use bytes::Bytes;
use http::{Method, Request};

/// The vendors, and the operations of each.
pub const OPERATIONS: [(&str, &[&str]); 6] = [
    (
        "twilio",
        &[
            "find_subaccount",
            "create_subaccount",
            "dialling_permissions",
            "check_account",
            "search",
            "find_number",
            "find_address",
            "create_address",
            "list_bundles",
            "clone_bundle",
            "list_bundle_items",
            "get_document",
            "buy",
            "release",
            "end_call",
            "send_text",
            "list_texts",
        ],
    ),
    (
        "vapi",
        &[
            "get_call",
            "list_calls",
            "get_recording",
            "dial",
            "command",
            "import_number",
            "list_numbers",
            "get_number",
            "update_number",
            "delete_number",
            "create_credential",
            "list_credentials",
            "create_assistant",
            "get_assistant",
            "update_assistant",
            "list_assistants",
            "create_tool",
            "list_tools",
            "update_tool",
        ],
    ),
    ("stripe", &["rest"]),
    ("ses", &["send"]),
    (
        "supabase",
        &[
            "create_user",
            "invite",
            "list_users",
            "get_user",
            "update_user",
            "delete_user",
            "token",
            "otp",
            "verify",
            "logout",
            "user",
            "keys",
        ],
    ),
    (
        "google",
        &[
            "token",
            "revoke",
            "list_calendars",
            "list_events",
            "instances",
            "get_event",
            "insert_event",
            "update_event",
            "delete_event",
            "watch",
            "stop",
        ],
    ),
];

/// The name of what `request` asks of `vendor`: one of [`OPERATIONS`], or `other`.
pub fn operation(vendor: &str, request: &Request<Bytes>) -> &'static str {
    let segments: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    match vendor {
        "twilio" => twilio(request.method(), &segments),
        "vapi" => vapi(request.method(), &segments),
        "stripe" => "rest",
        "ses" => "send",
        "supabase" => supabase(request.method(), &segments),
        "google" => google(request.method(), &segments),
        _ => "other",
    }
}

fn twilio(method: &Method, segments: &[&str]) -> &'static str {
    let below = match segments {
        ["v1", "Settings"] | ["v2", "RegulatoryCompliance", ..] => segments,
        ["2010-04-01", "Accounts", _, below @ ..] if !below.is_empty() => below,
        ["2010-04-01", below @ ..] => below,
        _ => return "other",
    };
    match (method, below) {
        (&Method::POST, ["v1", "Settings"]) => "dialling_permissions",
        (&Method::GET, ["v2", "RegulatoryCompliance", "Bundles"]) => "list_bundles",
        (&Method::POST, ["v2", "RegulatoryCompliance", "Bundles", _, "Clones"]) => "clone_bundle",
        (&Method::GET, ["v2", "RegulatoryCompliance", "Bundles", _, "ItemAssignments"]) => {
            "list_bundle_items"
        }
        (&Method::GET, ["v2", "RegulatoryCompliance", "SupportingDocuments", _]) => "get_document",
        (&Method::GET, ["Accounts.json"]) => "find_subaccount",
        (&Method::POST, ["Accounts.json"]) => "create_subaccount",
        (&Method::GET, ["Accounts", _]) => "check_account",
        (&Method::GET, ["AvailablePhoneNumbers", _, _]) => "search",
        (&Method::GET, ["IncomingPhoneNumbers.json"]) => "find_number",
        (&Method::POST, ["IncomingPhoneNumbers.json"]) => "buy",
        (&Method::DELETE, ["IncomingPhoneNumbers", _]) => "release",
        (&Method::GET, ["Addresses.json"]) => "find_address",
        (&Method::POST, ["Addresses.json"]) => "create_address",
        (&Method::POST, ["Calls", _]) => "end_call",
        (&Method::POST, ["Messages.json"]) => "send_text",
        (&Method::GET, ["Messages.json"]) => "list_texts",
        _ => "other",
    }
}

fn supabase(method: &Method, segments: &[&str]) -> &'static str {
    match (method, segments) {
        (&Method::POST, ["auth", "v1", "invite"]) => "invite",
        (&Method::GET, ["auth", "v1", "admin", "users"]) => "list_users",
        (&Method::POST, ["auth", "v1", "admin", "users"]) => "create_user",
        (&Method::GET, ["auth", "v1", "admin", "users", _]) => "get_user",
        (&Method::PUT, ["auth", "v1", "admin", "users", _]) => "update_user",
        (&Method::DELETE, ["auth", "v1", "admin", "users", _]) => "delete_user",
        (&Method::POST, ["auth", "v1", "token"]) => "token",
        (&Method::POST, ["auth", "v1", "otp"]) => "otp",
        (_, ["auth", "v1", "verify"]) => "verify",
        (&Method::POST, ["auth", "v1", "logout"]) => "logout",
        (_, ["auth", "v1", "user"]) => "user",
        (&Method::GET, ["auth", "v1", ".well-known", "jwks.json"]) => "keys",
        _ => "other",
    }
}

fn google(method: &Method, segments: &[&str]) -> &'static str {
    match (method, segments) {
        (&Method::POST, ["token"]) => "token",
        (&Method::POST, ["revoke"]) => "revoke",
        (&Method::GET, ["calendar", "v3", "users", "me", "calendarList"]) => "list_calendars",
        (&Method::POST, ["calendar", "v3", "channels", "stop"]) => "stop",
        (method, ["calendar", "v3", "calendars", _, "events", below @ ..]) => match (method, below) {
            (&Method::GET, []) => "list_events",
            (&Method::POST, []) => "insert_event",
            (&Method::POST, ["watch"]) => "watch",
            (&Method::GET, [_]) => "get_event",
            (&Method::PATCH, [_]) => "update_event",
            (&Method::DELETE, [_]) => "delete_event",
            (&Method::GET, [_, "instances"]) => "instances",
            _ => "other",
        },
        _ => "other",
    }
}

fn vapi(method: &Method, segments: &[&str]) -> &'static str {
    match (method, segments) {
        (_, ["_sandbox", "vapi", "control", _]) => "command",
        (&Method::GET, ["call"]) => "list_calls",
        (&Method::POST, ["call"]) => "dial",
        (&Method::GET, ["call", _]) => "get_call",
        (&Method::GET, ["call", _, "mono-recording" | "stereo-recording"]) => "get_recording",
        (&Method::GET, ["phone-number"]) => "list_numbers",
        (&Method::POST, ["phone-number"]) => "import_number",
        (&Method::GET, ["phone-number", _]) => "get_number",
        (&Method::PATCH, ["phone-number", _]) => "update_number",
        (&Method::DELETE, ["phone-number", _]) => "delete_number",
        (&Method::GET, ["credential"]) => "list_credentials",
        (&Method::POST, ["credential"]) => "create_credential",
        (&Method::GET, ["assistant"]) => "list_assistants",
        (&Method::POST, ["assistant"]) => "create_assistant",
        (&Method::GET, ["assistant", _]) => "get_assistant",
        (&Method::PATCH, ["assistant", _]) => "update_assistant",
        (&Method::GET, ["tool"]) => "list_tools",
        (&Method::POST, ["tool"]) => "create_tool",
        (&Method::PATCH, ["tool", _]) => "update_tool",
        _ => "other",
    }
}
