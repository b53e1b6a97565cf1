//! Packs from files: reads what the core asks for, and knows the packs that are built in.
//!
//! The only part of loading that touches a file. A pack that another one uses is looked for beside it and then among
//! those that ship with the binary, so that `uses = ["onevision.toml"]` works without a copy of it.

use crate::{
    limits,
    rules::{
        diagnostic::{Diagnostics, Source},
        pack::{self, Loaded, Unreadable},
    },
    wording,
};
use std::{
    fs,
    io::Read,
    path::{Component, Path, PathBuf},
};

/// The packs that ship with the binary, by name.
pub const SHIPPED: [(&str, &str); 4] = [
    ("onevision.toml", include_str!("../rules/onevision.toml")),
    ("typologies.toml", include_str!("../rules/typologies.toml")),
    ("ogo.toml", include_str!("../rules/ogo.toml")),
    ("kz-2026.toml", include_str!("../rules/kz-2026.toml")),
];

/// How the path of a built-in pack begins.
const BUILT_IN: &str = "built-in/";

/// The default: `rules/onevision.toml` as it was when the binary was built.
///
/// # Panics
/// When that pack is wrong, which a test excludes.
#[must_use]
pub fn builtin() -> Loaded {
    match pack::load(&[shipped("onevision.toml").expect("onevision.toml ships")], &mut beside) {
        Ok(loaded) => loaded,
        Err(diagnostics) => panic!("the built-in pack is wrong:\n{}", diagnostics.render(false)),
    }
}

/// Loads packs from files, and before each those that it uses; the built-in one where no path is given.
///
/// # Errors
/// Every error of every pack, and every file that cannot be read.
pub fn load_paths(paths: &[PathBuf]) -> Result<Loaded, Diagnostics> {
    load_paths_noting(paths, &mut Vec::new())
}

/// The same. Every file that is read is noted in `files`: packs, those that they use, and their list files.
///
/// # Errors
/// As above.
pub fn load_paths_noting(paths: &[PathBuf], files: &mut Vec<PathBuf>) -> Result<Loaded, Diagnostics> {
    files.extend_from_slice(paths);
    if paths.is_empty() {
        return Ok(builtin());
    }
    let mut sources = Vec::new();
    let mut unreadable = Vec::new();
    for path in paths {
        match read(path) {
            Ok(source) => sources.push(source),
            Err(why) => unreadable.push(why),
        }
    }
    let loaded = pack::load(&sources, &mut |pack, name| {
        let source = beside(pack, name)?;
        if !source.path.starts_with(BUILT_IN) {
            files.push(PathBuf::from(&source.path));
        }
        Ok(source)
    });
    if unreadable.is_empty() {
        return loaded;
    }
    let mut diagnostics = loaded.map_or_else(|diagnostics| diagnostics, |loaded| loaded.diagnostics);
    let sources = &mut diagnostics.sources;
    let told = unreadable.into_iter().map(|why| why.told(None, "name a pack: a TOML file", sources)).collect();
    let others = std::mem::replace(&mut diagnostics.list, told);
    diagnostics.list.extend(others);
    Err(diagnostics)
}

fn shipped(name: &str) -> Option<Source> {
    let (name, text) = SHIPPED.iter().find(|(known, _)| *known == name)?;
    Some(Source { path: format!("{BUILT_IN}{name}"), text: (*text).to_owned() })
}

/// The file that the pack at `pack` calls `name`.
fn beside(pack: &str, name: &str) -> Result<Source, Unreadable> {
    if pack.starts_with(BUILT_IN) {
        return Ok(shipped(name).ok_or_else(|| format!("no built-in pack is called {name}"))?);
    }
    let path = normal(&Path::new(pack).parent().unwrap_or(Path::new("")).join(name));
    match shipped(name) {
        Some(source) if !path.exists() => Ok(source),
        _ => read(&path),
    }
}

/// A path without `.` and, where the name before it is known, without `..`, so that one file has one path.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    if normal.as_os_str().is_empty() { path.to_path_buf() } else { normal }
}

/// Reads a file of at most [`limits::PACK_BYTES`].
fn read(path: &Path) -> Result<Source, Unreadable> {
    let path = normal(path);
    let shown = path.display();
    let cannot = |error: std::io::Error| format!("{shown} cannot be read: {}", wording::unreadable(&error));
    let file = fs::File::open(&path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if metadata.is_dir() {
        return Err(format!("{shown} is a directory, not a file").into());
    }
    let most = u64::try_from(limits::PACK_BYTES).expect("the bound of a pack fits");
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > limits::PACK_BYTES {
        let length = metadata.len().max(most + 1);
        let message = format!("{shown} has {length} bytes, more than the {most} that a pack or a list file may have");
        return Err(message.into());
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { path: shown.to_string(), text }),
        Err(error) => Err(not_utf8(shown.to_string(), error.as_bytes(), error.utf8_error().valid_up_to())),
    }
}

/// What is said of a file whose byte at `at` is no part of UTF-8.
fn not_utf8(path: String, bytes: &[u8], at: usize) -> Unreadable {
    let wide = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let message = match bytes.get(at) {
        _ if wide => format!("{path} is UTF-16, not UTF-8"),
        byte => format!("{path} is not UTF-8: no character has the byte 0x{:02x} here", byte.copied().unwrap_or(0)),
    };
    // Up to the byte the text is the file's own, so the place in it is the place in the file.
    let text = String::from_utf8_lossy(bytes).into_owned();
    let help = "save the file as UTF-8: editors have it as an encoding in \"Save as\"".to_owned();
    Unreadable { message, place: Some((Source { path, text }, at..at + char::REPLACEMENT_CHARACTER.len_utf8(), help)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_packs_load() {
        for (name, _) in SHIPPED {
            let loaded = pack::load(&[shipped(name).expect("it ships")], &mut beside);
            let loaded = loaded.unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(false)));
            assert_eq!(loaded.diagnostics.render(false), "", "{name}");
        }
    }

    /// What is said of a pack that lies in a folder with other files.
    fn check(files: &[(&str, &[u8])], asked: &str, said: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
        let path = if asked.is_empty() { folder.path().to_path_buf() } else { folder.path().join(asked) };
        let rendered = match load_paths(&[path]) {
            Ok(loaded) => loaded.parts.iter().map(|part| format!("{}\n", part.path)).collect(),
            Err(diagnostics) => diagnostics.render(false),
        };
        let shown = folder.path().display().to_string();
        assert_eq!(rendered.replace(&format!("{shown}/"), "").replace(&shown, "."), said);
    }

    const PACK: &[u8] = b"name = \"a\"\nversion = \"1\"\nuses = [\"onevision.toml\"]\n";

    #[test]
    fn files_that_cannot_be_packs() {
        let help = "\n = help: name a pack: a TOML file\n";
        check(&[], "", &format!("error: . is a directory, not a file{help}"));
        check(&[], "none.toml", &format!("error: none.toml cannot be read: there is no such file{help}"));
        let part = format!("error: a.toml/b.toml cannot be read: a part of its path is no folder{help}");
        check(&[("a.toml", b"")], "a.toml/b.toml", &part);
        let large = "error: a.toml has 10485760 bytes, more than the 8388608 that a pack or a list file may have";
        check(&[("a.toml", &[b'#'; 10 << 20])], "a.toml", &format!("{large}{help}"));
    }

    #[test]
    fn a_byte_that_is_no_utf8_is_shown_at_its_place() {
        let latin = "error: a.toml is not UTF-8: no character has the byte 0xe9 here
 --> a.toml:2:6
  |
2 | # кaf�
  |      ^ here
  |
  = help: save the file as UTF-8: editors have it as an encoding in \"Save as\"
";
        check(&[("a.toml", b"name = \"a\"\n# \xd0\xbaaf\xe9\n")], "a.toml", latin);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.toml");
        fs::write(&path, b"\xff\xfen\0").expect("a file");
        let said = load_paths(&[path]).expect_err("it is not UTF-8").render(false);
        let said = said.replace(&format!("{}/", folder.path().display()), "");
        assert!(said.starts_with("error: a.toml is UTF-16, not UTF-8\n --> a.toml:1:1\n"), "{said}");
    }

    #[test]
    fn a_list_file_that_is_no_utf8_is_shown_at_its_place() {
        let pack = b"name = \"a\"\nversion = \"1\"\nuses = [\"onevision.toml\"]\nlists.m = { file = \"m.txt\" }\n";
        let said = "error: m.txt is not UTF-8: no character has the byte 0xff here
 --> m.txt:2:1
  |
2 | �
  | ^ here
  |
  = help: save the file as UTF-8: editors have it as an encoding in \"Save as\"
";
        check(&[("a.toml", pack), ("m.txt", b"77\n\xff\n")], "a.toml", said);
    }

    #[test]
    fn a_used_pack_lies_beside_or_ships() {
        check(&[("a.toml", PACK)], "a.toml", "built-in/onevision.toml\na.toml\n");
        let own = b"name = \"onevision\"\nversion = \"1\"\ntimezone = \"UTC\"\ncurrency = \"KZT\"\n";
        check(&[("a.toml", PACK), ("onevision.toml", own)], "a.toml", "onevision.toml\na.toml\n");
        let deep: &[u8] = b"name = \"b\"\nversion = \"1\"\nuses = [\"../onevision.toml\", \"./x/../../a.toml\"]\n";
        let files: [(&str, &[u8]); 3] = [("deep/b.toml", deep), ("a.toml", PACK), ("onevision.toml", own)];
        check(&files, "deep/b.toml", "onevision.toml\na.toml\ndeep/b.toml\n");
    }

    #[test]
    fn no_path_is_the_built_in_pack() {
        let loaded = load_paths(&[]).expect("the built-in pack is right");
        assert!(loaded.packs.name.starts_with("onevision@2026.1+"), "{}", loaded.packs.name);
    }
}
