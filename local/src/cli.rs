//! The command line.

mod demo;
mod rotate;
mod serve;
mod vendors;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// Voxanne's backend, whole, in one process: no Docker, no account, no network.
#[derive(Debug, Parser)]
#[command(name = "voxanne", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tells the story in the terminal, in under a minute: two calls share a wallet until it is empty.
    Demo,
    /// Seals every stored secret anew with the first of `CREDENTIAL_KEYS`; older keys still open until then.
    RotateKeys {
        /// Where the local data lies. Stop the local stack first.
        #[arg(long, default_value = ".voxanne")]
        data_dir: PathBuf,
        /// The keys, as the setting `CREDENTIAL_KEYS` has them: the new one first. Those of `.env`, or the local stack's own, when left
        /// out.
        #[arg(long)]
        keys: Option<String>,
        /// Rotates in a deployed environment, by the settings and AWS credentials of this process.
        #[arg(long)]
        deployed: bool,
    },
    /// Says what of downloaded statements (JSON or CSV) is intact, and what was altered.
    VerifyStatement {
        /// The files, of one clinic.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Where the data lies.
    #[arg(long, default_value = ".voxanne")]
    data_dir: PathBuf,
    /// Starts with an empty data folder.
    #[arg(long)]
    reset: bool,
    /// How many times faster the clock, the queues' delays and the sandboxes' talking run.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    speed: u32,
    /// The dashboard's origin, for CORS and for the way back from a payment.
    #[arg(long)]
    cors_origin: Option<String>,
    /// Allows live keys, which move real money.
    #[arg(long)]
    live: bool,
}

/// Does what the command line says. An error is a sentence for the person who typed it.
pub async fn run() -> Result<ExitCode, String> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Demo) => demo::run().await.map(|()| ExitCode::SUCCESS),
        Some(Command::VerifyStatement { files }) => verify(&files),
        Some(Command::RotateKeys { data_dir, keys, deployed }) => {
            rotate::run(&data_dir, keys, deployed).await.map(|()| ExitCode::SUCCESS)
        }
        None => serve::run(cli.serve).await.map(|()| ExitCode::SUCCESS),
    }
}

fn verify(files: &[PathBuf]) -> Result<ExitCode, String> {
    let texts: Result<Vec<String>, String> = files
        .iter()
        .map(|file| {
            std::fs::read_to_string(file)
                .map_err(|error| format!("{} cannot be read: {error}", file.display()))
        })
        .collect();
    let verdict = local::statement::verify(&texts?).map_err(|error| error.to_string())?;
    println!("{verdict}");
    Ok(if verdict.flaws.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
