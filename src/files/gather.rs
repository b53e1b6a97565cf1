//! From what a person names to files: a folder stands for the files in it, a pattern for what it matches.
//!
//! Both are read in the order of their names, byte by byte, so that files named for their dates come in the order of their
//! events. Hidden files are left out; folders in a folder are gone into.

use super::{Failed, InputError, identity::is_standard};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The files that `named` stand for, in the order named.
///
/// # Errors
/// A folder that cannot be read or has no files, and a pattern that is wrong or matches nothing. A file that is not there
/// is left for whoever opens it.
pub fn gather(named: &[PathBuf]) -> Result<Vec<PathBuf>, InputError> {
    let mut files = Vec::new();
    for path in named {
        let error = |cause: io::Error| InputError {
            name: path.to_string_lossy().into_owned(),
            line: None,
            failed: Failed::Reading,
            cause,
        };
        let before = files.len();
        if !is_standard(path) && path.is_dir() {
            folder(path, &mut files).map_err(error)?;
        } else if !is_standard(path) && !path.exists() && is_pattern(path) {
            matching(path, &mut files).map_err(error)?;
        } else {
            files.push(path.clone());
        }
        if files.len() == before {
            let kind = if path.is_dir() { io::ErrorKind::IsADirectory } else { io::ErrorKind::NotFound };
            return Err(error(kind.into()));
        }
    }
    Ok(files)
}

fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

/// The files below a folder, in the order of their names.
fn folder(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if entry.is_dir() {
            folder(&entry, files)?;
        } else {
            files.push(entry);
        }
    }
    Ok(())
}

/// What a pattern matches, in the order of names.
fn matching(pattern: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let text = pattern.to_str().expect("a pattern is text");
    let wrong = |error: glob::PatternError| io::Error::new(io::ErrorKind::NotFound, error.to_string());
    let mut found = Vec::new();
    for entry in glob::glob(text).map_err(wrong)? {
        let path = entry.map_err(io::Error::from)?;
        if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    files.append(&mut found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_patterns_are_files_in_the_order_of_names() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["2026-02.ndjson", "2026-01.ndjson.gz", ".hidden", "more/x.csv"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        fs::create_dir(folder.path().join("empty")).expect("a folder");
        let names = |named: &[&str]| -> Result<Vec<String>, String> {
            let named: Vec<PathBuf> = named.iter().map(|name| folder.path().join(name)).collect();
            let start = format!("{}/", folder.path().display());
            let files = gather(&named).map_err(|error| error.to_string().replace(&start, ""))?;
            Ok(files.iter().map(|path| path.display().to_string().replace(&start, "")).collect())
        };
        let all = ["2026-01.ndjson.gz", "2026-02.ndjson", "more/x.csv"].map(str::to_owned).to_vec();
        assert_eq!(names(&[""]), Ok(all.clone()));
        assert_eq!(names(&["2026-*", "more/?.csv"]), Ok(all));
        assert_eq!(names(&["gone.ndjson"]), Ok(vec!["gone.ndjson".to_owned()]));
        assert_eq!(names(&["2027-*"]), Err("cannot read 2027-*: there is no such file".to_owned()));
        assert_eq!(
            names(&["empty"]),
            Err("cannot read empty: it is a directory; name files, or a directory that has some".to_owned())
        );
        assert_eq!(gather(&[PathBuf::from("-")]).map_err(|error| error.to_string()), Ok(vec![PathBuf::from("-")]));
    }
}
