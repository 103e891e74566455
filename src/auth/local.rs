//! The secret of an instance without a configured key: made once, kept in the data directory. The file may be given
//! more secrets later, for a rotation.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::Path,
};

use anyhow::{Context, ensure};
use uuid::Uuid;

use crate::config::Secrets;

/// The file in the data directory.
const FILE: &str = "jwt-secret";

/// Reads `jwt-secret` in the data directory; makes both if they are missing, readable by the owner only.
///
/// Several processes may start at once: all of them get the same secret.
///
/// # Errors
/// When the directory cannot be written, or the file can be read by anybody or holds something else than secrets.
pub fn local_secret(data_dir: &Path) -> anyhow::Result<Secrets> {
    let path = data_dir.join(FILE);
    let shown = path.display();
    if !path.try_exists().with_context(|| format!("{shown} cannot be looked up"))? {
        create(data_dir, &path).with_context(|| format!("{shown} cannot be made"))?;
    }
    ensure!(!is_public(&path)?, "{shown} can be read by everybody: delete it, or `chmod 600` it if nobody did");
    read(&path)
}

/// Reads `jwt-secret` in the data directory, and makes nothing: none when it is not there.
///
/// # Errors
/// When the file cannot be read or holds something else than secrets.
pub fn read_local_secret(data_dir: &Path) -> anyhow::Result<Option<Secrets>> {
    let path = data_dir.join(FILE);
    if path.try_exists().with_context(|| format!("{} cannot be looked up", path.display()))? {
        read(&path).map(Some)
    } else {
        Ok(None)
    }
}

fn read(path: &Path) -> anyhow::Result<Secrets> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    Secrets::parse_file(&text).with_context(|| format!("{shown} holds something else than secrets"))
}

/// Writes the secret to a file of its own and links that to the final name, which only the first of several can do.
fn create(data_dir: &Path, path: &Path) -> io::Result<()> {
    make_directory(data_dir)?;
    let draft = data_dir.join(format!(".jwt-secret-{}", Uuid::new_v4().simple()));
    let linked = write_private(&draft).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft).or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    linked.or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
}

fn write_private(path: &Path) -> io::Result<()> {
    let secret: [u8; 32] = rand::random();
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{}", hex::encode(secret))?;
    file.sync_all()
}

fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn is_public(path: &Path) -> io::Result<bool> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path)?.permissions());
    Ok(mode & 0o007 != 0)
}

#[cfg(not(unix))]
fn is_public(_path: &Path) -> io::Result<bool> {
    Ok(false)
}
