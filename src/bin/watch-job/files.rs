//! Files with secrets: read as text in whatever encoding they have, written for their owner alone.

use etcetera::BaseStrategy;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// No form of credentials is as large, and a device never ends.
const LIMIT: u64 = 64 << 10;

/// The file that `login` writes and the directory with tokens, as the platform's conventions have it. `None` without a home.
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

/// The text of a file, of a pipe, or of standard input (`-`), and whether it can be read again: only a file can.
///
/// # Errors
///
/// What is wrong, without the path.
pub(crate) fn read(path: &Path) -> Result<(String, bool), String> {
    let mut bytes = Vec::new();
    let mut is_file = false;
    let read = if path == Path::new("-") {
        io::stdin().take(LIMIT).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| {
            is_file = file.metadata()?.is_file();
            file.take(LIMIT).read_to_end(&mut bytes)
        })
    };
    read.map_err(|error| error.to_string())?;
    let text = if bytes.len() >= 64 << 10 { None } else { decode(bytes) };
    Ok((text.ok_or("it is not a short text in UTF-8 or UTF-16. Save it as UTF-8")?, is_file))
}

/// UTF-16 is what PowerShell writes.
fn decode(bytes: Vec<u8>) -> Option<String> {
    let utf16 = |text: &[u8], unit: fn([u8; 2]) -> u16| {
        String::from_utf16(&text.as_chunks().0.iter().map(|pair| unit(*pair)).collect::<Vec<_>>()).ok()
    };
    match bytes.as_slice() {
        [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf16(text, u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')),
    }
}

/// Warns if other users can read this file.
#[cfg(unix)]
pub(crate) fn warn_if_public(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        let path = shown(path);
        tracing::warn!("other users can read {path}, which holds credentials. Run: chmod 600 {path}");
    }
}

#[cfg(not(unix))]
pub(crate) fn warn_if_public(_: &Path) {}

/// Writes a whole file, for its owner alone, so that no reader ever sees a part of it.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(std::process::id().to_string());
    let written = create(&temporary).and_then(|mut file| file.write_all(text.as_bytes()));
    let written = written.and_then(|()| fs::rename(&temporary, path));
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// An empty file for its owner alone; so are the directories above it, where they are new.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let (mut directories, mut file) = (fs::DirBuilder::new(), fs::OpenOptions::new());
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        (directories.mode(0o700), file.mode(0o600));
    }
    path.parent().map_or(Ok(()), |parent| directories.recursive(true).create(parent))?;
    file.write(true).create(true).truncate(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        let utf16 =
            |unit: fn(u16) -> [u8; 2]| "\u{feff}tö".encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        for (bytes, text) in [
            ("tö".as_bytes().to_vec(), Some("tö")),
            (utf16(u16::to_le_bytes), Some("tö")),
            (utf16(u16::to_be_bytes), Some("tö")),
            (b"t\xf6".to_vec(), None),
            (b"t\0o\0".to_vec(), None),
            (b"\xff\xfe\x00\xd8".to_vec(), None),
        ] {
            assert_eq!(decode(bytes.clone()).as_deref(), text, "{bytes:?}");
        }
    }
}
