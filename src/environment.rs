//! The environment variables of the process.

use std::collections::HashMap;
use std::ffi::OsString;
use std::process::Command;

/// The variables that are set, without white space at their ends. An empty one counts as unset: templates leave empty
/// what was not given.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        let text = |value: OsString| value.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// The value of a variable that is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        let trimmed = variables.into_iter().map(|(name, value)| (name, value.trim().to_owned()));
        Self(trimmed.filter(|(_, value)| !value.is_empty()).collect())
    }
}

/// Starts this program again in the same process without those `AWS_*` variables that are empty, and with the others
/// trimmed. Does nothing if there are none to change, which is the rule.
///
/// The AWS SDK reads its variables by itself, and takes an empty one for a value: it panics at an empty
/// `AWS_ENDPOINT_URL`. A program cannot change its own environment safely, but it can give its successor another one.
///
/// # Errors
///
/// The operating system's error if the program cannot be started again.
pub fn restart_without_empty_variables() -> std::io::Result<()> {
    let changes = changes(std::env::vars_os());
    if changes.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe()?);
    for (name, value) in changes {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    replace_process(&mut command, arguments.next().unwrap_or_default(), arguments)
}

#[cfg(unix)]
fn replace_process(
    command: &mut Command,
    name: OsString,
    arguments: std::env::ArgsOs,
) -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(command.arg0(name).args(arguments).exec())
}

#[cfg(not(unix))]
fn replace_process(_: &mut Command, _: OsString, _: std::env::ArgsOs) -> std::io::Result<()> {
    Ok(())
}

/// The `AWS_*` variables to trim, and those to remove.
fn changes(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, Option<String>)> {
    variables
        .filter_map(|(name, value)| {
            let is_aws = name.to_str()?.starts_with("AWS_");
            let (value, trimmed) = (value.to_str()?, value.to_str()?.trim());
            (is_aws && (trimmed != value || value.is_empty()))
                .then(|| (name, Some(trimmed.to_owned()).filter(|value| !value.is_empty())))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let variables = [("A", ""), ("B", " \t\n"), ("C", " c\n"), ("D", "d e")];
        let environment: Environment =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(
            ["A", "B", "C", "D"].map(|name| environment.get(name)),
            [None, None, Some("c"), Some("d e")]
        );
    }

    #[test]
    fn only_variables_of_aws_are_changed_for_libraries() {
        for (name, value, expected) in [
            ("AWS_ENDPOINT_URL", "", Some(None)),
            ("AWS_ENDPOINT_URL_SNS", " ", Some(None)),
            ("AWS_SESSION_TOKEN", "token\n", Some(Some("token"))),
            ("AWS_REGION", "eu-west-1", None),
            ("ZOHO_API_DOMAIN", "", None),
            ("PATH", "", None),
        ] {
            let change = changes([(name.into(), value.into())].into_iter()).pop();
            let expected = expected.map(|value| (name.into(), value.map(str::to_owned)));
            assert_eq!(change, expected, "{name}={value:?}");
        }
    }
}
