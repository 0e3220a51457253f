//! Where Zoho's credentials come from.

use crate::files::{places, shown};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::redact;
use std::path::{Path, PathBuf};

/// One source of credentials.
pub(crate) enum Source {
    /// `--credentials`: a file or a pipe.
    File(PathBuf),
    /// The content of `ZOHO_CREDENTIALS`.
    Variable(String),
    /// In the AWS Secrets Manager secret of this name or ARN.
    Secret(String),
}

/// What the user has to correct before anything is sent.
pub(crate) fn invalid(message: impl AsRef<str>) -> WatchError {
    WatchError::new(ErrorType::InvalidConfiguration, message)
}

/// Whether a value is a secret where none belongs.
pub(crate) fn is_secret(text: &str) -> bool {
    text.contains('{') || redact::contains_secret(text, &[])
}

impl Source {
    /// The first that is given, in the order of the help text. No message shows what may be a secret.
    pub(crate) fn choose(credentials: Option<&Path>, secret_id: Option<&str>) -> Result<Self, WatchError> {
        let variable = |name: &str| {
            let text = std::env::var_os(name)?.to_string_lossy().trim().to_owned();
            Some(text).filter(|text| !text.is_empty())
        };
        if let Some(path) = credentials {
            if !path.exists() && is_secret(&path.to_string_lossy()) {
                return Err(invalid(
                    "--credentials must be the path of a file, but its value (not shown) looks like credentials. Put them \
                     into a file, or pipe them to --credentials -",
                ));
            }
            return Ok(Self::File(path.to_owned()));
        }
        if let (None, Some(text)) = (secret_id, variable("ZOHO_CREDENTIALS")) {
            if !is_secret(&text)
                && (Path::new(&text).exists() || text.contains(['/', '\\']) || text.ends_with(".json"))
            {
                return Err(invalid(
                    "ZOHO_CREDENTIALS must hold credentials, but its value (not shown) looks like a path. Use --credentials",
                ));
            }
            return Ok(Self::Variable(text));
        }
        match (secret_id.map(str::to_owned).or_else(|| variable("ZOHO_SECRET_ID")), places()) {
            (Some(name), _) if Path::new(&name).is_file() => Err(invalid(
                "ZOHO_SECRET_ID must name a secret in AWS Secrets Manager, but its value is a file. Use --credentials",
            )),
            (Some(name), _) => Ok(Self::Secret(name)),
            (None, Some((login, _))) if login.exists() => Ok(Self::File(login)),
            _ => Err(invalid(
                "there are no credentials for Zoho. `watch-job login` gets them; --credentials FILE names others",
            )),
        }
    }

    /// As messages name it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) if path == Path::new("-") => "standard input".to_owned(),
            Self::File(path) => format!("the file {}", shown(path)),
            Self::Variable(_) => "the variable ZOHO_CREDENTIALS".to_owned(),
            Self::Secret(name) => format!("the secret {}", redact::quote_up_to(name, 100)),
        }
    }
}
