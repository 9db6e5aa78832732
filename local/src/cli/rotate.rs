//! `cargo run -- rotate-keys`: every stored secret, sealed anew with the current key.

use platform::Platform;
use services::provisioning::{Provisioning, Settings};
use web::problem::chain;

use super::{
    Place,
    target::{Target, stored},
};

/// Settings of what deals with numbers that a rotation has no use for: it asks no vendor and no queue.
const UNUSED: [(&str, &str); 6] = [
    ("PUBLIC_URL", "https://unused.invalid"),
    ("VAPI_API_KEY", "unused"),
    ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
    ("TWILIO_AUTH_TOKEN", "unused"),
    ("AGENT_SYNC_QUEUE_URL", "unused"),
    ("RECHARGE_QUEUE_URL", "unused"),
];

pub(super) async fn run(place: &Place, keys: Option<String>) -> Result<(), String> {
    let target = if let Some(environment) = &place.env {
        deployed(environment, keys).await?
    } else {
        Target::local(&place.data_dir, keys.map(|keys| ("CREDENTIAL_KEYS", keys))).await?
    };
    rotate(&target.platform).await
}

async fn deployed(environment: &str, keys: Option<String>) -> Result<Target, String> {
    let mut target = Target::deployed(environment).await?;
    let keys = match keys {
        Some(keys) => keys,
        None => stored(&target.platform, environment, "CREDENTIAL_KEYS")
            .await
            .map_err(|error| format!("{error} Or give the keys with --keys."))?,
    };
    let settings = target.platform.environment.with("CREDENTIAL_KEYS", &keys);
    target.platform.environment =
        UNUSED.into_iter().fold(settings, |settings, (name, value)| settings.with(name, value));
    Ok(target)
}

async fn rotate(platform: &Platform) -> Result<(), String> {
    let mut reader = platform.environment.reader();
    let settings = Settings::read(&mut reader, platform);
    reader.finish().map_err(|error| error.to_string())?;
    let rotated = Provisioning::deployed(platform, settings).rotate_keys().await;
    let rotated =
        rotated.map_err(|error| format!("Not every secret could be sealed anew: {}.", chain(&error)))?;
    println!("{} sealed anew, {} had the current key already.", rotated.resealed, rotated.current);
    if rotated.missed > 0 {
        return Err(format!("{} were changed in the same moment: run it again.", rotated.missed));
    }
    if rotated.resealed > 0 {
        println!(
            "Set CREDENTIAL_KEYS so, and run it again: when nothing is left to seal, the older keys may go."
        );
    } else {
        println!("Nothing is sealed by an older key: those may be taken out of CREDENTIAL_KEYS.");
    }
    Ok(())
}
