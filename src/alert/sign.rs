//! Signatures as Standard Webhooks has them: HMAC-SHA256 over the id, the time of sending and the body.
//!
//! While a secret is being replaced, an alert bears a signature by the new one and one by the old.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// A secret that both sides have; its bytes are never shown.
#[derive(Clone)]
pub struct Secret {
    key: Vec<u8>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(***)")
    }
}

impl Secret {
    /// Reads `whsec_` and 24 to 64 bytes in base64.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence; the text is not repeated.
    pub fn parse(text: &str) -> Result<Secret, &'static str> {
        let written = text.strip_prefix("whsec_").ok_or("must hold a secret that begins with `whsec_`")?;
        let key = STANDARD.decode(written).map_err(|_| "must hold `whsec_` and then base64")?;
        if (24..=64).contains(&key.len()) {
            Ok(Secret { key })
        } else {
            Err("must hold a secret of 24 to 64 bytes: `whsec_` and what `openssl rand -base64 32` prints")
        }
    }

    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", seconds.to_string().as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The header `webhook-signature`: one signature by each secret.
#[must_use]
pub fn signatures(secrets: &[Secret], id: &str, seconds: i64, body: &[u8]) -> String {
    secrets.iter().map(|secret| secret.sign(id, seconds, body)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the libraries of Standard Webhooks are tested with.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_repeated() {
        for text in ["", "hunter2", "whsec_", "whsec_!!!!", "whsec_aGVsbG8="] {
            let said = Secret::parse(text).expect_err(text);
            assert!(text.is_empty() || !said.contains(text) || text == "whsec_", "{said}");
        }
    }
}
