//! Flags in, text out. One file for every command that does more than print a text.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

pub use self::environment::Variables;
use crate::{
    cli::{error::Failure, exit::Exit, printer::Printer},
    edge::signals::Interruptions,
    model::{digest::Digest, name::Name},
};

mod demo;
mod diff;
mod dns;
mod doctor;
mod environment;
mod error;
mod exit;
mod init;
mod inventory;
mod pin;
mod plan;
mod printer;
mod reconcile;
mod render;
mod rollout;
mod sources;
mod tree;
mod trust;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "bobbypin",
    version,
    about = "Plans, pins and commits the hairpin fix for PROXY-protocol clusters",
    long_about = "Plans, pins and commits the hairpin fix for PROXY-protocol clusters to Git, so that Flux applies it. \
                  bobbypin never applies anything itself.",
    after_long_help = exit::HELP,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The repository, or a folder in it [default: the one around the current folder]
    #[arg(short = 'R', long, global = true, value_name = "PATH")]
    repository: Option<PathBuf>,
    /// Only this cluster; may be repeated [default: all]
    #[arg(long = "cluster", global = true, value_name = "NAME", value_parser = name)]
    clusters: Vec<Name>,
    /// No colour, even on a terminal
    #[arg(long, global = true)]
    no_color: bool,
    /// Say more; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say only what was asked for
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// The form of the log on standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Human, value_name = "FORMAT")]
    log_format: LogFormat,
    /// How many threads to compute with, and how many clusters to read at a time [default: one for each processor; 64]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// How long the reading of one cluster, or one exchange with a Git server, may take [default: 60s]
    #[arg(long, global = true, value_name = "DURATION", default_value = "60s", hide_default_value = true, value_parser = sources::seconds)]
    timeout: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Human,
    Json,
}

/// The form of a result that has no other than these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the files of a new cluster into the repository
    Init(init::InitArgs),
    /// Walk through the whole way on a built-in example, without a network
    Demo(demo::DemoArgs),
    /// Print or write what the clusters hold
    Inventory(inventory::InventoryArgs),
    /// Print what is decided for every layer, and why
    Plan(plan::PlanArgs),
    /// Print the manifests, or write them
    Render(render::RenderArgs),
    /// Compare the manifests with what stands in Git
    Diff(diff::DiffArgs),
    /// Commit what is decided on the tip of the branch
    Reconcile(reconcile::ReconcileArgs),
    /// Make, check and show the digests of charts and images, and keep them from cleaners
    Pin(pin::PinArgs),
    /// Look whether everything around the clusters is as the fix needs it
    Doctor(doctor::DoctorArgs),
    /// Look at the DNS part alone: hosts, records, and what is wrong with a Corefile
    Dns(dns::DnsArgs),
    /// Write down which cluster is meant, so that no other one is read in its place
    Trust(trust::TrustArgs),
    /// Print the JSON Schema of a kind of file
    Schema {
        /// Which kind
        #[arg(value_parser = ["cluster", "repository", "pins", "state"])]
        kind: String,
    },
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What the world gives to a run.
#[derive(Debug)]
pub struct World {
    /// The folder that relative paths start at.
    pub here: PathBuf,
    /// The time of the run.
    pub now: Timestamp,
    /// The user's kubeconfigs: what `KUBECONFIG` names, else the one in the home folder.
    pub kubeconfigs: Vec<PathBuf>,
    /// The docker configuration of the user, which need not be there.
    pub docker_config: Option<PathBuf>,
    /// The folder for what may be forgotten at any time.
    pub cache: Option<PathBuf>,
    /// The variables of the environment that are this program's own, by name.
    pub variables: Variables,
}

/// Everything a command gets besides its own flags.
struct Run<'a> {
    global: &'a Global,
    printer: &'a Printer,
    now: Timestamp,
    here: PathBuf,
    kubeconfigs: Vec<PathBuf>,
    docker_config: Option<PathBuf>,
    cache: Option<PathBuf>,
    variables: Variables,
}

/// Runs the program with these words, the first of them its own name.
pub fn run(words: impl IntoIterator<Item = OsString>, world: World) -> ExitCode {
    let World { here, now, kubeconfigs, docker_config, cache, variables } = world;
    let words: Vec<_> = words.into_iter().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && want_json(&words) => {
            let text = error.render().to_string();
            let failure = Failure::Usage(text.trim_start_matches("error: ").trim_end().to_owned());
            Printer::new(true, false).result(&format!("{:#}", failure.json()));
            return failure.exit().into();
        }
        Err(error) => {
            // clap knows which of its messages are answers and which are complaints.
            drop(error.print());
            return if error.use_stderr() { Exit::Configuration.into() } else { Exit::Done.into() };
        }
    };
    log(&cli.global);
    let printer = Printer::new(cli.global.no_color, cli.global.quiet);
    let (global, printer) = (&cli.global, &printer);
    let run = Run { global, printer, now, here, kubeconfigs, docker_config, cache, variables };
    match in_threads(cli.global.jobs, || run.command(&cli.command)) {
        Ok(exit) => match printer.lost() {
            None => exit.into(),
            Some(error) => {
                printer.error(&format!("error: cannot write the result to standard output\n  because: {error}"));
                exit.max(Exit::Configuration).into()
            }
        },
        Err(failure) => {
            if cli.command.wants_json() {
                printer.result(&format!("{:#}", failure.json()));
            } else {
                printer.error(&failure.human());
            }
            failure.exit().into()
        }
    }
}

impl Run<'_> {
    /// From here on a signal waits while a branch is swapped.
    fn interruptions(&self) -> Result<Interruptions, Failure> {
        Interruptions::new().map_err(|error| Failure::Usage(format!("cannot wait for signals: {error}")))
    }

    fn command(&self, command: &Command) -> Result<Exit, Failure> {
        match command {
            Command::Init(args) => init::run(self, args),
            Command::Demo(args) => demo::run(self, args),
            Command::Inventory(args) => inventory::run(self, args),
            Command::Plan(args) => plan::run(self, args),
            Command::Render(args) => render::run(self, args),
            Command::Diff(args) => diff::run(self, args),
            Command::Reconcile(args) => reconcile::run(self, args),
            Command::Pin(args) => pin::run(self, args),
            Command::Doctor(args) => doctor::run(self, args),
            Command::Dns(args) => dns::run(self, args),
            Command::Trust(args) => trust::run(self, args),
            Command::Schema { kind } => {
                self.printer.result(&crate::config::schema(kind).expect("clap lets only known kinds through"));
                Ok(Exit::Done)
            }
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut Cli::command(), "bobbypin", &mut script);
                self.printer.result(&String::from_utf8_lossy(&script));
                Ok(Exit::Done)
            }
            Command::Man => {
                let mut page = Vec::new();
                clap_mangen::Man::new(Cli::command()).render(&mut page).expect("writing to memory does not fail");
                self.printer.result(&String::from_utf8_lossy(&page));
                Ok(Exit::Done)
            }
        }
    }
}

impl Command {
    fn wants_json(&self) -> bool {
        match self {
            Self::Inventory(args) => args.wants_json(),
            Self::Plan(args) => args.wants_json(),
            Self::Diff(args) => args.wants_json(),
            Self::Reconcile(args) => args.wants_json(),
            Self::Pin(args) => args.wants_json(),
            Self::Doctor(args) => args.wants_json(),
            Self::Dns(args) => args.wants_json(),
            Self::Trust(args) => args.wants_json(),
            Self::Init(_)
            | Self::Demo(_)
            | Self::Render(_)
            | Self::Schema { .. }
            | Self::Completions { .. }
            | Self::Man => false,
        }
    }
}

/// Whether words that could not be understood ask for JSON.
fn want_json(words: &[OsString]) -> bool {
    let is_one = |word: &OsString| word == "-ojson" || word == "-o=json" || word == "--output=json";
    let is_two = |pair: &[OsString]| (pair[0] == "-o" || pair[0] == "--output") && pair[1] == "json";
    words.iter().any(is_one) || words.windows(2).any(is_two)
}

/// Runs something with its own number of threads; without a number, with those that there are.
fn in_threads<T: Send>(jobs: Option<u16>, work: impl FnOnce() -> T + Send) -> T {
    let pool = jobs.and_then(|jobs| rayon::ThreadPoolBuilder::new().num_threads(usize::from(jobs)).build().ok());
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

fn log(global: &Global) {
    use tracing_subscriber::{EnvFilter, fmt};
    let level = match (global.quiet, global.verbose) {
        // What kube says of a failed login may repeat what a program printed that gives credentials. A certificate that is
        // not trusted is told once, with what to do.
        (true, _) => "error,kube_client=off,rustls_platform_verifier=off",
        (false, 0) => "warn,kube_client=off,rustls_platform_verifier=off",
        (false, 1) => "bobbypin=info,warn,kube_client=off,rustls_platform_verifier=off",
        (false, _) => "trace,kube_client=off,rustls_platform_verifier=off",
    };
    let log = fmt().with_writer(std::io::stderr).with_env_filter(EnvFilter::new(level));
    // A second run in one process keeps the first one's log.
    drop(match global.log_format {
        LogFormat::Human => log.without_time().with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    });
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| error.to_string())
}

fn digest(text: &str) -> Result<Digest, String> {
    Digest::parse(text).map_err(|error| error.to_string())
}
