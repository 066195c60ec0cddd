//! Who a controller is by the certificate it shows. OpenZiti writes trust domain and id of a
//! controller into its certificates, as `spiffe://domain/controller/id`. Pure.

use quorate_domain::cluster::MemberId;

/// What a certificate says; the connection has been found trusted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The network the controller belongs to.
    pub domain: String,
    pub id: MemberId,
}

const SCHEME: &[u8] = b"spiffe://";
/// How a URI stands in the list of a certificate's names, before its length.
const URI: u8 = 0x86;

impl Identity {
    /// The first such name in a certificate (DER). Certificates of listeners that are not the
    /// controller's own have none.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let places = certificate
            .windows(SCHEME.len())
            .enumerate()
            .filter(|(_, window)| *window == SCHEME)
            .map(|(place, _)| place);
        places
            .filter_map(|place| uri_at(certificate, place))
            .find_map(parse)
    }
}

/// The URI that begins at `place`, if what stands before it says that it is one.
fn uri_at(certificate: &[u8], place: usize) -> Option<&str> {
    let [kind, length] = *certificate.get(place.checked_sub(2)?..place)? else {
        return None;
    };
    // Lengths from 128 on are written in another way; no id is as long.
    if kind != URI || length >= 0x80 {
        return None;
    }
    let bytes = certificate.get(place..place + usize::from(length))?;
    std::str::from_utf8(bytes).ok()
}

fn parse(uri: &str) -> Option<Identity> {
    let (domain, path) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    let id = path.strip_prefix("controller/")?;
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    (plain(domain) && plain(id) && !id.contains('/')).then(|| Identity {
        domain: domain.to_owned(),
        id: MemberId::from(id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(uri: &str) -> Vec<u8> {
        let length = u8::try_from(uri.len()).unwrap_or(0x7f);
        [&[0x30, 0x10, URI, length], uri.as_bytes(), &[0x04, 0x01]].concat()
    }

    #[test]
    fn a_controllers_certificate_names_network_and_id() {
        let found = Identity::of(&certificate("spiffe://net-1/controller/ctrl2"));
        let expected = Identity {
            domain: "net-1".to_owned(),
            id: "ctrl2".into(),
        };
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn other_names_are_nobodys() {
        for uri in [
            "spiffe://net-1/identity/abc",
            "spiffe://net-1",
            "spiffe://net-1/controller/",
            "https://net-1/controller/ctrl2",
        ] {
            assert_eq!(Identity::of(&certificate(uri)), None, "{uri}");
        }
        let mut cut = certificate("spiffe://net-1/controller/ctrl2");
        cut.truncate(12);
        assert_eq!(Identity::of(&cut), None);
        assert_eq!(Identity::of(b"spiffe://net-1/controller/x"), None);
    }
}
