//! Packs from their texts: every error at once, or packs that are right by construction.
//!
//! The work has three steps: `gather` reads each pack and those that it uses, `read` and `shape` turn a text into a
//! draft by the table of keys, `link` resolves names over all drafts and compiles. Nothing here touches a file: who
//! calls hands in the texts, and a function that finds those beside them.

pub mod keys;
mod link;
pub(crate) mod quoted;
mod read;
mod shape;
mod syntax;
#[cfg(test)]
mod tests;

use super::{
    Packs,
    diagnostic::{Diagnostic, Diagnostics, Place, Source},
    example::Example,
};
use crate::limits;
use read::Draft;
pub(super) use read::DraftExample;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Packs that loaded, with what is known of them beside the rules themselves.
#[derive(Debug)]
pub struct Loaded {
    pub packs: Packs,
    /// The packs one by one, in load order.
    pub parts: Vec<Part>,
    /// Of all packs, in load order, then as written.
    pub examples: Vec<Example>,
    /// Where each rule is written, by its place in [`Packs::rules`].
    pub rule_places: Vec<Place>,
    /// The sources, and the warnings.
    pub diagnostics: Diagnostics,
}

/// One pack among those loaded.
#[derive(Clone, Debug)]
pub struct Part {
    pub path: String,
    /// `name@version+hash`.
    pub name: String,
    /// It was asked for, not only used by another.
    pub asked: bool,
    /// Places in [`Packs::rules`] and [`Packs::restrictions`].
    pub rules: Range<usize>,
    pub restrictions: Range<usize>,
}

/// Finds a file that a pack names: the pack's path and the name give the file, or why there is none.
pub type Beside<'a> = dyn FnMut(&str, &str) -> Result<Source, Unreadable> + 'a;

/// Why a file gives no text.
#[derive(Debug)]
pub struct Unreadable {
    /// One sentence.
    pub message: String,
    /// Where it is not UTF-8: the file with what can be shown of it, the place in that, and what to do.
    pub place: Option<(Source, Range<usize>, String)>,
}

impl From<String> for Unreadable {
    fn from(message: String) -> Unreadable {
        Unreadable { message, place: None }
    }
}

impl Unreadable {
    /// What is said of it: in the file itself, or else at `wanted`, where the file is named, with `help`.
    pub fn told(self, wanted: Option<&Place>, help: &str, sources: &mut Vec<Source>) -> Diagnostic {
        let error = Diagnostic::error(self.message);
        match self.place {
            None => Diagnostic { place: wanted.cloned(), ..error.help(help) },
            Some((source, span, help)) => {
                sources.push(source);
                error.at(sources.len() - 1, span, "here").help(help)
            }
        }
    }
}

/// Loads packs, and before each those that it uses.
///
/// # Errors
/// Every error of every pack.
pub fn load(asked: &[Source], beside: &mut Beside<'_>) -> Result<Loaded, Diagnostics> {
    let mut gather =
        Gather { beside, diagnostics: Diagnostics::default(), drafts: Vec::new(), open: Vec::new(), partial: false };
    for source in asked {
        if let Some(draft) = gather.visit(source.clone(), None) {
            gather.drafts[draft].asked = true;
        }
    }
    let Gather { diagnostics, drafts, partial, .. } = gather;
    link::link(drafts, diagnostics, partial)
}

/// A draft with the texts that belong to it.
#[derive(Debug)]
struct Gathered {
    draft: Draft,
    asked: bool,
    /// The list files that it reads, as places in the sources, by the place of the list.
    files: Vec<Option<usize>>,
}

impl Gathered {
    /// `name@version+hash`: the first 8 hex digits of SHA-256 over the pack's bytes and then its list files in order.
    fn name(&self, sources: &[Source]) -> String {
        let mut hash = Sha256::new();
        hash.update(&sources[self.draft.source].text);
        for file in self.files.iter().flatten() {
            hash.update(&sources[*file].text);
        }
        let digest = hash.finalize();
        let part = |name: &Option<read::Name>| name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
        format!(
            "{}@{}+{:02x}{:02x}{:02x}{:02x}",
            part(&self.draft.name),
            part(&self.draft.version),
            digest[0],
            digest[1],
            digest[2],
            digest[3]
        )
    }
}

/// Reads packs and what they name, each once, what is used before what uses it.
struct Gather<'a, 'b> {
    beside: &'a mut Beside<'b>,
    diagnostics: Diagnostics,
    drafts: Vec<Gathered>,
    /// Sources of the packs that are being read, the innermost last.
    open: Vec<usize>,
    /// A pack is missing or could not be read to its end, so that an unknown name proves nothing.
    partial: bool,
}

impl Gather<'_, '_> {
    /// The place of the draft of `source`, read now or before. `wanted` is the entry of `uses` that names it.
    fn visit(&mut self, source: Source, wanted: Option<&Place>) -> Option<usize> {
        if let Some(at) = self.open.iter().position(|other| self.same(*other, &source)) {
            let sources = self.open[at..].iter().map(|other| &self.diagnostics.sources[*other]);
            let mut way: Vec<&str> = sources.map(|source| source.path.as_str()).collect();
            way.push(&source.path);
            let message = format!("packs use each other in a circle: {}", way.join(", then "));
            self.fail(Diagnostic::error(message).help("remove one `uses`"), wanted);
            return None;
        }
        if let Some(known) = self.drafts.iter().position(|gathered| self.known(gathered, &source)) {
            return Some(known);
        }
        if self.drafts.len() + self.open.len() >= limits::PACKS {
            let message = format!("more than {} packs are loaded together", limits::PACKS);
            self.fail(Diagnostic::error(message).help("join some of them"), wanted);
            return None;
        }
        if let Err(message) = bounded(&source) {
            self.fail(Diagnostic::error(message).help("move long lists into files of their own"), wanted);
            return None;
        }
        Some(self.read(source))
    }

    /// Whether a source is this pack, by path or by text: two paths may lead to one file.
    fn same(&self, known: usize, source: &Source) -> bool {
        let known = &self.diagnostics.sources[known];
        known.path == source.path || known.text == source.text
    }

    /// Whether the pack was read before. One of equal text may read other list files, and is then another pack.
    fn known(&self, gathered: &Gathered, source: &Source) -> bool {
        let path = &self.diagnostics.sources[gathered.draft.source].path;
        let files = gathered.files.iter().any(Option::is_some);
        if files { *path == source.path } else { self.same(gathered.draft.source, source) }
    }

    fn read(&mut self, source: Source) -> usize {
        let place = self.diagnostics.sources.len();
        let draft = read::read(place, &source.text, &mut self.diagnostics.list);
        self.diagnostics.sources.push(source);
        self.partial |= !draft.declares_all;
        self.open.push(place);
        for used in &draft.uses {
            let wanted = Place { source: place, span: used.span.clone() };
            match (self.beside)(&self.diagnostics.sources[place].path, &used.value) {
                Ok(source) => drop(self.visit(source, Some(&wanted))),
                Err(why) => {
                    let help = "name a pack by its path relative to this one, or one that is built in";
                    let told = why.told(Some(&wanted), help, &mut self.diagnostics.sources);
                    self.partial = true;
                    self.diagnostics.push(told);
                }
            }
        }
        self.open.pop();
        let files = draft.lists.iter().map(|list| self.list_file(place, list.file.as_ref()?)).collect();
        self.drafts.push(Gathered { draft, asked: false, files });
        self.drafts.len() - 1
    }

    /// The source of a list's file.
    fn list_file(&mut self, pack: usize, file: &read::Name) -> Option<usize> {
        let found = (self.beside)(&self.diagnostics.sources[pack].path, &file.value);
        match found.and_then(|source| Ok(bounded(&source).map(|()| source)?)) {
            Ok(source) => {
                self.diagnostics.sources.push(source);
                Some(self.diagnostics.sources.len() - 1)
            }
            Err(why) => {
                let wanted = Place { source: pack, span: file.span.clone() };
                let help = "name a text file by its path relative to the pack: one entry a line";
                let told = why.told(Some(&wanted), help, &mut self.diagnostics.sources);
                self.diagnostics.push(told);
                None
            }
        }
    }

    /// A pack that is not there.
    fn fail(&mut self, diagnostic: Diagnostic, wanted: Option<&Place>) {
        self.partial = true;
        self.diagnostics.push(Diagnostic { place: wanted.cloned(), ..diagnostic });
    }
}

/// A file within its bound.
fn bounded(source: &Source) -> Result<(), String> {
    if source.text.len() <= limits::PACK_BYTES {
        return Ok(());
    }
    let bytes = source.text.len();
    Err(format!(
        "{} has {bytes} bytes, more than the {} that a pack or a list file may have",
        source.path,
        limits::PACK_BYTES
    ))
}
