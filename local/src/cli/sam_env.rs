//! `cargo run -- sam-env`: how functions run under `sam local`, against the stack that runs here.

use std::{io::Write, path::Path, sync::Arc};

use base::clock::Clock;
use base::entropy::Entropy;
use jiff::SignedDuration;
use local::{
    sam::{self, Reach},
    stack::{Keys, Plan, Storage, private},
    template::Template,
};
use platform::SystemClock;

use super::{
    SamEnv,
    folder::{Folder, Taken},
    real_vendors,
    serve::environment,
};

/// The file of a data folder that `sam local` is given.
const FILE: &str = "sam-env.json";

/// Writes the file and prints the commands.
pub(super) async fn run(options: SamEnv) -> Result<(), String> {
    let data_dir = &options.data_dir;
    let (port, key) = match Folder::try_take(data_dir)? {
        Taken::By(_) => Folder::port(data_dir),
        Taken::Ours(_) => None,
    }
    .ok_or_else(|| {
        format!("No stack runs on {}: `cargo run` first, in another shell.", data_dir.display())
    })?;
    let is_ahead =
        |time: jiff::Timestamp| time.duration_since(SystemClock.now()) > SignedDuration::from_mins(1);
    if Folder::last_time(data_dir).is_some_and(is_ahead) {
        return Err("The stack's time is ahead of the real one, which functions under SAM go by (it ran with --speed): \
                    start it afresh with --reset, or on another folder."
            .into());
    }
    let tunnel = real_vendors::tunnel(port).await;
    let vendors = real_vendors::read(Path::new("."), options.live, 1, tunnel)?;
    let keys = Keys::of_folder(data_dir, &Entropy::System)?;
    let plan = Plan {
        environment: environment(vendors.is_real(), &keys),
        storage: Storage::Memory,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(Entropy::System),
        address: format!("127.0.0.1:{port}"),
        keys,
        settings: vendors.settings,
        network: None,
        schedules: false,
        skews: vec![],
    };
    let template = Template::read(&plan.environment).map_err(|error| error.to_string())?;
    let reach = Reach { host: options.host, port, key };
    let variables = sam::env_vars(&template, &plan.functions_environment(), &reach)?;
    let file = data_dir.join(FILE);
    write(&file, &format!("{variables:#}\n"))
        .map_err(|error| format!("{} cannot be written: {error}.", file.display()))?;
    println!("{}", commands(&file, &reach));
    Ok(())
}

/// Writes a file that its owner alone can read: the folder's secrets are in it.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    private(file)?.write_all(text.as_bytes())
}

/// The commands, to be pasted into a shell.
fn commands(file: &Path, reach: &Reach) -> String {
    let architecture = if cfg!(target_arch = "x86_64") { "x86_64" } else { "arm64" };
    // Docker Desktop knows the host by this name; Docker Engine is told the address of its bridge.
    let (bridge, listen) = if cfg!(target_os = "linux") {
        (
            " --add-host host.docker.internal:172.17.0.1",
            "\nContainers reach this machine by Docker's bridge: the stack must have been started with --listen 0.0.0.0.",
        )
    } else {
        ("", "")
    };
    let given = format!(
        "--env-vars {file} --parameter-overrides Architecture={architecture} LocalEndpoint={endpoint}{bridge}",
        file = file.display(),
        endpoint = reach.aws(),
    );
    format!(
        "{file} has what each function is given under SAM, the data folder's secrets too.{listen} In this folder:\n\n\
         export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=eu-west-2 SAM_CLI_TELEMETRY=0\n\
         sam build --parameter-overrides Architecture={architecture}\n\
         sam local start-api --port 3001 {given}\n\
         sam local invoke ReconcileFunction -e tests/events/reconcile.json {given}\n\n\
         To look inside:\n\n\
         aws dynamodb list-tables --endpoint-url {inside}\n\
         aws sqs list-queues --endpoint-url {inside}\n\
         aws secretsmanager list-secrets --endpoint-url {inside}",
        file = file.display(),
        key = reach.key,
        inside = format_args!("http://127.0.0.1:{}/_aws", reach.port),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_name_the_file_the_endpoint_and_the_key() {
        let reach = Reach { host: "host.docker.internal".into(), port: 3000, key: "folder-key".into() };
        let said = commands(Path::new(".voxanne/sam-env.json"), &reach);
        for expected in [
            "sam build",
            "sam local start-api --port 3001 --env-vars .voxanne/sam-env.json",
            "LocalEndpoint=http://host.docker.internal:3000/_aws",
            "sam local invoke ReconcileFunction -e tests/events/reconcile.json",
            "AWS_ACCESS_KEY_ID=folder-key",
            "aws sqs list-queues --endpoint-url http://127.0.0.1:3000/_aws",
        ] {
            assert!(said.contains(expected), "{expected} is not in {said}");
        }
    }
}
