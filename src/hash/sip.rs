//! SipHash-1-3 of bytes that lie side by side (Aumasson and Bernstein, 2012, and their 128-bit variant).
//!
//! The same numbers as the `siphasher` crate, which the tests hold it to. That one takes its input in pieces and pays for
//! it: 310 instructions for a wallet's number, of which a step hashes half a dozen such texts; here they are 150.

/// The state after any number of words.
#[derive(Clone, Copy)]
struct State {
    a: u64,
    b: u64,
    c: u64,
    d: u64,
}

impl State {
    #[inline(always)]
    fn round(&mut self) {
        self.a = self.a.wrapping_add(self.b);
        self.b = self.b.rotate_left(13) ^ self.a;
        self.a = self.a.rotate_left(32);
        self.c = self.c.wrapping_add(self.d);
        self.d = self.d.rotate_left(16) ^ self.c;
        self.a = self.a.wrapping_add(self.d);
        self.d = self.d.rotate_left(21) ^ self.a;
        self.c = self.c.wrapping_add(self.b);
        self.b = self.b.rotate_left(17) ^ self.c;
        self.c = self.c.rotate_left(32);
    }

    #[inline(always)]
    fn take(&mut self, word: u64) {
        self.d ^= word;
        self.round();
        self.a ^= word;
    }

    /// After the key and all of `bytes`.
    #[inline(always)]
    fn after(mut self, bytes: &[u8]) -> State {
        let (whole, rest) = bytes.as_chunks::<8>();
        for word in whole {
            self.take(u64::from_le_bytes(*word));
        }
        self.take(last_word(rest, bytes.len()));
        self
    }

    #[inline(always)]
    fn finish(&mut self) -> u64 {
        self.round();
        self.round();
        self.round();
        self.a ^ self.b ^ self.c ^ self.d
    }
}

/// The bytes behind the last whole word, and the length's lowest byte at the top.
#[inline(always)]
fn last_word(rest: &[u8], length: usize) -> u64 {
    let mut word = (length as u64) << 56;
    let mut at = 0;
    if let Some(four) = rest.first_chunk::<4>() {
        word |= u64::from(u32::from_le_bytes(*four));
        at = 4;
    }
    if let Some(two) = rest.get(at..).and_then(<[u8]>::first_chunk::<2>) {
        word |= u64::from(u16::from_le_bytes(*two)) << (8 * at);
        at += 2;
    }
    if let Some(one) = rest.get(at) {
        word |= u64::from(*one) << (8 * at);
    }
    word
}

#[inline(always)]
fn begin(keys: [u64; 2]) -> State {
    State {
        a: keys[0] ^ 0x736f_6d65_7073_6575,
        b: keys[1] ^ 0x646f_7261_6e64_6f6d,
        c: keys[0] ^ 0x6c79_6765_6e65_7261,
        d: keys[1] ^ 0x7465_6462_7974_6573,
    }
}

/// 64 bits.
#[inline]
pub fn hash64(keys: [u64; 2], bytes: &[u8]) -> u64 {
    let mut state = begin(keys).after(bytes);
    state.c ^= 0xff;
    state.finish()
}

/// 128 bits.
#[inline]
pub fn hash128(keys: [u64; 2], bytes: &[u8]) -> u128 {
    let mut state = begin(keys);
    state.b ^= 0xee;
    let mut state = state.after(bytes);
    state.c ^= 0xee;
    let low = state.finish();
    state.b ^= 0xdd;
    u128::from(low) | u128::from(state.finish()) << 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use siphasher::{sip, sip128};

    #[test]
    fn hashes_are_those_of_siphash() {
        let bytes: Vec<u8> = (0..300_u64).map(|place| (place.wrapping_mul(167) >> 2).to_le_bytes()[0]).collect();
        for keys in [[0, 0], [1, 2], [u64::MAX, 0x6b75_7a65_745f_6b32]] {
            for length in 0..bytes.len() {
                let text = &bytes[..length];
                let long = sip128::SipHasher13::new_with_keys(keys[0], keys[1]).hash(text).as_u128();
                assert_eq!(hash128(keys, text), long, "{length} bytes");
                let short = sip::SipHasher13::new_with_keys(keys[0], keys[1]).hash(text);
                assert_eq!(hash64(keys, text), short, "{length} bytes");
            }
        }
    }
}
