//! The environment variables of the process.

use std::collections::HashMap;
use std::ffi::OsString;
#[cfg(unix)]
use std::os::unix::process::CommandExt as _;

/// The variables that are set, without white space at their ends. An empty one counts as unset: templates leave empty
/// what was not given.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

/// The variables of this process.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

impl Environment {
    /// The value of a variable that is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<N: Into<String>, V: AsRef<str>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let trimmed = variables.into_iter().map(|(name, value)| (name.into(), value.as_ref().trim().to_owned()));
        Self(trimmed.filter(|(_, value)| !value.is_empty()).collect())
    }
}

/// Starts this program again in the same process without those `AWS_*` variables that are empty, and with the others
/// trimmed. Does nothing if there are none to change, which is the rule, or where a process cannot be replaced.
///
/// The AWS SDK reads its variables by itself, and panics at an empty `AWS_ENDPOINT_URL`. A program cannot change its own
/// environment safely, but it can start its replacement with a different one.
pub fn restart_without_empty_variables() -> std::io::Result<()> {
    let environment: Environment = variables().collect();
    let names = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("AWS_"))?;
        (environment.get(&name) != value.to_str()).then_some(name)
    });
    let names: Vec<String> = names.collect();
    #[cfg(unix)]
    if !names.is_empty() {
        let mut arguments = std::env::args_os();
        let mut command = std::process::Command::new(std::env::current_exe()?);
        for name in names {
            match environment.get(&name) {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        return Err(command.arg0(arguments.next().unwrap_or_default()).args(arguments).exec());
    }
    Ok(())
}
