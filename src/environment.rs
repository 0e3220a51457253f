//! The environment variables of the process.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

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
/// `AWS_ENDPOINT_URL`. A program cannot change its own environment safely, but it can start its replacement with a
/// different one.
#[cfg(unix)]
pub fn restart_without_empty_variables() -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let changes: Vec<_> = std::env::vars_os().filter_map(|(name, value)| change(name, &value)).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(std::env::current_exe()?);
    for (name, value) in changes {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Err(command.arg0(arguments.next().unwrap_or_default()).args(arguments).exec())
}

/// Does nothing: a process cannot be replaced here.
#[cfg(not(unix))]
pub fn restart_without_empty_variables() -> std::io::Result<()> {
    Ok(())
}

/// The variable of AWS's with its value trimmed, or without one, if it has to change.
fn change(name: OsString, value: &OsStr) -> Option<(OsString, Option<String>)> {
    let (is_aws, value) = (name.to_str()?.starts_with("AWS_"), value.to_str()?);
    let trimmed = value.trim();
    let changes = is_aws && (trimmed.len() < value.len() || value.is_empty());
    changes.then(|| (name, Some(trimmed.to_owned()).filter(|value| !value.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let variables = [("A", ""), ("B", " \t\n"), ("C", " c\n"), ("D", "d e")];
        let environment: Environment =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(["A", "B", "C", "D"].map(|name| environment.get(name)), [None, None, Some("c"), Some("d e")]);
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
            let change = change(name.into(), value.as_ref());
            let expected = expected.map(|value| (name.into(), value.map(str::to_owned)));
            assert_eq!(change, expected, "{name}={value:?}");
        }
    }
}
