//! Which file it is: two names of one file are found out before one of them is emptied.
//!
//! A name proves nothing: a file has hard links and symbolic ones, and the shell may have opened it as standard input or
//! output. So devices and inodes are compared. Only regular files count: devices and pipes may well be both read and
//! written. A file that does not exist yet is the place where it would be made.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    path::{Path, PathBuf},
};

/// One regular file, whatever it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Known);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    #[cfg(unix)]
    Inode { device: u64, inode: u64 },
    #[cfg(not(unix))]
    Path(PathBuf),
    /// It would come to be here.
    Absent { folder: PathBuf, name: OsString },
}

/// Whether a path is the name of standard input or output. `./-` is a file.
#[must_use]
pub fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl Identity {
    /// The file that is read under this name; nothing when it is no regular file.
    #[must_use]
    pub fn of_input(path: &Path) -> Option<Identity> {
        if is_standard(path) { Identity::of_standard_input() } else { Identity::of(path) }
    }

    /// The file that is written under this name; nothing when it is no regular file.
    #[must_use]
    pub fn of_output(path: &Path) -> Option<Identity> {
        if is_standard(path) { Identity::of_standard_output() } else { Identity::of(path) }
    }

    fn of(path: &Path) -> Option<Identity> {
        match fs::metadata(path) {
            Ok(metadata) => Identity::of_metadata(&metadata, path),
            Err(_) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let (folder, name) = (folder.canonicalize().ok()?, path.file_name()?.to_owned());
                Some(Identity(Known::Absent { folder, name }))
            }
        }
    }

    #[cfg(unix)]
    fn of_metadata(metadata: &Metadata, _: &Path) -> Option<Identity> {
        use std::os::unix::fs::MetadataExt;
        metadata.is_file().then(|| Identity(Known::Inode { device: metadata.dev(), inode: metadata.ino() }))
    }

    #[cfg(not(unix))]
    fn of_metadata(metadata: &Metadata, path: &Path) -> Option<Identity> {
        metadata.is_file().then(|| path.canonicalize().ok().map(|path| Identity(Known::Path(path))))?
    }

    #[cfg(unix)]
    fn of_standard_input() -> Option<Identity> {
        use std::os::fd::AsFd;
        Identity::of_descriptor(std::io::stdin().as_fd())
    }

    #[cfg(unix)]
    fn of_standard_output() -> Option<Identity> {
        use std::os::fd::AsFd;
        Identity::of_descriptor(std::io::stdout().as_fd())
    }

    #[cfg(unix)]
    fn of_descriptor(descriptor: std::os::fd::BorrowedFd<'_>) -> Option<Identity> {
        let file = fs::File::from(descriptor.try_clone_to_owned().ok()?);
        Identity::of_metadata(&file.metadata().ok()?, Path::new(""))
    }

    /// Elsewhere it is not known what the shell has opened.
    #[cfg(not(unix))]
    fn of_standard_input() -> Option<Identity> {
        None
    }

    #[cfg(not(unix))]
    fn of_standard_output() -> Option<Identity> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn every_name_of_a_file_is_that_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "").expect("a file");
        fs::write(path("b"), "").expect("a file");
        fs::hard_link(path("a"), path("hard")).expect("a hard link");
        std::os::unix::fs::symlink(path("a"), path("soft")).expect("a symbolic link");
        let of = |name: &str| Identity::of_input(&path(name)).expect("a regular file, or none yet");
        for same in ["hard", "soft", "./a"] {
            assert_eq!(of("a"), of(same), "{same}");
        }
        assert_ne!(of("a"), of("b"));
        assert_eq!((of("new"), of("new") == of("newer")), (of("./new"), false));
        assert_eq!(Identity::of_output(Path::new("/dev/null")), None);
        assert_eq!(Identity::of_output(folder.path()), None);
    }

    #[test]
    fn a_dash_is_standard_and_a_path_to_one_is_not() {
        for (path, standard) in [("-", true), ("./-", false), ("-/", false), ("a/-", false), ("", false)] {
            assert_eq!(is_standard(Path::new(path)), standard, "{path}");
        }
    }
}
