//! The command that creates the nodes' network.

use super::Target;
use crate::{
    digest,
    tool::{Invocation, docker},
};

/// Returns the command that creates the network of `target` for the environment with this id.
#[must_use]
pub fn create(target: &Target, id: &str, subnet: Option<&str>, mtu: Option<u32>) -> Invocation {
    docker::create_network(&target.network, &target.cluster, id, subnet, mtu)
}

/// Returns the IPv6 subnet to try at this attempt, counted from 0, for the network with this name.
/// It is from the unique local addresses and derived from the name, so that networks do not
/// collide, as in kind's `generateULASubnetFromName`.
#[must_use]
pub fn subnet(network: &str, attempt: u32) -> String {
    let digits = digest::hex(format!("{network} {attempt}").as_bytes());
    format!(
        "fc00:{}:{}:{}::/64",
        &digits[..4],
        &digits[4..8],
        &digits[8..12]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_and_each_attempt_has_another_subnet() {
        let tried = [subnet("a", 0), subnet("a", 1), subnet("b", 0)];
        assert!(
            tried
                .iter()
                .all(|s| s.parse::<std::net::Ipv6Addr>().is_err())
        );
        for subnet in &tried {
            let (address, bits) = subnet.split_once('/').unwrap();
            let address: std::net::Ipv6Addr = address.parse().unwrap();
            assert!(address.is_unique_local() && bits == "64", "{subnet}");
        }
        assert!(tried[0] != tried[1] && tried[0] != tried[2]);
    }
}
