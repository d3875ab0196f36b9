//! The commands of the one binary.

pub mod check;
pub mod demo;
mod demo_run;
mod desk;
mod explain;
mod http;
mod import;
mod jar;
mod mail;
mod memory;
mod probe;
mod progress;
pub mod schema;
mod serve;
mod service_token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A second factor in front of web portals that keep their own login.
#[derive(Parser)]
#[command(name = "portcullis", version, about, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway.
    Serve {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Read a configuration and everything it names, and say all that is wrong with it.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Do not look at the portals themselves.
        #[arg(long)]
        offline: bool,
    },
    /// Read a portal's login page and, given an account, its login exchange, and print the
    /// configuration for it.
    Probe(Box<probe::Options>),
    /// Say what would happen to a request, and why.
    Explain(Box<explain::ExplainArguments>),
    /// See and help the users of a portal, over the API of a running gateway.
    #[command(subcommand)]
    User(desk::user::UserCommand),
    /// See and end the sessions of a user, over the API of a running gateway.
    #[command(subcommand)]
    Session(desk::session::SessionCommand),
    /// See and forget the remembered devices of a user, over the API of a running gateway.
    #[command(subcommand)]
    Device(desk::device::DeviceCommand),
    /// See, approve and deny resets that were asked for, over the API of a running gateway.
    #[command(subcommand)]
    ResetRequest(desk::reset_request::ResetRequestCommand),
    /// Show where a portal stands on the way to the second factor, and who is missing, over the
    /// API of a running gateway.
    Rollout(desk::rollout::RolloutArguments),
    /// Rotate the keys that sign sessions and assertions, over the API of a running gateway.
    #[command(subcommand)]
    Keys(desk::keys::KeysCommand),
    /// Copy the store of a running gateway into a file, put such a copy back, and see how the
    /// store stands.
    #[command(subcommand)]
    Store(desk::store::StoreCommand),
    /// Make a token for a service that can give no code, and its line for the configuration.
    ServiceToken {
        /// What to call the service.
        #[arg(long, value_name = "NAME", default_value = "service")]
        name: String,
    },
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Run the gateway in front of a small portal of its own, to see how it works.
    Demo,
}

/// Carries out what was asked for. 0 done, 1 it failed, 2 wrong usage, 3 wrong
/// configuration.
pub fn run(arguments: Arguments) -> ExitCode {
    if let Err(error) = memory::keep_to_ourselves() {
        return ExitCode::from(serve::failed(&error));
    }
    let code = match arguments.command {
        Command::Serve { config } => serve::run(&config),
        Command::Check { config, offline } => check::run(&config, offline),
        Command::Probe(options) => probe::run(&options),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::User(command) => desk::user::run(&command),
        Command::Session(command) => desk::session::run(&command),
        Command::Device(command) => desk::device::run(&command),
        Command::ResetRequest(command) => desk::reset_request::run(&command),
        Command::Rollout(arguments) => desk::rollout::run(&arguments),
        Command::Keys(command) => desk::keys::run(&command),
        Command::Store(command) => desk::store::run(&command),
        Command::ServiceToken { name } => service_token::run(&name),
        Command::Schema => schema::run(),
        Command::Demo => demo_run::run(),
    };
    ExitCode::from(code)
}
