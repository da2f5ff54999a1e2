//! What the user may say besides what the [verbs](brickwork::verbs) are asked.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Take trained image classifiers apart and build new ones from their components, without training.
#[derive(Parser)]
#[command(name = "brickwork", version, arg_required_else_help = true, max_term_width = 100)]
#[command(disable_help_flag = true, disable_version_flag = true)]
#[command(after_help = "Start with `brickwork demo`. `brickwork COMMAND --help` shows examples.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone)]
#[command(next_help_heading = "General")]
pub(crate) struct Global {
    /// Print results as JSON on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; repeat for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Threads to use [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: Option<usize>,
    /// Write the answer as a page, too: one file that loads nothing
    #[arg(long, global = true, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Seed of every random choice
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// The box that names such as box:pets stand for [default: in the user's folder for data]
    #[arg(id = "box", long = "box", global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Where steps of long work are kept, so that it goes on where it was interrupted and need not be done twice; none
    /// keeps nothing [default: BRICKWORK_CACHE, or in the user's folder for caches]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Print help
    #[arg(id = "help", short, long = "help", global = true, action = clap::ArgAction::Help)]
    _help: Option<bool>,
    /// Print version
    #[arg(id = "version", short = 'V', long = "version", action = clap::ArgAction::Version)]
    _version: Option<bool>,
}

fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1024) => Ok(count),
        _ => Err("expected a number from 1 to 1024".to_owned()),
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Cache(CacheArgs),
    #[cfg(feature = "studio")]
    Studio(StudioArgs),
    #[cfg(feature = "box")]
    Box(crate::box_args::BoxArgs),
}

/// The whole job on embedded models and images: no download, under a minute
#[derive(Args)]
#[command(after_help = "Example:\n  brickwork demo --out my-demo")]
pub(crate) struct DemoArgs {
    /// Where to put models, data and the page to look at
    #[arg(long, value_name = "DIR", default_value = "brickwork-demo")]
    pub(crate) out: PathBuf,
}

/// Tell what steps of long work are kept for another time
#[derive(Args)]
#[command(after_help = "Example:\n  brickwork cache --clear")]
pub(crate) struct CacheArgs {
    /// Remove them
    #[arg(long)]
    pub(crate) clear: bool,
}

/// Take models apart and put them together in the browser
#[cfg(feature = "studio")]
#[derive(Args)]
#[command(
    after_help = "Examples:\n  brickwork studio\n  brickwork studio my-models --port 8000 --no-open"
)]
pub(crate) struct StudioArgs {
    /// The folder of models and images to work on; made if it is not there
    #[arg(default_value = "brickwork-studio")]
    pub(crate) folder: PathBuf,
    /// The address of this machine to listen on; whoever reaches it and has the token can read and write the folder
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: std::net::IpAddr,
    /// The port to listen on; another one if it is taken
    #[arg(long, value_name = "N", default_value_t = 8765)]
    pub(crate) port: u16,
    /// Do not open a browser
    #[arg(long)]
    pub(crate) no_open: bool,
    /// The largest file that a browser may send, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 1024)]
    pub(crate) upload_limit: u32,
}

// What the command tells about itself. A docstring would become the help of the whole command.
#[derive(Subcommand)]
pub(crate) enum About {
    /// Print the JSON Schemas of what commands are asked and answer
    #[command(after_help = "Examples:
  brickwork schema eval
  brickwork schema gcn train
  brickwork schema error
  brickwork schema")]
    Schema {
        /// The command, error for what `--json` prints when one fails, or recipe.toml for the text of a
        /// recipe [default: all]
        name: Vec<String>,
    },
    /// Print the script by which a shell completes commands and options
    #[command(after_help = "Example:
  brickwork completions bash > ~/.local/share/bash-completion/completions/brickwork")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages
    #[command(after_help = "Example:\n  brickwork man ~/.local/share/man/man1")]
    Man {
        /// Where to put them
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Print the reference of all commands, in Markdown
    #[command(hide = true)]
    Reference,
}
