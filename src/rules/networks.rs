//! Address ranges of a list, found by hashing instead of by looking at each.
//!
//! A list of anonymisers has tens of thousands of ranges but only a few dozen lengths of them, so an address is masked
//! to each length that occurs and looked up. An IPv4 range mapped into IPv6 is the IPv4 range, as addresses of events
//! are.

use crate::time::Timestamp;
use ipnet::{IpNet, Ipv4Net};
use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

/// Ranges, each with the instant from which it no longer counts.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    ranges: HashMap<IpNet, Option<Timestamp>>,
    lengths_v4: BTreeSet<u8>,
    lengths_v6: BTreeSet<u8>,
}

impl Networks {
    /// Adds a range; of one range given twice the later end counts.
    pub fn push(&mut self, (network, until): (IpNet, Option<Timestamp>)) {
        let network = canonical(network.trunc());
        match network {
            IpNet::V4(_) => self.lengths_v4.insert(network.prefix_len()),
            IpNet::V6(_) => self.lengths_v6.insert(network.prefix_len()),
        };
        let known = self.ranges.entry(network).or_insert(until);
        *known = known.zip(until).map(|(known, until)| known.max(until));
    }

    /// Whether some range that still counts at `time` holds `address`.
    #[must_use]
    pub fn contains(&self, address: IpAddr, time: Timestamp) -> bool {
        let address = address.to_canonical();
        let lengths = if address.is_ipv4() { &self.lengths_v4 } else { &self.lengths_v6 };
        lengths.iter().any(|length| {
            let network = IpNet::new(address, *length).expect("a length of this kind of address").trunc();
            self.ranges.get(&network).is_some_and(|until| until.is_none_or(|until| time < until))
        })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// In no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, Option<Timestamp>)> + '_ {
        self.ranges.iter().map(|(network, until)| (*network, *until))
    }
}

impl FromIterator<(IpNet, Option<Timestamp>)> for Networks {
    fn from_iter<I: IntoIterator<Item = (IpNet, Option<Timestamp>)>>(ranges: I) -> Self {
        let mut networks = Networks::default();
        networks.extend(ranges);
        networks
    }
}

impl Extend<(IpNet, Option<Timestamp>)> for Networks {
    fn extend<I: IntoIterator<Item = (IpNet, Option<Timestamp>)>>(&mut self, ranges: I) {
        ranges.into_iter().for_each(|range| self.push(range));
    }
}

impl From<Vec<(IpNet, Option<Timestamp>)>> for Networks {
    fn from(ranges: Vec<(IpNet, Option<Timestamp>)>) -> Self {
        ranges.into_iter().collect()
    }
}

fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        _ => None,
    };
    mapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}
