//! The links that Corosync's messages travel over: the mesh always, the LAN beside it where there is one.
//!
//! Corosync wants the same links on every node, so that a cluster with a LAN link takes in no node without an
//! address on it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sfha_proto::{ErrorCode, Failure};

use crate::command::invalid;
use crate::state::{ClusterState, MeshSettings, Node};

/// One link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Inside the tunnels.
    Mesh,
    /// Beside them.
    Lan,
}

impl Link {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Lan => "lan",
        }
    }
}

/// The links of a cluster that says nothing about them.
#[must_use]
pub fn mesh_only() -> Vec<Link> {
    vec![Link::Mesh]
}

/// Reads `mesh` or `mesh,lan`: the mesh is link 0.
///
/// # Errors
/// `invalid-parameter`.
pub fn parse(names: &[String]) -> Result<Vec<Link>, Failure> {
    match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mesh"] => Ok(mesh_only()),
        ["mesh", "lan"] => Ok(vec![Link::Mesh, Link::Lan]),
        _ => Err(invalid("links", &names.join(","), "links")),
    }
}

impl MeshSettings {
    /// Whether Corosync has a link on the LAN too.
    #[must_use]
    pub fn has_lan(&self) -> bool {
        self.links.contains(&Link::Lan)
    }
}

impl ClusterState {
    /// The links of the cluster, by number; none for one without a mesh, whose only link goes without saying.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        self.mesh.as_ref().map_or(&[], |mesh| &mesh.links)
    }

    /// The address that a new node has on the LAN link: `None` where there is no such link.
    ///
    /// # Errors
    /// `no-lan-address`, `invalid-parameter`, `already-exists`.
    pub fn lan_address_for(&self, address: Option<IpAddr>) -> Result<Option<IpAddr>, Failure> {
        if !self.links().contains(&Link::Lan) {
            return Ok(None);
        }
        let ip = address.ok_or(ErrorCode::NoLanAddress)?;
        self.check_lan_address("lan-ip", ip)?;
        self.check_free(ip)?;
        Ok(Some(ip))
    }

    /// The address on Corosync's only link of a node that joins a cluster without a mesh. `reserved`: the one that
    /// its invite is for.
    ///
    /// # Errors
    /// As [`ClusterState::lan_address_for`].
    pub fn ring_address_for(
        &self,
        address: Option<IpAddr>,
        reserved: Option<IpAddr>,
    ) -> Result<IpAddr, Failure> {
        let ip = address.ok_or(ErrorCode::NoLanAddress)?;
        match reserved {
            Some(reserved) if reserved != ip => Err(invalid("lan-ip", &ip.to_string(), "not-reserved")),
            Some(_) => Ok(ip),
            None => {
                self.check_lan_address("lan-ip", ip)?;
                self.check_free(ip)?;
                Ok(ip)
            }
        }
    }

    /// Whether a node can have that address on the LAN, whoever else has it.
    ///
    /// # Errors
    /// `invalid-parameter`.
    pub fn check_lan_address(&self, parameter: &str, ip: IpAddr) -> Result<(), Failure> {
        let wrong = |reason| Err(invalid(parameter, &ip.to_string(), reason));
        if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
            return wrong("not-a-host-address");
        }
        if self.mesh.as_ref().is_some_and(|mesh| mesh.network.contains(&ip)) {
            return wrong("inside-mesh");
        }
        // knet: the addresses of one link are of one family.
        let on_lan = |node: &Node| if self.mesh.is_some() { node.lan_address } else { Some(node.address) };
        let family = self.nodes.values().find_map(on_lan).map(|ip| ip.is_ipv4());
        if family.is_some_and(|is_ipv4| is_ipv4 != ip.is_ipv4()) {
            return wrong("lan-family");
        }
        Ok(())
    }

    fn check_free(&self, ip: IpAddr) -> Result<(), Failure> {
        match self.address_user(ip) {
            Some(by) => Err(Failure::new(ErrorCode::AlreadyExists)
                .with("kind", "address")
                .with("name", ip.to_string())
                .with("by", by)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(links: Vec<Link>) -> ClusterState {
        let mesh = MeshSettings { network: "10.100.0.0/24".parse().unwrap(), port: 51820, mtu: 1420, links };
        let lan_address = mesh.has_lan().then(|| "192.0.2.1".parse().unwrap());
        let first = Node {
            public_key: Some("key1".into()),
            lan_address,
            ..Node::new("n1", "10.100.0.1".parse().unwrap())
        };
        ClusterState::new("c", "lan", Some(mesh), first)
    }

    #[test]
    fn the_mesh_is_always_the_first_link() {
        let read = |text: &str| parse(&text.split(',').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("mesh").unwrap(), [Link::Mesh]);
        assert_eq!(read("mesh,lan").unwrap(), [Link::Mesh, Link::Lan]);
        for wrong in ["", "lan", "lan,mesh", "mesh,lan,lan", "mesh,wan"] {
            assert_eq!(read(wrong).unwrap_err().code, ErrorCode::InvalidParameter, "{wrong:?}");
        }
        let old: MeshSettings =
            serde_json::from_str(r#"{"network":"10.100.0.0/24","port":1,"mtu":1420}"#).unwrap();
        assert_eq!(old.links, [Link::Mesh], "a state of before");
    }

    #[test]
    fn a_node_needs_an_address_of_its_own_on_the_lan_link() {
        let state = cluster(vec![Link::Mesh, Link::Lan]);
        let code =
            |ip: &str| state.lan_address_for(Some(ip.parse().unwrap())).map_err(|failure| failure.code);
        assert_eq!(state.lan_address_for(None).unwrap_err().code, ErrorCode::NoLanAddress);
        assert_eq!(code("192.0.2.1"), Err(ErrorCode::AlreadyExists));
        assert_eq!(code("2001:db8::2"), Err(ErrorCode::InvalidParameter));
        assert_eq!(code("10.100.0.7"), Err(ErrorCode::InvalidParameter));
        assert_eq!(code("127.0.0.1"), Err(ErrorCode::InvalidParameter));
        assert_eq!(code("192.0.2.2"), Ok(Some("192.0.2.2".parse().unwrap())));
    }

    #[test]
    fn without_a_lan_link_nothing_is_asked_and_nothing_kept() {
        let state = cluster(mesh_only());
        assert_eq!(state.lan_address_for(None), Ok(None));
        assert_eq!(state.lan_address_for(Some("192.0.2.2".parse().unwrap())), Ok(None));
    }
}
