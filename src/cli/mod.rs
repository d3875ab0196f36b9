//! The commands of the one binary.

pub mod check;
pub mod demo;
mod demo_run;
mod desk;
mod desk_password;
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
    /// See and help the people of the desk's console, over the API of a running gateway.
    #[command(subcommand)]
    Person(desk::person::PersonCommand),
    /// See, approve and deny resets that were asked for, over the API of a running gateway.
    #[command(subcommand)]
    ResetRequest(desk::reset_request::ResetRequestCommand),
    /// Show where a portal stands on the way to the second factor, and who is missing, over the
    /// API of a running gateway.
    Rollout(desk::rollout::RolloutArguments),
    /// Make the line of the configuration for the password of somebody at the desk's console; it
    /// is read from the terminal or a pipe.
    DeskPassword,
    /// Rotate the keys that sign sessions and assertions, over the API of a running gateway.
    #[command(subcommand)]
    Keys(desk::keys::KeysCommand),
    /// Copy the store of a running gateway into a file, put such a copy back, and see how the
    /// store stands.
    #[command(subcommand)]
    Store(desk::store::StoreCommand),
    /// Read the audit log of a running gateway, and find out whether it is whole.
    #[command(subcommand)]
    Audit(desk::audit::AuditCommand),
    /// Make, list and end tokens of the API itself.
    #[command(subcommand)]
    Token(desk::token::TokenCommand),
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
        Command::Person(command) => desk::person::run(&command),
        Command::ResetRequest(command) => desk::reset_request::run(&command),
        Command::Rollout(arguments) => desk::rollout::run(&arguments),
        Command::DeskPassword => desk_password::run(),
        Command::Keys(command) => desk::keys::run(&command),
        Command::Store(command) => desk::store::run(&command),
        Command::Audit(command) => desk::audit::run(&command),
        Command::Token(command) => desk::token::run(&command),
        Command::ServiceToken { name } => service_token::run(&name),
        Command::Schema => schema::run(),
        Command::Demo => demo_run::run(),
    };
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::Arguments;

    /// Every command that does something, with its words.
    fn leaves(command: &Command, words: &str, found: &mut Vec<(String, Command)>) {
        let words = format!("{words} {}", command.get_name());
        if command.get_subcommands().next().is_none() {
            found.push((words.clone(), command.clone()));
        }
        command.get_subcommands().for_each(|one| leaves(one, &words, found));
    }

    #[test]
    fn whatever_asks_a_running_gateway_speaks_to_people_and_to_scripts() {
        let mut found = Vec::new();
        leaves(&Arguments::command(), "", &mut found);
        let has = |command: &Command, name: &str| {
            command.get_arguments().any(|argument| argument.get_long() == Some(name))
        };
        found.retain(|(_, command)| has(command, "admin"));
        assert!(found.len() >= 13, "{}", found.len());
        for (words, command) in found {
            let output = command.get_arguments().find(|one| one.get_long() == Some("output"));
            let values = output.map(|one| one.get_possible_values()).unwrap_or_default();
            let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
            assert_eq!(names, ["table", "json"], "{words}");
            assert!(has(&command, "token-file"), "{words}");
        }
    }
}
