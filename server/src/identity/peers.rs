//! Which addresses are the proxy's own.

use std::net::IpAddr;

use ipnet::IpNet;

/// A shorter prefix than these is no list of proxies any more.
const SHORTEST_V4: u8 = 8;
const SHORTEST_V6: u8 = 32;
/// How the console's listener names the other end of a Unix socket.
const UNIX: &str = "unix";

/// The trusted addresses; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    networks: Vec<IpNet>,
    unix: bool,
}

impl Peers {
    /// From networks (`10.1.2.0/24`), single addresses, or `unix` for a Unix socket.
    ///
    /// # Errors
    /// If none is named, one is none, or one is (nearly) everybody.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        if texts.is_empty() {
            return Err(
                "is empty; name the proxy's address, or \"unix\" for a Unix socket, \
                        since whoever can reach the console could be anybody"
                    .to_owned(),
            );
        }
        let mut peers = Self {
            networks: Vec::new(),
            unix: false,
        };
        for text in texts {
            if text == UNIX {
                peers.unix = true;
            } else {
                peers.networks.push(network(text)?);
            }
        }
        Ok(peers)
    }

    /// Whether a connection came by a Unix socket.
    #[must_use]
    pub fn is_socket(peer: Option<&str>) -> bool {
        peer == Some(UNIX)
    }

    /// Whether the socket is among them.
    #[must_use]
    pub const fn by_socket(&self) -> bool {
        self.unix
    }

    /// Whether this is a proxy of ours: an address without port, or `unix`.
    #[must_use]
    pub fn include(&self, peer: Option<&str>) -> bool {
        let Some(peer) = peer else { return false };
        if peer == UNIX {
            return self.unix;
        }
        let Ok(address) = peer.parse::<IpAddr>() else {
            return false;
        };
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    // A bare address is that one address, of either family.
    let parsed = match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address)),
        Err(_) => text.parse::<IpNet>().ok(),
    };
    let Some(network) = parsed else {
        return Err(format!(
            "expected addresses or networks like \"10.1.2.3/32\"; found \"{text}\""
        ));
    };
    if let IpNet::V6(v6) = network
        && (v6.addr().to_ipv4_mapped().is_some()
            || v6.prefix_len() < 96 && v6.addr().is_unspecified())
        && v6.prefix_len() != 128
    {
        return Err(format!(
            "\"{text}\" holds IPv4 addresses in IPv6 form; write them as IPv4"
        ));
    }
    let shortest = match network {
        IpNet::V4(_) => SHORTEST_V4,
        IpNet::V6(_) => SHORTEST_V6,
    };
    if network.prefix_len() < shortest {
        return Err(format!(
            "\"{text}\" is (nearly) everybody; name the proxy's own addresses"
        ));
    }
    let one = IpNet::from(network.addr().to_canonical());
    Ok(if network.prefix_len() == network.max_prefix_len() {
        one
    } else {
        network
    })
}
