//! Whether an address leads back to this console: a copy that it sends to itself is kept nowhere.
//! Sees what this machine knows; what a proxy or a translated address leads back is not seen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};

use url::{Host, Url};

/// Whether who calls `url` calls what listens at `listen`. Names are resolved only where the port is
/// the same.
pub fn leads_back(url: &Url, listen: SocketAddr) -> bool {
    let port = url.port_or_known_default();
    if port != Some(listen.port()) {
        return false;
    }
    let named = match url.host() {
        Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
        Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
        Some(Host::Domain("localhost")) => return true,
        Some(Host::Domain(name)) => resolved(name, listen.port()),
        None => Vec::new(),
    };
    named.into_iter().any(|address| reaches(address, listen))
}

/// A name that cannot be resolved now is nobody's: the copy fails for itself, and says so.
fn resolved(name: &str, port: u16) -> Vec<IpAddr> {
    let found = (name, port).to_socket_addrs();
    found.map_or_else(|_| Vec::new(), |found| found.map(|it| it.ip()).collect())
}

fn reaches(address: IpAddr, listen: SocketAddr) -> bool {
    let (address, at) = (address.to_canonical(), listen.ip().to_canonical());
    address.is_loopback()
        || address.is_unspecified()
        || address == at
        || (at.is_unspecified() && is_of_this_machine(address))
}

/// What is sent to one of a machine's own addresses also leaves from it. Nothing is sent: a socket
/// without a connection only asks for the way.
fn is_of_this_machine(address: IpAddr) -> bool {
    let any = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let from = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((address, 9))?;
        socket.local_addr()
    };
    from().is_ok_and(|from| from.ip() == address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn back(url: &str, listen: &str) -> bool {
        leads_back(&Url::parse(url).unwrap(), listen.parse().unwrap())
    }

    #[test]
    fn the_address_it_listens_at_leads_back_by_whatever_name() {
        let listen = "10.1.2.3:7878";
        for url in [
            "http://10.1.2.3:7878/x",
            "http://localhost:7878/",
            "http://127.0.0.2:7878/",
            "http://[::1]:7878/",
            "http://[::ffff:10.1.2.3]:7878/",
            "http://0.0.0.0:7878/",
        ] {
            assert!(back(url, listen), "{url}");
        }
        assert!(back("https://10.1.2.3/", "10.1.2.3:443"));
        for url in [
            "http://10.1.2.3:7879/",
            "http://10.1.2.4:7878/",
            "http://localhost:7879/",
            "http://no-such-name.invalid:7878/",
        ] {
            assert!(!back(url, listen), "{url}");
        }
    }

    #[test]
    fn who_listens_everywhere_listens_at_each_address_of_the_machine_and_at_no_other() {
        assert!(is_of_this_machine(Ipv4Addr::LOCALHOST.into()));
        // Kept for documents: no machine has it.
        let nobody_s = "192.0.2.1".parse().unwrap();
        assert!(!is_of_this_machine(nobody_s));
        assert!(!back("https://192.0.2.1/", "0.0.0.0:443"));
    }
}
