//! Who answers where: from a configured pattern, from the client addresses the members
//! advertise, from where one has answered with its own id. Pure.

use std::collections::{BTreeMap, BTreeSet};

use quorate_domain::cluster::{Member, MemberId, Membership};
use url::Url;

use super::answers::{Listed, member_id};
use crate::http;

/// The most addresses of one member that are tried.
const MOST: usize = 4;

/// An address book of one cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pattern: Option<String>,
    seeds: Vec<Url>,
    /// What each member advertises, in the list that counts.
    told: BTreeMap<MemberId, Vec<Url>>,
    /// Where a member last answered with its own id.
    proven: BTreeMap<MemberId, Url>,
}

impl Directory {
    pub fn new(pattern: Option<String>, seeds: Vec<Url>) -> Self {
        Self {
            pattern,
            seeds,
            ..Self::default()
        }
    }

    pub fn seeds(&self) -> &[Url] {
        &self.seeds
    }

    /// Other seeds from now on; what was learnt stays.
    pub fn begin_at(&mut self, seeds: &[Url]) {
        self.seeds = seeds.to_vec();
    }

    /// The list that counts, as the member at `witness` told it. An address that leads back to
    /// its own machine leads a console on another machine to nobody it wants.
    pub fn learn_list(&mut self, list: &[Listed], witness: &Url) {
        let addresses = |listed: &Listed| -> Vec<Url> {
            let urls = listed.client_urls.iter();
            urls.filter_map(|url| http::origin(&url.0).ok())
                .filter(|url| http::may_lead(witness, url))
                .take(MOST)
                .collect()
        };
        self.told = list
            .iter()
            .map(|listed| (member_id(listed.id), addresses(listed)))
            .collect();
    }

    /// Who answered where in one look. What a member advertises goes before a seed, which may be
    /// a name that leads to another member each time.
    pub fn learn_proofs(&mut self, answers: &[(MemberId, Url)]) {
        let mut found: BTreeMap<&MemberId, BTreeSet<&Url>> = BTreeMap::new();
        for (id, url) in answers {
            found.entry(id).or_default().insert(url);
        }
        for (id, urls) in found {
            let told = self.told.get(id).map_or(&[][..], Vec::as_slice);
            let advertised = told.iter().find(|url| urls.contains(url));
            let present = self.proven.get(id).filter(|url| urls.contains(url));
            if let Some(url) = advertised.or(present).or_else(|| urls.first().copied()) {
                self.proven.insert(id.clone(), url.clone());
            }
        }
    }

    /// Where `member` answers: as the pattern says, else where it has proven to be, else as it
    /// advertises.
    pub fn url_of(&self, member: &Member) -> Option<Url> {
        self.candidates(member).into_iter().next()
    }

    /// Everything worth asking, each address once, with the id expected there.
    pub fn targets(
        &self,
        membership: Option<&Membership>,
        more: &[Url],
    ) -> Vec<(Url, Option<MemberId>)> {
        let mut targets: Vec<(Url, Option<MemberId>)> = Vec::new();
        let mut seen = BTreeSet::new();
        for member in membership.iter().flat_map(|membership| &membership.members) {
            for url in self.candidates(member) {
                if seen.insert(url.clone()) {
                    targets.push((url, Some(member.id.clone())));
                }
            }
        }
        for url in self.seeds.iter().chain(more) {
            if seen.insert(url.clone()) {
                targets.push((url.clone(), None));
            }
        }
        targets
    }

    /// Best first.
    fn candidates(&self, member: &Member) -> Vec<Url> {
        if let Some(url) = self.by_pattern(member) {
            return vec![url];
        }
        let mut found: Vec<Url> = self.proven.get(&member.id).cloned().into_iter().collect();
        for url in self.told.get(&member.id).into_iter().flatten() {
            if !found.contains(url) {
                found.push(url.clone());
            }
        }
        found
    }

    fn by_pattern(&self, member: &Member) -> Option<Url> {
        let pattern = self.pattern.as_ref()?;
        let peer = Url::parse(member.address.split(',').next()?).ok()?;
        http::origin(&pattern.replace("{host}", peer.host_str()?)).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::etcd::answers::{Members, membership};

    fn list(text: &str) -> Vec<Listed> {
        serde_json::from_str::<Members>(text).unwrap().members
    }

    fn three(client: [&str; 3]) -> Vec<Listed> {
        let rows: Vec<String> = client
            .iter()
            .enumerate()
            .map(|(at, url)| {
                format!(
                    r#"{{"ID":"{}","name":"m{at}","peerURLs":["http://10.0.0.{at}:2380"],"clientURLs":["{url}"]}}"#,
                    at + 1
                )
            })
            .collect();
        list(&format!(r#"{{"members":[{}]}}"#, rows.join(",")))
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn addresses(directory: &Directory, list: &[Listed]) -> Vec<Option<Url>> {
        let members = membership(list).members;
        members
            .iter()
            .map(|member| directory.url_of(member))
            .collect()
    }

    #[test]
    fn members_that_advertise_their_own_machine_are_found_at_the_seeds() {
        let list = three(["http://localhost:2379"; 3]);
        let seeds = vec![url("http://10.0.0.0:2379"), url("http://10.0.0.1:2379")];
        let mut directory = Directory::new(None, seeds.clone());
        directory.learn_list(&list, &seeds[0]);
        assert_eq!(addresses(&directory, &list), [None, None, None]);
        directory.learn_proofs(&[
            ("1".into(), seeds[0].clone()),
            ("2".into(), seeds[1].clone()),
        ]);
        let found = addresses(&directory, &list);
        assert_eq!(
            found,
            [Some(seeds[0].clone()), Some(seeds[1].clone()), None]
        );
    }

    #[test]
    fn what_a_member_advertises_goes_before_a_name_that_leads_anywhere() {
        let own = [
            "http://10.0.0.0:2379",
            "http://10.0.0.1:2379",
            "http://10.0.0.2:2379",
        ];
        let list = three(own);
        let shared = url("http://etcd.example:2379");
        let mut directory = Directory::new(None, vec![shared.clone()]);
        directory.learn_proofs(&[("2".into(), shared.clone())]);
        directory.learn_list(&list, &shared);
        let targets = directory.targets(Some(&membership(&list)), &[]);
        assert_eq!(targets.len(), 4, "{targets:?}");
        directory.learn_proofs(&[("2".into(), shared), ("2".into(), url(own[1]))]);
        assert_eq!(addresses(&directory, &list), own.map(|own| Some(url(own))));
    }

    #[test]
    fn a_pattern_decides_alone() {
        let list = three(["http://localhost:2379"; 3]);
        let mut directory = Directory::new(Some("https://{host}:4001".to_owned()), Vec::new());
        directory.learn_list(&list, &url("http://127.0.0.1:1"));
        let found = addresses(&directory, &list);
        assert_eq!(found[2], Some(url("https://10.0.0.2:4001")));
    }
}
