//! What Vapi's API takes, as far as anything of ours goes there (docs.vapi.ai, the schemas named here). The tests hold it against
//! the schemas in `tests/schemas`.

use super::shape::{Is, Shape};

const TEXT: Is = Is::Text(usize::MAX);
/// The longest name of anything, in characters.
const NAME: Is = Is::Text(40);
const SENTENCE: Is = Is::Text(1_000);

const BACKOFF: Shape = Shape::of(&[
    ("type", Is::Word(&["fixed", "exponential"])),
    ("maxRetries", Is::Number(0, 10)),
    ("baseDelaySeconds", Is::Number(0, 10)),
    ("excludedStatusCodes", Is::Any),
])
.with(&["type"]);

const SERVER: Shape = Shape::of(&[
    ("url", TEXT),
    ("credentialId", TEXT),
    ("timeoutSeconds", Is::Number(1, 300)),
    ("staticIpAddressesEnabled", Is::Any),
    ("encryptedPaths", Is::Any),
    ("headers", Is::Any),
    ("backoffPlan", Is::Object(&BACKOFF)),
]);

const MESSAGE: Shape =
    Shape::of(&[("role", Is::Word(&["assistant", "function", "user", "system", "tool"])), ("content", TEXT)])
        .with(&["role"]);

const MODELS: [(&str, Shape); 1] = [(
    "openai",
    Shape::of(&[
        ("provider", TEXT),
        ("model", TEXT),
        ("messages", Is::List(&MESSAGE)),
        ("tools", Is::ListBy("type", &TOOLS)),
        ("toolIds", Is::Any),
        ("toolRefs", Is::Any),
        ("knowledgeBase", Is::Any),
        ("fallbackModels", Is::Any),
        ("toolStrictCompatibilityMode", Is::Any),
        ("promptCacheRetention", Is::Any),
        ("promptCacheKey", Is::Text(64)),
        ("reasoningEffort", Is::Any),
        ("temperature", Is::Any),
        ("maxTokens", Is::Number(50, 10_000)),
        ("emotionRecognitionEnabled", Is::Any),
        ("numFastTurns", Is::Any),
    ])
    .with(&["provider", "model"]),
)];

const fn voice(provider: &'static str, required: &'static [&'static str]) -> (&'static str, Shape) {
    (provider, Shape::of(&[]).with(required).open())
}

/// Each provider, and what its voices must say beside it.
const VOICES: [(&str, Shape); 19] = [
    voice("11labs", &["voiceId"]),
    voice("azure", &["voiceId"]),
    voice("cartesia", &["voiceId"]),
    voice("custom-voice", &["server"]),
    voice("deepgram", &["voiceId"]),
    voice("hume", &["voiceId"]),
    voice("inworld", &["voiceId"]),
    voice("lmnt", &["voiceId"]),
    voice("minimax", &["voiceId"]),
    voice("neuphonic", &["voiceId", "language"]),
    voice("openai", &["voiceId"]),
    voice("playht", &["voiceId"]),
    voice("rime-ai", &["voiceId"]),
    voice("sesame", &["voiceId", "model"]),
    voice("smallest-ai", &["voiceId"]),
    voice("tavus", &["voiceId"]),
    voice("vapi", &["voiceId"]),
    voice("wellsaid", &["voiceId"]),
    voice("xai", &["voiceId"]),
];
const TRANSCRIBERS: [(&str, Shape); 1] = [(
    "deepgram",
    Shape::of(&[
        ("provider", TEXT),
        ("model", TEXT),
        ("language", TEXT),
        ("smartFormat", Is::Any),
        ("mipOptOut", Is::Any),
        ("numerals", Is::Any),
        ("profanityFilter", Is::Any),
        ("redaction", Is::Any),
        ("confidenceThreshold", Is::Any),
        ("eotThreshold", Is::Any),
        ("eotTimeoutMs", Is::Any),
        ("languages", Is::Any),
        ("keywords", Is::Any),
        ("keyterm", Is::Any),
        ("endpointing", Is::Any),
        ("fallbackPlan", Is::Any),
    ]),
)];

const SERVER_MESSAGES: [&str; 28] = [
    "assistant.started",
    "assistant.speechStarted",
    "conversation-update",
    "end-of-call-report",
    "function-call",
    "hang",
    "language-changed",
    "language-change-detected",
    "model-output",
    "phone-call-control",
    "speech-update",
    "status-update",
    "transcript",
    "transcript[transcriptType=\"final\"]",
    "tool-calls",
    "transfer-destination-request",
    "handoff-destination-request",
    "transfer-update",
    "user-interrupted",
    "voice-input",
    "chat.created",
    "chat.deleted",
    "session.created",
    "session.updated",
    "session.deleted",
    "call.deleted",
    "call.delete.failed",
    "call.artifact.upload",
];

/// Stands in prose alone (docs.vapi.ai, "Assistant hooks").
const ELAPSED: Shape = Shape::of(&[("seconds", Is::Number(1, 3_600))]).with(&["seconds"]);
const HOOKS: [(&str, Shape); 1] = [(
    "call.timeElapsed",
    Shape::of(&[
        ("on", TEXT),
        ("do", Is::ListBy("type", &ACTIONS)),
        ("options", Is::Object(&ELAPSED)),
        ("filters", Is::Any),
        ("name", TEXT),
    ])
    .with(&["do", "options"]),
)];
const ACTIONS: [(&str, Shape); 1] =
    [("say", Shape::of(&[("type", TEXT), ("exact", Is::Any), ("prompt", Is::Any)]))];

const SUMMARY: Shape =
    Shape::of(&[("messages", Is::Any), ("enabled", Is::Any), ("timeoutSeconds", Is::Number(1, 60))]);
const STRUCTURED: Shape = Shape::of(&[("schema", Is::Any)]).and(&SUMMARY);
const ANALYSIS: Shape = Shape::of(&[
    ("minMessagesThreshold", Is::Any),
    ("summaryPlan", Is::Object(&SUMMARY)),
    ("structuredDataPlan", Is::Object(&STRUCTURED)),
    ("structuredDataMultiPlan", Is::Any),
    ("successEvaluationPlan", Is::Any),
    ("outcomeIds", Is::Any),
]);

/// `CreateAssistantDTO`, `UpdateAssistantDTO`.
pub(super) const ASSISTANT: Shape = Shape::of(&[
    ("transcriber", Is::By("provider", &TRANSCRIBERS)),
    ("model", Is::By("provider", &MODELS)),
    ("voice", Is::By("provider", &VOICES)),
    ("firstMessage", TEXT),
    ("firstMessageInterruptionsEnabled", Is::Any),
    (
        "firstMessageMode",
        Is::Word(&[
            "assistant-speaks-first",
            "assistant-speaks-first-with-model-generated-message",
            "assistant-waits-for-user",
        ]),
    ),
    ("voicemailDetection", Is::Any),
    ("clientMessages", Is::Any),
    ("serverMessages", Is::Words(&SERVER_MESSAGES)),
    ("maxDurationSeconds", Is::Number(10, 43_200)),
    ("backgroundSound", Is::Any),
    ("modelOutputInMessagesEnabled", Is::Any),
    ("transportConfigurations", Is::Any),
    ("observabilityPlan", Is::Any),
    ("credentials", Is::Any),
    ("hooks", Is::ListBy("on", &HOOKS)),
    ("name", NAME),
    ("voicemailMessage", SENTENCE),
    ("endCallMessage", SENTENCE),
    ("endCallPhrases", Is::Any),
    ("compliancePlan", Is::Any),
    ("metadata", Is::Any),
    ("backgroundSpeechDenoisingPlan", Is::Any),
    ("analysisPlan", Is::Object(&ANALYSIS)),
    ("artifactPlan", Is::Any),
    ("startSpeakingPlan", Is::Any),
    ("stopSpeakingPlan", Is::Any),
    ("monitorPlan", Is::Any),
    ("credentialIds", Is::Any),
    ("server", Is::Object(&SERVER)),
    ("keypadInputPlan", Is::Any),
]);

/// What stands for variables in an assistant's texts: any name, any value.
const VALUES: Shape = Shape::of(&[]).open();

/// `AssistantOverrides`.
const OVERRIDES: Shape =
    Shape::of(&[("tools:append", Is::ListBy("type", &TOOLS)), ("variableValues", Is::Object(&VALUES))])
        .and(&ASSISTANT);

const CUSTOMER: Shape = Shape::of(&[
    ("number", Is::Text(40)),
    ("numberE164CheckEnabled", Is::Any),
    ("extension", Is::Text(10)),
    ("assistantOverrides", Is::Object(&OVERRIDES)),
    ("squadOverrides", Is::Object(&OVERRIDES)),
    ("sipUri", TEXT),
    ("name", NAME),
    ("email", NAME),
    ("externalId", NAME),
]);

/// `CreateCallDTO`.
pub(super) const CALL: Shape = Shape::of(&[
    ("assistantVersion", Is::Any),
    ("transport", Is::Any),
    ("customers", Is::List(&CUSTOMER)),
    ("name", NAME),
    ("schedulePlan", Is::Any),
    ("assistantId", TEXT),
    ("assistant", Is::Object(&ASSISTANT)),
    ("assistantOverrides", Is::Object(&OVERRIDES)),
    ("squadId", TEXT),
    ("squad", Is::Any),
    ("squadOverrides", Is::Object(&OVERRIDES)),
    ("workflowId", TEXT),
    ("workflow", Is::Any),
    ("workflowOverrides", Is::Any),
    ("phoneNumberId", TEXT),
    ("phoneNumber", Is::Any),
    ("customerId", TEXT),
    ("customer", Is::Object(&CUSTOMER)),
]);

const DESTINATION: [(&str, Shape); 1] = [(
    "number",
    Shape::of(&[
        ("type", TEXT),
        ("number", Is::Text(40)),
        ("message", Is::Any),
        ("numberE164CheckEnabled", Is::Any),
        ("extension", Is::Text(10)),
        ("callerId", Is::Text(40)),
        ("transferPlan", Is::Any),
        ("description", TEXT),
    ])
    .with(&["number"]),
)];

/// `CreateTwilioPhoneNumberDTO`, `UpdateTwilioPhoneNumberDTO`.
pub(super) const NUMBER: Shape = Shape::of(&[
    ("provider", Is::Word(&["twilio"])),
    ("number", TEXT),
    ("twilioAccountSid", TEXT),
    ("twilioAuthToken", TEXT),
    ("twilioApiKey", TEXT),
    ("twilioApiSecret", TEXT),
    ("name", NAME),
    ("assistantId", TEXT),
    ("workflowId", TEXT),
    ("squadId", TEXT),
    ("smsEnabled", Is::Any),
    ("hooks", Is::Any),
    ("server", Is::Object(&SERVER)),
    ("fallbackDestination", Is::By("type", &DESTINATION)),
])
.with(&["provider", "number", "twilioAccountSid"]);

/// `CreateEndCallToolDTO`, `CreateFunctionToolDTO`.
const TOOLS: [(&str, Shape); 2] = [
    ("endCall", Shape::of(&[("type", TEXT), ("messages", Is::Any), ("rejectionPlan", Is::Any)])),
    (
        "function",
        Shape::of(&[
            ("type", TEXT),
            ("messages", Is::Any),
            ("async", Is::Any),
            ("server", Is::Object(&SERVER)),
            ("variableExtractionPlan", Is::Any),
            ("parameters", Is::Any),
            ("function", Is::Object(&FUNCTION)),
            ("rejectionPlan", Is::Any),
        ]),
    ),
];
const FUNCTION: Shape = Shape::of(&[
    ("name", Is::Text(64)),
    ("description", SENTENCE),
    ("parameters", Is::Any),
    ("strict", Is::Any),
])
.with(&["name"]);

/// Those who give voices, as Vapi names them.
pub(super) fn voice_providers() -> Vec<&'static str> {
    VOICES.iter().map(|(name, _)| *name).collect()
}

/// A tool of this type; of another type, anything.
pub(super) fn tool(kind: &str) -> Shape {
    let known = TOOLS.iter().find(|(name, _)| *name == kind).map(|(_, shape)| *shape);
    known.unwrap_or_else(|| Shape::of(&[]).open()).with(&["type"])
}

const PLANS: [(&str, Shape); 1] = [(
    "hmac",
    Shape::of(&[
        ("type", TEXT),
        ("secretKey", TEXT),
        ("algorithm", Is::Word(&["sha256", "sha512", "sha1"])),
        ("signatureHeader", TEXT),
        ("timestampHeader", TEXT),
        ("signaturePrefix", TEXT),
        ("includeTimestamp", Is::Any),
        ("payloadFormat", TEXT),
        ("messageIdHeader", TEXT),
        ("signatureEncoding", Is::Word(&["hex", "base64"])),
        ("secretIsBase64", Is::Any),
    ])
    .with(&["secretKey", "algorithm"]),
)];

/// `CreateCustomCredentialDTO`.
pub(super) const CREDENTIAL: Shape = Shape::of(&[
    ("provider", TEXT),
    ("name", NAME),
    ("authenticationPlan", Is::By("type", &PLANS)),
    ("encryptionPlan", Is::Any),
])
.with(&["provider"]);

/// `ServerMessageResponseAssistantRequest`.
pub(super) const ANSWER: Shape = Shape::of(&[
    ("destination", Is::By("type", &DESTINATION)),
    ("assistantId", TEXT),
    ("assistant", Is::Object(&ASSISTANT)),
    ("assistantOverrides", Is::Object(&OVERRIDES)),
    ("squadId", TEXT),
    ("squad", Is::Any),
    ("squadOverrides", Is::Object(&OVERRIDES)),
    ("workflowId", TEXT),
    ("workflow", Is::Any),
    ("workflowOverrides", Is::Any),
    ("error", TEXT),
]);

/// `ClientInboundMessageSay`, `ClientInboundMessageEndCall`: what a live call takes here.
pub(super) const COMMANDS: [(&str, Shape); 2] = [
    (
        "say",
        Shape::of(&[
            ("type", TEXT),
            ("content", TEXT),
            ("endCallAfterSpoken", Is::Any),
            ("interruptAssistantEnabled", Is::Any),
            ("interruptionsEnabled", Is::Any),
        ]),
    ),
    ("end-call", Shape::of(&[("type", TEXT)])),
];
