//! Where Zoho's credentials come from, and the files that hold them.

use etcetera::BaseStrategy;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::redact;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// One source of credentials.
pub(crate) enum Source {
    /// A file or a pipe; `-` is standard input.
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

impl Source {
    /// The first that is given, in the order of the help text. No message shows what may be a secret.
    pub(crate) fn choose(credentials: Option<&Path>, secret_id: Option<&str>) -> Result<Self, WatchError> {
        let variable = |name| Some(std::env::var_os(name)?.to_string_lossy().trim().to_owned());
        let [text, name] = ["ZOHO_CREDENTIALS", "ZOHO_SECRET_ID"]
            .map(|name| variable(name).filter(|text| secret_id.is_none() && !text.is_empty()));
        let is_secret = |text: &str| text.contains('{') || redact::contains_secret(text, &[]);
        match (credentials, secret_id.map(str::to_owned).or(name), text, places()) {
            (Some(path), ..) if !path.exists() && is_secret(&path.to_string_lossy()) => Err(invalid(
                "--credentials must be a path, but its value (not shown) looks like credentials. Put them into a file, or \
                 pipe them to --credentials -",
            )),
            (Some(path), ..) => Ok(Self::File(path.to_owned())),
            (_, _, Some(text), _) if !is_secret(&text) && (text.contains(['/', '\\']) || Path::new(&text).exists()) => {
                Err(invalid(
                    "ZOHO_CREDENTIALS must be credentials, but its value (not shown) is a path. Use --credentials",
                ))
            }
            (_, _, Some(text), _) => Ok(Self::Variable(text)),
            (_, Some(name), ..) if Path::new(&name).is_file() => Err(invalid(
                "--secret-id (or ZOHO_SECRET_ID) must name a secret in AWS, but its value is a file. Use --credentials",
            )),
            (_, Some(name), ..) => Ok(Self::Secret(name)),
            (.., Some((file, _))) if file.exists() => Ok(Self::File(file)),
            _ => Err(invalid("there are no credentials. `watch-job login` gets them; --credentials FILE names others")),
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

/// The file that `login` writes and the directory with tokens, where the platform has such. `None` without a home.
pub(crate) fn places() -> Option<(PathBuf, PathBuf)> {
    let platform = etcetera::choose_base_strategy().ok()?;
    let credentials = platform.config_dir().join("watch-job/credentials.json");
    Some((credentials, platform.cache_dir().join("watch-job")))
}

/// A path as people write it.
pub(crate) fn shown(path: &Path) -> String {
    let below = etcetera::home_dir().ok().and_then(|home| Some(path.strip_prefix(home).ok()?.to_owned()));
    below.map_or_else(|| path.display().to_string(), |below| format!("~/{}", below.display()))
}

/// Reads a file, a pipe, or standard input (`-`). Says whether it can be read again: only a file can.
pub(crate) fn read(path: &Path) -> Result<(String, bool), WatchError> {
    // No form of credentials is as large, and a device never ends.
    const LIMIT: u64 = 64 << 10;
    let (mut text, mut is_file) = (String::new(), false);
    let read = if path == Path::new("-") {
        io::stdin().take(LIMIT).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            is_file = metadata.is_file();
            #[cfg(unix)]
            if is_file && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
                let path = shown(path);
                tracing::warn!("other users can read {path}, which holds credentials. Run: chmod 600 {path}");
            }
            file.take(LIMIT).read_to_string(&mut text)
        })
    };
    match read {
        Ok(_) => Ok((text, is_file)),
        Err(error) => {
            let is_encoding = error.kind() == io::ErrorKind::InvalidData;
            let advice = if is_encoding { ". Save it as UTF-8 (PowerShell writes UTF-16)" } else { "" };
            Err(invalid(format!("{} could not be read: {error}{advice}", shown(path))))
        }
    }
}

/// Writes a whole file, for its owner alone, so that no reader ever sees a part of it.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(std::process::id().to_string());
    create(&temporary)?.write_all(text.as_bytes())?;
    fs::rename(&temporary, path)
}

/// An empty file for its owner alone; so are the directories above it, where they are new.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let (mut directories, mut file) = (DirBuilder::new(), OpenOptions::new());
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        directories.mode(0o700);
        file.mode(0o600);
    }
    path.parent().map_or(Ok(()), |parent| directories.recursive(true).create(parent))?;
    file.write(true).create(true).truncate(true).open(path)
}
