//! Where an endpoint is: a URL of which nothing is left to be read in two ways.
//!
//! A browser takes `http://0x7f.1/`, `http://127.1/` and `http://１２７.0.0.1/` for loopback, and a library may disagree with the next about
//! `user@host` and backslashes. None of these is read here: a host is a name of letters, digits, `-`, `_` and points that does not end in
//! a number, or an address as it is usually written. What a name stands for is checked when it is looked up, by [`super::guard`].

use super::guard;
use hyper::{Uri, http::uri::PathAndQuery};
use ipnet::IpNet;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A URL that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// https.
    pub tls: bool,
    pub host: Host,
    pub port: u16,
    pub path: PathAndQuery,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => out.write_str(name),
            Host::Address(IpAddr::V6(address)) => write!(out, "[{address}]"),
            Host::Address(address) => write!(out, "{address}"),
        }
    }
}

impl Target {
    /// What the header `Host` says.
    #[must_use]
    pub fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.host.to_string(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Reads a URL. An address that is not public is refused here already, so that whoever wrote it hears of it at the start.
///
/// # Errors
/// Why it is refused, as the end of a sentence that names the option; the URL may be a secret and is not repeated.
pub fn parse(text: &str, http: bool, allow: &[IpNet]) -> Result<Target, String> {
    let tls = match text.split_once("://") {
        Some(("https", _)) => true,
        Some(("http", _)) if http => false,
        Some(("http", _)) => {
            return Err(
                "is plain http, which everybody on the way can read and change; `http = true` allows it".to_owned()
            );
        }
        _ => return Err("must begin with https://".to_owned()),
    };
    let uri: Uri = text.parse().map_err(|_| "is no URL".to_owned())?;
    let authority = uri.authority().ok_or("has no host")?;
    if authority.as_str().contains('@') {
        return Err("has a user or a password; `secret_headers` has room for such".to_owned());
    }
    let host = host(authority.host())?;
    // The URI's own idea of a port is none for a number that is too large.
    let port = match authority.as_str().strip_prefix(authority.host()) {
        Some("") if tls => 443,
        Some("") => 80,
        rest => {
            let number = rest.and_then(|rest| rest.strip_prefix(':')).and_then(|digits| digits.parse().ok());
            number.filter(|port| *port != 0).ok_or("has a port that is no number from 1 to 65535")?
        }
    };
    if let Host::Address(address) = host {
        guard::admit(address, allow)
            .map_err(|why| format!("{why}; `allow` names the networks of internal receivers"))?;
    }
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Ok(Target { tls, host, port, path })
}

fn host(text: &str) -> Result<Host, String> {
    if let Some(inside) = text.strip_prefix('[') {
        let address = inside.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
        return address
            .map(|address| Host::Address(address.into()))
            .ok_or_else(|| "has a host that is no IPv6 address".to_owned());
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    if text.ends_with('.') {
        return Err("has a host that ends with a point; write it without".to_owned());
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if text.len() > 253 || !text.split('.').all(is_label) {
        return Err(
            "has a host that is no name of DNS: letters, digits, `-` and `_`; other letters as xn--…".to_owned()
        );
    }
    // Whatever ends in a number is an address to somebody: 2130706433, 127.1, 0x7f.0.0.1.
    let last = text.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let hexadecimal =
        last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    if hexadecimal || last.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err("has an address that is not written as usual; write four decimal numbers".to_owned());
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, u16, String), String> {
        let target = parse(text, true, &[])?;
        Ok((target.authority(), target.port, target.path.to_string()))
    }

    #[test]
    fn urls_are_read_as_they_are_written() {
        for (text, authority, port, path) in [
            ("https://desk.example.com/hooks?a=b", "desk.example.com", 443, "/hooks?a=b"),
            ("https://Desk.Example.com:8443", "desk.example.com:8443", 8443, "/"),
            ("http://hooks.example.com:80/", "hooks.example.com", 80, "/"),
            ("https://9.9.9.9/x", "9.9.9.9", 443, "/x"),
            ("https://[2620:fe::fe]/x", "[2620:fe::fe]", 443, "/x"),
        ] {
            assert_eq!(read(text), Ok((authority.to_owned(), port, path.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (text, why) in [
            ("desk.example.com", "must begin with https://"),
            ("ftp://desk.example.com", "must begin with https://"),
            ("https:///x", "is no URL"),
            ("https://user@desk.example.com/", "has a user"),
            ("https://9.9.9.9@127.0.0.1/", "has a user"),
            ("https://127.1/", "not written as usual"),
            ("https://0x7f.1/", "not written as usual"),
            ("https://2130706433/", "not written as usual"),
            ("https://desk.example.com./", "ends with a point"),
            ("https://desk..com/", "no name of DNS"),
            ("https://127.0.0.1/", "loopback"),
            ("https://[::ffff:127.0.0.1]/", "an IPv4 address in IPv6"),
            ("https://desk.example.com:0/", "no number from 1"),
            ("https://desk.example.com:99999/", "no number from 1"),
            ("https://desk.example.com:/", "no number from 1"),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.contains(why), "{text}: {said}");
        }
        assert!(parse("http://desk.example.com/", false, &[]).expect_err("plain").contains("`http = true`"));
        let allowed = parse("http://10.1.2.3:8080/", true, &["10.0.0.0/8".parse().expect("a network")]);
        assert_eq!(allowed.map(|target| target.port), Ok(8080));
    }
}
