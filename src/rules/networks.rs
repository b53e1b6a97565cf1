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

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain way: each range is asked in turn.
    fn plainly(ranges: &[(IpNet, Option<Timestamp>)], address: IpAddr, time: Timestamp) -> bool {
        ranges.iter().any(|(range, until)| range.contains(&address) && until.is_none_or(|until| time < until))
    }

    #[test]
    fn every_length_of_range_is_found() {
        let v4 = (0..=32).map(|length| format!("10.{}.77.129/{length}", length * 7));
        let v6 = (0..=128).map(|length| format!("2001:db8:{length:x}::{length:x}/{length}"));
        // The widest ranges hold everything, so they come in last.
        let all: Vec<IpNet> = v4.chain(v6).map(|text| text.parse().expect("a range")).collect();
        let mut ranges: Vec<(IpNet, Option<Timestamp>)> = Vec::new();
        for (place, network) in all.iter().enumerate().rev() {
            ranges.push((*network, (place % 3 == 0).then_some(Timestamp(1_000))));
            let networks = Networks::from(ranges.clone());
            assert_eq!(networks.len(), ranges.len());
            for other in all.iter().flat_map(|other| [other.addr(), other.network(), other.broadcast()]) {
                for time in [Timestamp(999), Timestamp(1_000)] {
                    let expected = plainly(&ranges, other, time);
                    assert_eq!(
                        networks.contains(other, time),
                        expected,
                        "{other} at {time:?} in {network} and narrower"
                    );
                }
            }
        }
    }

    #[test]
    fn of_one_range_given_twice_the_later_end_counts() {
        let range: IpNet = "10.0.0.0/8".parse().expect("a range");
        let address: IpAddr = "10.1.1.1".parse().expect("an address");
        let ends = [Some(Timestamp(5)), Some(Timestamp(9)), None];
        for (first, second, holds_at_7, holds_at_9) in
            [(0, 1, true, false), (1, 0, true, false), (0, 2, true, true), (2, 0, true, true), (0, 0, false, false)]
        {
            let networks: Networks = [(range, ends[first]), (range, ends[second])].into_iter().collect();
            assert_eq!(networks.contains(address, Timestamp(7)), holds_at_7, "{first} {second}");
            assert_eq!(networks.contains(address, Timestamp(9)), holds_at_9, "{first} {second}");
        }
    }

    #[test]
    fn an_ipv4_range_in_ipv6_is_the_ipv4_range() {
        let networks: Networks = [("::ffff:10.0.0.0/104".parse().expect("a range"), None)].into_iter().collect();
        for address in ["10.2.3.4", "::ffff:10.2.3.4"] {
            assert!(networks.contains(address.parse().expect("an address"), Timestamp(0)), "{address}");
        }
        assert_eq!(networks.iter().map(|(range, _)| range.to_string()).collect::<Vec<_>>(), ["10.0.0.0/8"]);
    }
}
