//! `cargo run -- rotate-keys`: every stored secret, sealed anew with the current key.

use std::{path::Path, sync::Arc};

use local::stack::{Plan, Stack, Storage};
use shared::{
    domain::entropy::Entropy,
    http::problem::chain,
    provisioning::{Provisioning, Settings},
    world::{SystemClock, World},
};

use super::{serve::Folder, vendors};

pub(super) async fn run(data_dir: &Path, keys: Option<String>, deployed: bool) -> Result<(), String> {
    let mut settings = vendors::read(Path::new("."), true, 1)?.settings;
    settings.extend(keys.map(|keys| ("CREDENTIAL_KEYS".to_owned(), keys)));
    if deployed {
        let mut world = World::deployed().await.map_err(|error| error.to_string())?;
        for (name, value) in settings {
            world.environment = world.environment.with(&name, &value);
        }
        return rotate(&world).await;
    }
    let folder = Folder::take(data_dir, false)?;
    let stack = Stack::build(Plan {
        environment: "development".into(),
        storage: Storage::Folder(folder.path().to_owned()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(Entropy::System),
        address: "127.0.0.1:0".into(),
        settings,
        network: None,
    })
    .await
    .map_err(|error| error.to_string())?;
    rotate(&stack.world).await
}

async fn rotate(world: &World) -> Result<(), String> {
    let mut reader = world.environment.reader();
    let settings = Settings::read(&mut reader, world);
    reader.finish().map_err(|error| error.to_string())?;
    let rotated = Provisioning::deployed(world, settings).rotate_keys().await;
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
