//! The known name that somebody most likely meant.

/// The candidate closest to `name` by edits (insert, delete, replace, swap of neighbours), when it is close enough to
/// be worth a suggestion: at most a third of the letters differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(LETTERS).collect();
    candidates
        .into_iter()
        .map(|candidate| (edits(&name, &candidate.chars().take(LETTERS).collect::<Vec<_>>()), candidate))
        .filter(|(edits, candidate)| edits * 3 <= name.len().max(candidate.chars().count()).max(3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters of a name that are looked at, so that a hostile name costs little.
const LETTERS: usize = 64;

/// Optimal string alignment distance, ignoring case.
fn edits(left: &[char], right: &[char]) -> usize {
    let same = |a: usize, b: usize| left[a].eq_ignore_ascii_case(&right[b]);
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for row in 0..left.len() {
        let mut here = vec![row + 1];
        for column in 0..right.len() {
            let replaced = above[column] + usize::from(!same(row, column));
            let mut best = replaced.min(above[column + 1] + 1).min(here[column] + 1);
            if row > 0 && column > 0 && same(row, column - 1) && same(row - 1, column) {
                best = best.min(before[column - 1] + 1);
            }
            here.push(best);
        }
        before = std::mem::replace(&mut above, here);
    }
    above[right.len()]
}
