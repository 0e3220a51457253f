//! Files with secrets: read as text in whatever encoding they have, written for their owner alone.

use etcetera::BaseStrategy;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// No form of credentials is larger, and a device never ends.
const LIMIT: u64 = 64 << 10;

/// Text from a file or a pipe.
pub(crate) struct Content {
    /// What it says.
    pub text: String,
    /// Whether it can be read again: a pipe cannot.
    pub is_regular: bool,
    /// Whether other users of this computer can read it.
    pub is_public: bool,
}

/// Where this program keeps credentials and tokens: `~/.config/watch-job` and `~/.cache/watch-job`, or what the platform
/// has in their places. `None` without a home directory.
pub(crate) fn directories() -> Option<(PathBuf, PathBuf)> {
    let platform = etcetera::choose_base_strategy().ok()?;
    Some((platform.config_dir().join("watch-job"), platform.cache_dir().join("watch-job")))
}

/// A path as people write it.
pub(crate) fn shown(path: &Path) -> String {
    match etcetera::home_dir().ok().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    }
}

/// Reads a file or a pipe, or standard input (`-`), once.
///
/// # Errors
///
/// What is wrong, without the path.
pub(crate) fn read(path: &Path) -> Result<Content, String> {
    let mut bytes = Vec::new();
    let mut content = Content { text: String::new(), is_regular: false, is_public: false };
    let read = if path == Path::new("-") {
        io::stdin().take(LIMIT).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            content.is_regular = metadata.is_file();
            content.is_public = content.is_regular && is_public(&metadata);
            file.take(LIMIT).read_to_end(&mut bytes)
        })
    };
    let size = read.map_err(|error| error.to_string())?;
    if u64::try_from(size).is_ok_and(|size| size >= LIMIT) {
        return Err("it is too large for credentials".to_owned());
    }
    content.text = decode(bytes).ok_or("it is neither UTF-8 nor UTF-16 text. Save it as UTF-8")?;
    Ok(content)
}

/// UTF-16 is what PowerShell writes.
fn decode(bytes: Vec<u8>) -> Option<String> {
    let units = |text: &[u8], unit: fn([u8; 2]) -> u16| -> Vec<u16> {
        text.as_chunks().0.iter().map(|pair| unit(*pair)).collect()
    };
    match bytes.as_slice() {
        [0xff, 0xfe, text @ ..] => String::from_utf16(&units(text, u16::from_le_bytes)).ok(),
        [0xfe, 0xff, text @ ..] => String::from_utf16(&units(text, u16::from_be_bytes)).ok(),
        _ => String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')),
    }
}

/// Writes a whole file, for its owner alone, so that no reader ever sees a part of it.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    create_parent(path)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = owners(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let written = written.and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _never_made = fs::remove_file(&temporary);
    }
    written
}

/// The directories above a file, for the owner alone where they are new.
pub(crate) fn create_parent(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    path.parent().map_or(Ok(()), |directory| builder.recursive(true).create(directory))
}

/// A file that only its owner can read, empty if it did not exist.
pub(crate) fn owners(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create(true).truncate(true).open(path)
}

#[cfg(unix)]
fn is_public(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_public(_: &fs::Metadata) -> bool {
    false
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
