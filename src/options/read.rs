//! What the texts and numbers of options mean, whichever command has them: names, lengths of time, addresses, secrets.
//!
//! Every mistake is noted at its place and reading goes on, so that all are told at once. Secrets come from files that only
//! their owner can read, or from variables.

use super::{Layers, Value};
use crate::{time::Span, wording};
use std::{
    env, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Longest secret in bytes.
const SECRET_BYTES: usize = 64 * 1024;

impl Layers {
    /// One of a few words; the first where it is none, which is then noted.
    ///
    /// # Panics
    /// Where there are no choices.
    pub fn choice<T: Copy>(&mut self, path: &str, choices: &[(&str, T)]) -> T {
        let text = self.text(path);
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        self.refuse(path, &format!("must be {}", names.join(" or ")));
        choices[0].1
    }

    /// A whole number from `least` to `most`; 0 where it is none, which is then noted.
    ///
    /// # Panics
    /// Where the option is of another kind.
    pub fn whole<T: TryFrom<i64> + Default>(&mut self, path: &str, least: i64, most: i64) -> T {
        let Value::Whole(value) = *self.value(path) else { panic!("{path} is a whole number") };
        self.bounded(path, value, least, most)
    }

    /// `value`, which stands at `path`, within its bounds.
    pub fn bounded<T: TryFrom<i64> + Default>(&mut self, path: &str, value: i64, least: i64, most: i64) -> T {
        if (least..=most).contains(&value)
            && let Ok(value) = T::try_from(value)
        {
            return value;
        }
        self.refuse(path, &format!("must be from {least} to {most}"));
        T::default()
    }

    /// A length of time in ms; 0 where it is none, which is then noted.
    pub fn span(&mut self, path: &str) -> i64 {
        match Span::parse(self.text(path)) {
            Ok(Span::Millis(millis)) => millis,
            Ok(_) => {
                self.refuse(path, "must be a fixed time, such as \"90s\" or \"2h\"");
                0
            }
            Err(why) => {
                self.refuse(path, &format!("is no length of time: {why}"));
                0
            }
        }
    }

    /// A text that must not be empty.
    pub fn name(&mut self, path: &str) -> String {
        let name = self.text(path).to_owned();
        if name.is_empty() {
            self.refuse(path, "must not be empty");
        }
        name
    }

    /// A path; an empty text is none.
    #[must_use]
    pub fn path(&self, path: &str) -> Option<PathBuf> {
        Some(self.text(path)).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    /// Several paths.
    ///
    /// # Panics
    /// Where the option is of another kind.
    #[must_use]
    pub fn paths(&self, path: &str) -> Vec<PathBuf> {
        match self.value(path) {
            Value::Texts(texts) => texts.iter().map(PathBuf::from).collect(),
            _ => panic!("{path} is a list"),
        }
    }

    /// A name as Kafka allows it.
    pub fn topic(&mut self, path: &str) -> String {
        let name = self.text(path).to_owned();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.chars().all(allowed) {
            self.refuse(path, "must be 1 to 249 letters, digits, `.`, `_` and `-`, as Kafka allows");
        }
        name
    }

    /// Where to listen; an empty text is nowhere.
    pub fn listen(&mut self, path: &str) -> Option<SocketAddr> {
        let text = self.text(path);
        if text.is_empty() {
            return None;
        }
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                self.refuse(path, "must be an address and a port, such as \"127.0.0.1:9464\"");
                None
            }
        }
    }

    /// What a secret's variable holds, or the file that `secrets.NAME` names.
    pub fn secret(&mut self, name: &str) -> Option<String> {
        if let Some(secret) = secret_in(&format!("KUZET_SECRET_{}", name.to_ascii_uppercase())) {
            return Some(secret);
        }
        let path = format!("secrets.{name}");
        let file = self.path(&path)?;
        match secret_of(&file) {
            Ok(secret) => Some(secret),
            Err(why) => {
                // It may be the secret itself, where its file was meant.
                if !self.text(&path).contains('/') {
                    self.hide(&path);
                }
                self.refuse(&path, &why);
                None
            }
        }
    }
}

/// What a variable holds; an empty one is none.
#[must_use]
pub fn secret_in(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|secret| !secret.is_empty())
}

/// A secret from a file that nobody but its owner, and its group, can read.
///
/// # Errors
/// Why there is none, as the end of a sentence that names the option.
pub fn secret_of(path: &Path) -> Result<String, String> {
    let cannot = |error: io::Error| format!("cannot be read: {}", wording::unreadable(&error));
    let metadata = fs::metadata(path).map_err(cannot)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if metadata.permissions().mode() & 0o007 != 0 {
            return Err("can be read by everybody: `chmod o= FILE`".to_owned());
        }
    }
    if usize::try_from(metadata.len()).is_ok_and(|length| length > SECRET_BYTES) {
        return Err(format!("is longer than the {SECRET_BYTES} bytes of a secret"));
    }
    let text = fs::read_to_string(path).map_err(cannot)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
