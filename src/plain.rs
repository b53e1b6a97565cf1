//! Which bytes of a JSON string stand for themselves: all but the quote, the backslash and the control characters.
//!
//! Reading ends a text at such a byte and writing escapes it, and both look at every byte that goes in or out; so they
//! look at eight at a time. Taking a number off each byte of ASCII borrows into its high bit if the byte was below that
//! number. A borrow goes on to the byte above, so that only the lowest mark of a word is sure. Bytes of other letters
//! than ASCII are never marked and never borrow.

/// The high bits of the bytes of `word` that do not stand for themselves; above the lowest, others may be set as well.
#[inline(always)]
fn marks(word: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(word);
    // With one bit turned a quote, 0x22, is 0x20, and control characters are what is below that in another order.
    let control_or_quote = (word ^ (2 * ONES)).wrapping_sub(0x21 * ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control_or_quote | backslash) & !word & HIGH
}

fn is_marked(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..b' ')
}

/// How many bytes stand for themselves before the first that does not.
#[inline(always)]
pub fn plain_length(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks();
    let mut length = 0_usize;
    for word in words {
        let marks = marks(*word);
        if marks != 0 {
            return length + marks.trailing_zeros() as usize / 8;
        }
        // No more than the length of a slice.
        length = length.wrapping_add(8);
    }
    length + tail_length(tail)
}

/// The same of fewer than eight bytes, which only the last texts of a record come to.
#[inline(never)]
fn tail_length(tail: &[u8]) -> usize {
    tail.iter().position(|byte| is_marked(*byte)).unwrap_or(tail.len())
}

/// Whether all bytes stand for themselves.
#[inline]
#[must_use]
pub fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else { return !bytes.iter().any(|byte| is_marked(*byte)) };
    // The last word may hold bytes of the one before it; that is cheaper than looking at single ones.
    bytes.as_chunks().0.iter().fold(marks(*last), |all, word| all | marks(*word)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_of_every_length() {
        for length in 0..=40 {
            for filler in [b'a', 0xC3, b'!', b'#', b'[', b']', 0x7F, 0xFF] {
                assert!(is_plain(&vec![filler; length]));
                assert_eq!(plain_length(&vec![filler; length]), length);
                for at in 0..length {
                    for byte in 0..=u8::MAX {
                        let mut bytes = vec![filler; length];
                        bytes[at] = byte;
                        assert_eq!(is_plain(&bytes), !is_marked(byte), "{byte} at {at} of {length}");
                        assert_eq!(plain_length(&bytes), if is_marked(byte) { at } else { length });
                        // What stands after the first mark does not matter.
                        bytes[at..].fill(byte);
                        assert_eq!(plain_length(&bytes), if is_marked(byte) { at } else { length });
                    }
                }
            }
        }
    }
}
