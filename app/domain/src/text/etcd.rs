//! What remains to be done by hand on etcd: a newcomer's process is started by its operator, and
//! a removed one is cleared away by them.

use crate::{
    cluster::MemberId,
    view::{ClusterView, MemberView},
};

/// The port for clients where nothing says otherwise.
const CLIENT_PORT: u16 = 2379;

/// How to start the newcomer once it is added.
pub(super) fn newcomer(view: &ClusterView, address: &str) -> Vec<String> {
    let mut notes = vec![
        "The newcomer must not run yet. Once it is added, start it on its own machine with an empty data directory:"
            .to_owned(),
        command(view, address),
        "Until it answers it stands in the list as not started, and etcd takes no second learner."
            .to_owned(),
    ];
    let secure = |member: &MemberView| {
        let api = member.api_address.as_deref().unwrap_or_default();
        api.starts_with("https:") || member.address.starts_with("https:")
    };
    if address.starts_with("https:") || view.members.iter().any(secure) {
        notes.push(
            "Add the options for certificates that the other members are started with (--cert-file, --key-file, --trusted-ca-file, and the same with peer before them)."
                .to_owned(),
        );
    }
    notes
}

/// Whether a note is no sentence but a command for a shell.
#[must_use]
pub fn is_command(note: &str) -> bool {
    note.starts_with("etcd --")
}

/// What to clear away after a removal.
pub(super) fn removed(view: &ClusterView, id: &MemberId) -> Vec<String> {
    let name = view.name_of(id);
    let place = view.member(id).map_or("", |member| member.address.as_str());
    vec![
        format!(
            "The process of {name} at {place} ends by itself within seconds if it runs. See that nothing starts it again, and delete its data directory (--data-dir; {name}.etcd unless set)."
        ),
        "To come back it needs an empty data directory; added anew it gets a new id.".to_owned(),
    ]
}

/// The one command, as a POSIX shell takes it.
fn command(view: &ClusterView, address: &str) -> String {
    let address = address.trim().trim_end_matches('/');
    let place = Place::of(address);
    let name = place.name(view);
    let client = format!(
        "{}://{}:{}",
        client_scheme(view),
        place.host,
        client_port(view, place.port)
    );
    let bound = |url: &str| match place.is_name() {
        // A listener is bound to an address, never to a name.
        true => url.replacen(place.host, "0.0.0.0", 1),
        false => url.to_owned(),
    };
    let mut peers: Vec<String> = view
        .members
        .iter()
        .flat_map(|member| {
            let urls = member.address.split(',');
            urls.map(|url| format!("{}={url}", member.name))
        })
        .collect();
    peers.push(format!("{name}={address}"));
    let words = [
        "etcd".to_owned(),
        format!("--name {}", quoted(&name)),
        format!("--data-dir {}", quoted(&format!("{name}.etcd"))),
        "--initial-cluster-state existing".to_owned(),
        format!("--initial-cluster {}", quoted(&peers.join(","))),
        format!("--initial-advertise-peer-urls {}", quoted(address)),
        format!("--listen-peer-urls {}", quoted(&bound(address))),
        format!("--advertise-client-urls {}", quoted(&client)),
        format!("--listen-client-urls {}", quoted(&bound(&client))),
    ];
    words.join(" ")
}

/// Host and port of a peer address.
struct Place<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Place<'a> {
    fn of(url: &'a str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let rest = rest.split('/').next().unwrap_or(rest);
        match rest.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() => Self {
                host,
                port: port.parse().ok(),
            },
            _ => Self {
                host: rest,
                port: None,
            },
        }
    }

    fn is_name(&self) -> bool {
        !self.host.starts_with('[') && self.host.parse::<std::net::Ipv4Addr>().is_err()
    }

    /// A name nobody has yet, after its host.
    fn name(&self, view: &ClusterView) -> String {
        let label = self.host.split('.').next().unwrap_or_default();
        let base = if self.is_name() && !label.is_empty() {
            label.to_owned()
        } else {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
            let host: String = self.host.chars().map(plain).collect();
            format!("etcd-{}", host.trim_matches('-'))
        };
        let taken = |name: &str| view.members.iter().any(|member| member.name == name);
        let with_port = format!("{base}-{}", self.port.unwrap_or_default());
        [base, with_port.clone()]
            .into_iter()
            .find(|name| !taken(name))
            .unwrap_or_else(|| format!("{with_port}-new"))
    }
}

fn client_scheme(view: &ClusterView) -> &'static str {
    let secure = |api: &str| api.starts_with("https:");
    let mut known = view
        .members
        .iter()
        .filter_map(|member| member.api_address.as_deref());
    if known.any(secure) { "https" } else { "http" }
}

/// As far from the port for members as with those that are there.
fn client_port(view: &ClusterView, peer: Option<u16>) -> u16 {
    let distance = view.members.iter().find_map(|member| {
        let theirs = Place::of(member.address.split(',').next()?).port?;
        let client = Place::of(member.api_address.as_deref()?).port?;
        Some(i32::from(client) - i32::from(theirs))
    });
    let found = distance
        .zip(peer)
        .map(|(distance, peer)| i32::from(peer) + distance);
    found
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port > 0)
        .unwrap_or(CLIENT_PORT)
}

/// A word as a shell reads it back unchanged.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;

    fn view(client: &str) -> ClusterView {
        let mut view = Stage::voters(3).view();
        for (at, member) in view.members.iter_mut().enumerate() {
            member.name = format!("m{at}");
            member.address = format!("http://10.0.0.{at}:2380");
            member.api_address = Some(client.replace('N', &at.to_string()));
        }
        view
    }

    #[test]
    fn the_command_names_everybody_and_the_newcomers_own_addresses() {
        let told = command(&view("http://10.0.0.N:2379"), "http://10.0.0.4:2380");
        assert_eq!(
            told,
            "etcd --name etcd-10-0-0-4 --data-dir etcd-10-0-0-4.etcd --initial-cluster-state existing \
             --initial-cluster m0=http://10.0.0.0:2380,m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,etcd-10-0-0-4=http://10.0.0.4:2380 \
             --initial-advertise-peer-urls http://10.0.0.4:2380 --listen-peer-urls http://10.0.0.4:2380 \
             --advertise-client-urls http://10.0.0.4:2379 --listen-client-urls http://10.0.0.4:2379"
        );
    }

    #[test]
    fn a_named_host_is_advertised_and_listens_everywhere() {
        let view = view("https://10.0.0.N:4001");
        let told = newcomer(&view, "https://m1.example:2380/");
        let line = told.get(1).map_or("", String::as_str);
        assert_eq!(told.iter().filter(|note| is_command(note)).count(), 1);
        assert!(is_command(line));
        assert!(line.contains("--name m1-2380 "), "{line}");
        assert!(
            line.contains("--listen-peer-urls https://0.0.0.0:2380"),
            "{line}"
        );
        assert!(
            line.contains("--advertise-client-urls https://m1.example:4001"),
            "{line}"
        );
        assert!(
            told.last()
                .is_some_and(|note| note.contains("--trusted-ca-file"))
        );
    }

    #[test]
    fn nothing_an_operator_types_leaves_its_word() {
        let told = command(&view("http://10.0.0.N:2379"), "http://x'; rm -rf /:1");
        assert!(told.contains(r"'http://x'\''; rm -rf /:1'"), "{told}");
    }
}
