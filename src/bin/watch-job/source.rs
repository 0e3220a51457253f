//! Where Zoho's credentials come from.

use crate::files::{self, directories, shown};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::redact;
use secrecy::SecretString;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// One source of credentials.
pub(crate) struct Source {
    /// As messages name it: `the file ~/zoho.json`.
    pub name: String,
    /// Where it is.
    pub origin: Origin,
    /// What its owner should know, once.
    pub warning: Option<String>,
}

/// Where credentials are.
#[derive(Clone)]
pub(crate) enum Origin {
    /// Read anew each time, so that a token that something else keeps up to date is noticed.
    File(PathBuf),
    /// Read once: a variable, or a pipe.
    Text(SecretString),
    /// In the AWS Secrets Manager secret of this name or ARN.
    SecretsManager(String),
}

fn invalid(message: impl AsRef<str>) -> WatchError {
    WatchError::new(ErrorType::InvalidConfiguration, message)
}

/// The file that `login` writes.
///
/// # Errors
///
/// `InvalidConfiguration` without a home directory.
pub(crate) fn of_login() -> Result<PathBuf, WatchError> {
    let (config, _) = directories().ok_or_else(|| invalid("there is no home directory. Set HOME"))?;
    Ok(config.join("credentials.json"))
}

impl Source {
    /// Follows the order that the help text documents.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` if nothing names credentials, if they cannot be read, or if one thing stands where another
    /// one belongs. It never shows what may be a secret.
    pub(crate) fn choose(credentials: Option<&Path>, secret_id: Option<&str>) -> Result<Self, WatchError> {
        let variable = |name: &str| {
            let is_set = |value: &OsString| !value.to_string_lossy().trim().is_empty();
            let utf8 = |value: OsString| {
                value.into_string().map_err(|_| invalid(format!("{name} is not UTF-8 text")))
            };
            std::env::var_os(name).filter(is_set).map(utf8).transpose()
        };
        if let Some(path) = credentials {
            return Self::of_path(path);
        }
        if let Some(name) = secret_id {
            return Self::of_secret("--secret-id", name);
        }
        if let Some(text) = variable("ZOHO_CREDENTIALS")? {
            return Self::of_text(text);
        }
        if let Some(name) = variable("ZOHO_SECRET_ID")? {
            return Self::of_secret("ZOHO_SECRET_ID", name.trim());
        }
        match of_login() {
            Ok(path) if path.exists() => Self::of_path(&path),
            _ => Err(invalid(
                "there are no credentials for Zoho. `watch-job login` gets them; --credentials and --secret-id name others",
            )),
        }
    }

    /// A file or a pipe.
    ///
    /// # Errors
    ///
    /// As for [`Self::choose`].
    pub(crate) fn of_path(path: &Path) -> Result<Self, WatchError> {
        let name = if path == Path::new("-") {
            "standard input".to_owned()
        } else {
            format!("the file {}", shown(path))
        };
        match files::read(path) {
            Ok(content) => {
                let warning = content.is_public.then(|| {
                    format!(
                        "{name} holds credentials, and other users can read it. Run: chmod 600 {}",
                        shown(path)
                    )
                });
                let text = SecretString::from(content.text);
                let origin =
                    if content.is_regular { Origin::File(path.to_owned()) } else { Origin::Text(text) };
                Ok(Self { name, origin, warning })
            }
            Err(_)
                if path
                    .to_str()
                    .is_some_and(|text| text.contains('{') || redact::contains_secret(text, &[])) =>
            {
                Err(invalid(
                    "--credentials must be the path of a file, but its value (not shown) looks like credentials. Put them \
                     into a file, or pipe them to --credentials -",
                ))
            }
            Err(problem) => Err(invalid(format!("{name} could not be read: {problem}"))),
        }
    }

    fn of_text(text: String) -> Result<Self, WatchError> {
        let path = Path::new(text.trim());
        if !text.contains('{')
            && (path.exists()
                || text.contains(['/', '\\'])
                || path.extension().is_some_and(|end| end == "json"))
        {
            return Err(invalid(
                "ZOHO_CREDENTIALS must hold credentials, but its value (not shown) looks like a path. Use --credentials",
            ));
        }
        let name = "the variable ZOHO_CREDENTIALS".to_owned();
        Ok(Self { name, origin: Origin::Text(text.into()), warning: None })
    }

    fn of_secret(setting: &str, name: &str) -> Result<Self, WatchError> {
        if Path::new(name).is_file() {
            return Err(invalid(format!(
                "{setting} must name a secret in AWS Secrets Manager, but there is a file of this name. Use --credentials"
            )));
        }
        let origin = Origin::SecretsManager(name.to_owned());
        Ok(Self { name: format!("the secret {}", redact::quote_up_to(name, 100)), origin, warning: None })
    }

    /// The name of the secret in AWS Secrets Manager, if the credentials are there.
    pub(crate) fn secret_id(&self) -> Option<&str> {
        match &self.origin {
            Origin::SecretsManager(name) => Some(name),
            Origin::File(_) | Origin::Text(_) => None,
        }
    }
}
