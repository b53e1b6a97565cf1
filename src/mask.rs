//! Wallets and addresses as a log or a report may show them: enough to find one that is known, too little to learn one.

/// The first three and the last two characters of a text that is long enough, else none.
#[must_use]
pub fn masked(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let (head, tail) = if characters.len() >= 10 { (3, 2) } else { (0, 0) };
    let part = |range: &[char]| range.iter().map(|c| if c.is_control() { '?' } else { *c }).collect::<String>();
    format!("{}***{}", part(&characters[..head]), part(&characters[characters.len() - tail..]))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn most_of_a_wallet_is_hidden() {
        for (text, expected) in [
            ("77010000001", "770***01"),
            ("203.0.113.7", "203***.7"),
            ("10.0.0.7", "***"),
            ("", "***"),
            ("\r\n\u{1b}[0m-wallet", "???***et"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }
}
