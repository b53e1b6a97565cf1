//! Which bytes of a JSON string stand for themselves: all but the quote, the backslash and the control characters.
//!
//! Reading ends a text at such a byte, and looks at sixteen at a time, which nearly every text of an event fits in: a third
//! of the instructions that words of eight bytes take. `wide` has that for every processor, and without `unsafe` on our
//! side. Writing escapes such a byte, and looks at eight at a time.

use wide::u8x16;

const BLOCK: usize = 16;

/// A bit for each byte that does not stand for itself, the first byte the lowest.
#[inline(always)]
fn marks(block: [u8; BLOCK]) -> u32 {
    let block = u8x16::from(block);
    let control = block.min(u8x16::splat(b' ' - 1)).simd_eq(block);
    let marked = control | block.simd_eq(u8x16::splat(b'"')) | block.simd_eq(u8x16::splat(b'\\'));
    marked.to_bitmask()
}

fn is_marked(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..b' ')
}

/// How many bytes stand for themselves before the first that does not.
#[inline(always)]
pub fn plain_length(bytes: &[u8]) -> usize {
    match bytes.first_chunk().map(|block| marks(*block)) {
        Some(marks @ 1..) => marks.trailing_zeros() as usize,
        _ => longer_length(bytes),
    }
}

/// The same of bytes that are fewer than a block, or whose first block has no mark.
#[inline(never)]
fn longer_length(bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks();
    let mut length = 0_usize;
    for block in blocks {
        let marks = marks(*block);
        if marks != 0 {
            return length + marks.trailing_zeros() as usize;
        }
        // No more than the length of a slice.
        length = length.wrapping_add(BLOCK);
    }
    // What is put after the tail is marked.
    let mut block = [0; BLOCK];
    block[..tail.len()].copy_from_slice(tail);
    length + marks(block).trailing_zeros() as usize
}

/// Whether all bytes stand for themselves. What is written has seldom sixteen bytes, but nearly always eight.
#[inline]
#[must_use]
pub fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else { return !bytes.iter().any(|byte| is_marked(*byte)) };
    // The last word may hold bytes of the one before it; that is cheaper than looking at single ones.
    bytes.as_chunks().0.iter().fold(marked(*last), |all, word| all | marked(*word)) == 0
}

/// Anything but 0 if a byte of the word does not stand for itself. Taking a number off each byte of ASCII borrows into its
/// high bit if the byte was below that number; bytes of other letters are never marked and never borrow.
#[inline(always)]
fn marked(word: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(word);
    // With one bit turned a quote, 0x22, is 0x20, and control characters are what is below that in another order.
    let control_or_quote = (word ^ (2 * ONES)).wrapping_sub(0x21 * ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control_or_quote | backslash) & !word & HIGH
}

/// A text as it stands between the quotes of a JSON string. Hardly any needs escapes.
#[inline]
pub fn escaped(text: &str, out: &mut Vec<u8>) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        with_escapes(text.as_bytes(), out);
    }
}

#[cold]
fn with_escapes(mut rest: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    loop {
        let (plain, marked) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = marked.split_first() else { return };
        rest = after;
        let letter = match byte {
            b'"' | b'\\' => *byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            control => {
                let [high, low] = [control >> 4, control & 15].map(|digit| HEX[usize::from(digit)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
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
