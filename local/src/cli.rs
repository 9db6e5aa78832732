//! The command line.

mod check;
mod create_clinic;
mod dead_letters;
mod demo;
mod folder;
mod pay;
mod real_vendors;
mod ring;
mod rotate;
mod sam_env;
mod serve;
mod stand;
mod target;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

/// Where the local data lies when nothing else is said.
const DATA_DIR: &str = ".voxanne";

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
    /// Rings the demo clinic on the stack that runs, as a patient who wants what is said; without it, who just talks.
    Ring {
        /// What the patient would like: "a check-up next Tuesday afternoon".
        wish: Option<String>,
        /// What the patient is called.
        #[arg(long, default_value = "Sam Taylor")]
        name: String,
        /// The number that the patient rings from.
        #[arg(long, default_value = "+447700900123")]
        from: String,
        #[command(flatten)]
        there: There,
    },
    /// Pays money in at the stack that runs, by the sandbox's card, and shows the wallet.
    Pay {
        /// Pounds.
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
        pounds: u32,
        #[command(flatten)]
        there: There,
    },
    /// Says whether the demo clinic's ledger is intact, and whether its wallet, diary and calendar agree with what they are made of.
    Check {
        #[command(flatten)]
        there: There,
    },
    /// Seals every stored secret anew with the first of `CREDENTIAL_KEYS`; older keys still open until then.
    RotateKeys {
        /// The keys, as the setting `CREDENTIAL_KEYS` has them: the new one first. A stack that runs must have been started with
        /// them. When left out: those of `.env` or the local stack's own, or with `--env` those of its secret.
        #[arg(long)]
        keys: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Makes a clinic and invites its owner, once: the same command again finds it.
    CreateClinic(CreateClinic),
    /// Looks at what the queues gave up on and what vendors sent that could not be placed, and sends messages back.
    DeadLetters {
        #[command(subcommand)]
        act: Letters,
    },
    /// Writes what functions are given under `sam local`, against the stack that runs, and prints the commands.
    SamEnv(SamEnv),
    /// Writes the document of the API (`OpenAPI` 3.1), as the types of this build have it.
    Openapi {
        /// The file.
        #[arg(default_value = local::openapi::FILE)]
        file: PathBuf,
    },
    /// Says what of downloaded statements (JSON or CSV) is intact, and what was altered.
    VerifyStatement {
        /// The files, of one clinic.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Letters {
    /// Lists all of them, and leaves them where they are.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Shows one whole.
    Show {
        /// Its id, as the list has it.
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Sends messages back to the queues they came from. Do it when their cause is mended.
    Redrive {
        #[command(flatten)]
        selection: Selection,
        #[command(flatten)]
        place: Place,
    },
}

/// Which messages to send back: one of the three.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Selection {
    /// One, by its id as the list has it.
    id: Option<String>,
    /// Those of one queue, by its name as the list has it.
    #[arg(long)]
    queue: Option<String>,
    /// All.
    #[arg(long)]
    all: bool,
}

/// Where a command works.
#[derive(Debug, Args)]
struct Place {
    /// Where the local data lies. When the local stack runs on it, the command goes through the stack.
    #[arg(long, default_value = DATA_DIR, conflicts_with = "env")]
    data_dir: PathBuf,
    /// Works on a deployed environment instead, by the AWS credentials and region of this process.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
}

/// Which running stack a command acts on.
#[derive(Debug, Args)]
struct There {
    /// Where the data lies of the stack that runs.
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
}

#[derive(Debug, Args)]
struct CreateClinic {
    /// What patients know it by.
    #[arg(long)]
    name: String,
    /// A zone of the IANA database, such as Europe/London.
    #[arg(long)]
    time_zone: String,
    /// Who is invited to be its owner.
    #[arg(long)]
    owner_email: String,
    /// What tells it from another clinic of the same owner.
    #[arg(long)]
    id: Option<String>,
    /// With `--env`: where the environment's issuer is (`https://<project>.supabase.co/auth/v1`).
    #[arg(long, requires = "env")]
    auth_url: Option<String>,
    /// With `--env`: the dashboard's origin, where the owner is sent.
    #[arg(long, requires = "env")]
    origin: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct SamEnv {
    /// Where the local data lies that the stack runs on.
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// What a container calls this machine.
    #[arg(long, default_value = "host.docker.internal")]
    host: String,
    /// Allows live keys, which move real money.
    #[arg(long)]
    live: bool,
}

#[derive(Debug, Args)]
struct Serve {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The address to listen at: 0.0.0.0 where containers are to reach it. Who comes from outside needs the data folder's key.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Where the data lies.
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// Starts with an empty data folder.
    #[arg(long)]
    reset: bool,
    /// A fresh data folder begins with nothing but the demo clinic, not with a month of its life.
    #[arg(long)]
    empty: bool,
    /// Which month a fresh data folder begins with: another for another number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times faster the clock, the queues' delays and the sandboxes' talking run.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    speed: u32,
    /// The dashboard's origin, for CORS and for the way back from a payment.
    #[arg(long)]
    cors_origin: Option<String>,
    /// Allows live keys, which move real money.
    #[arg(long)]
    live: bool,
    /// How one signs in to the console: by choosing a clinic and a role, or as where it is deployed, by an account of the issuer's
    /// sandbox.
    #[arg(long, default_value = "local", value_parser = ["local", "password"])]
    sign_in: String,
}

/// Does what the command line says. An error is a sentence for the person who typed it.
pub async fn run() -> Result<ExitCode, String> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Demo) => demo::run().await.map(|()| ExitCode::SUCCESS),
        Some(Command::Openapi { file }) => {
            std::fs::write(&file, local::openapi::text()).map(|()| ExitCode::SUCCESS).map_err(|error| {
                format!(
                    "{} cannot be written: {error}. Run this at the top of the repository.",
                    file.display()
                )
            })
        }
        Some(Command::VerifyStatement { files }) => verify(&files),
        Some(Command::Ring { wish, name, from, there }) => {
            ring::run(&there.data_dir, &ring::Patient { wish, name, from }).await.map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Pay { pounds, there }) => {
            pay::run(&there.data_dir, pounds).await.map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Check { there }) => check::run(&there.data_dir).await,
        Some(Command::RotateKeys { keys, place }) => {
            rotate::run(&place, keys).await.map(|()| ExitCode::SUCCESS)
        }
        Some(Command::CreateClinic(asked)) => create_clinic::run(&asked).await.map(|()| ExitCode::SUCCESS),
        Some(Command::SamEnv(options)) => sam_env::run(options).await.map(|()| ExitCode::SUCCESS),
        Some(Command::DeadLetters { act }) => dead_letters::run(act).await.map(|()| ExitCode::SUCCESS),
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
