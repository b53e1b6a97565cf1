//! What must never be connected to: everything that is not the public internet, unless the configuration names its network.
//!
//! Whoever can write an endpoint's URL, or the DNS records of its host, must not reach what stands behind the firewall. A
//! host is looked up once, every answer is checked, and the connection goes to [`Checked`] addresses, which nobody else can
//! make: no second look-up can give another answer. One bad answer among good ones refuses them all, since whoever mixes them means harm.

use super::target::{Host, Target};
use crate::limits::ALERT_ADDRESSES;
use ipnet::IpNet;
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
};

/// Who looks names up.
pub trait Resolver: Send + Sync {
    /// The addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Resolver for System {
    fn resolve<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Addresses that may be connected to, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    addresses: Vec<SocketAddr>,
}

impl Checked {
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// Looks a target up, once, and checks every answer.
///
/// # Errors
/// Why nothing may be connected to.
pub async fn check(target: &Target, allow: &[IpNet], resolver: &dyn Resolver) -> Result<Checked, String> {
    let found = match &target.host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => {
            resolver.resolve(name).await.map_err(|error| format!("the host's name cannot be looked up: {error}"))?
        }
    };
    if found.is_empty() {
        return Err("the host's name has no address".to_owned());
    }
    if found.len() > ALERT_ADDRESSES {
        return Err(format!("the host's name has {} addresses; {ALERT_ADDRESSES} are looked at", found.len()));
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        admit(address, allow).map_err(|why| format!("refused: the host {why}"))?;
        let address = SocketAddr::new(address, target.port);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(Checked { addresses })
}

/// Lets an address through that is public or in an allowed network.
///
/// # Errors
/// What it is instead, as the end of a sentence.
pub fn admit(address: IpAddr, allow: &[IpNet]) -> Result<(), String> {
    if allow.iter().any(|network| network.contains(&address)) {
        return Ok(());
    }
    match not_public(address) {
        None => Ok(()),
        Some(what) => Err(format!("is {address}, which is {what}")),
    }
}

/// What is not the public internet of IPv4 (IANA's registry of special-purpose addresses, and multicast).
const SPECIAL_V4: &[(&str, &str)] = &[
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "a carrier's NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "for protocols"),
    ("192.0.2.0/24", "for documentation"),
    ("192.88.99.0/24", "a 6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved or broadcast"),
];

/// The same of IPv6: within the global unicast addresses, those that lead elsewhere or nowhere.
const SPECIAL_V6: &[(&str, &str)] = &[
    ("2001::/23", "for protocols, Teredo among them"),
    ("2001:db8::/32", "for documentation"),
    ("2002::/16", "an IPv4 address in IPv6 (6to4)"),
    ("3fff::/20", "for documentation"),
];

/// The rest of IPv6 that has names; whatever else is outside global unicast is reserved.
const OUTSIDE_V6: &[(&str, &str)] = &[
    ("::1/128", "loopback"),
    ("::/128", "no address"),
    ("::ffff:0:0/96", "an IPv4 address in IPv6 (mapped)"),
    ("::/96", "an IPv4 address in IPv6 (compatible)"),
    ("64:ff9b::/96", "an IPv4 address in IPv6 (NAT64)"),
    ("64:ff9b:1::/48", "an IPv4 address in IPv6 (NAT64)"),
    ("100::/64", "for discarding"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
];

const GLOBAL_V6: &str = "2000::/3";

fn not_public(address: IpAddr) -> Option<&'static str> {
    let among = |table: &'static [(&str, &str)]| {
        table.iter().find(|(network, _)| contains(network, address)).map(|(_, what)| *what)
    };
    match address {
        IpAddr::V4(_) => among(SPECIAL_V4),
        IpAddr::V6(_) if contains(GLOBAL_V6, address) => among(SPECIAL_V6),
        IpAddr::V6(_) => Some(among(OUTSIDE_V6).unwrap_or("reserved")),
    }
}

fn contains(network: &str, address: IpAddr) -> bool {
    network.parse::<IpNet>().expect("the tables hold networks, which a test reads").contains(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_hold_networks() {
        for (network, _) in SPECIAL_V4.iter().chain(SPECIAL_V6).chain(OUTSIDE_V6).chain(&[(GLOBAL_V6, "")]) {
            let network: IpNet = network.parse().expect("a network");
            assert_eq!(network.trunc(), network);
            assert!(admit(network.network(), &[]).is_err() || network.to_string() == GLOBAL_V6, "{network}");
            assert!(admit(network.broadcast(), &[]).is_err() || network.to_string() == GLOBAL_V6, "{network}");
        }
    }

    /// The neighbours of what is refused are let through, so that the edges are where they belong.
    #[test]
    fn the_public_internet_is_let_through() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2606:4700:4700::1111",
            "2003::1",
            "2001:db7:ffff::1",
            "2001:db9::",
            "3fff:1000::",
            "3ffe::1",
        ] {
            assert_eq!(admit(address.parse().expect("an address"), &[]), Ok(()), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_let_through_and_nothing_beside_it() {
        let allow = ["10.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("a network")];
        let admitted = |address: &str| admit(address.parse().expect("an address"), &allow).is_ok();
        assert!(admitted("10.255.0.1") && admitted("::1") && admitted("1.1.1.1"));
        assert!(
            !admitted("127.0.0.1") && !admitted("192.168.0.1") && !admitted("::ffff:10.0.0.1") && !admitted("fe80::1")
        );
    }
}
