//! DNS SRV records. A record's target keeps its name, so that the member's certificate is held
//! against it.

use std::{net::SocketAddr, time::Duration};

use hickory_resolver::proto::rr::{RData, rdata::SRV};

use super::{
    address,
    cause::Cause,
    names,
    seed::Service,
    source::{Found, MOST},
};

pub(super) async fn ask(service: &Service, server: Option<SocketAddr>) -> Result<Found, Cause> {
    let resolver = names::fresh(server).map_err(|_| Cause::NoDns)?;
    // The dot keeps the machine's search domains out.
    let answer = resolver.srv_lookup(format!("{}.", service.name)).await?;
    let records = answer.answers().iter();
    let told: Vec<(u32, SRV)> = records
        .filter_map(|record| match &record.data {
            RData::SRV(srv) => Some((record.ttl, srv.clone())),
            _ => None,
        })
        .collect();
    found(service, told)
}

/// Lowest priority first, then the heaviest.
fn found(service: &Service, mut told: Vec<(u32, SRV)>) -> Result<Found, Cause> {
    told.sort_by(|(_, a), (_, b)| {
        let place = |srv: &SRV| (srv.priority, std::cmp::Reverse(srv.weight), srv.port);
        place(a)
            .cmp(&place(b))
            .then_with(|| a.target.cmp(&b.target))
    });
    if told.is_empty() {
        return Err(Cause::NoRecord);
    }
    if told.iter().all(|(_, srv)| srv.target.is_root()) {
        return Err(Cause::NotOffered);
    }
    let seconds = told.iter().map(|(ttl, _)| *ttl).min().unwrap_or(0);
    let inside = |host: &str| {
        let domain = service.targets.as_str();
        let before = host.strip_suffix(domain);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let urls = told.iter().filter_map(|(_, srv)| {
        let host = srv.target.to_ascii().trim_end_matches('.').to_lowercase();
        inside(&host)
            .then(|| address(service.scheme, &host, srv.port))
            .flatten()
    });
    let mut addresses = Vec::new();
    for url in urls.take(MOST) {
        if !addresses.contains(&url) {
            addresses.push(url);
        }
    }
    if addresses.is_empty() {
        return Err(Cause::Outside(service.targets.clone()));
    }
    Ok(Found::new(
        addresses,
        Duration::from_secs(u64::from(seconds)),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hickory_resolver::proto::rr::Name;

    use super::*;
    use crate::discovery::Seed;

    fn asked(seed: &str, records: &[(u16, u16, u16, &str)]) -> Result<Vec<String>, Cause> {
        let Seed::Service(service) = Seed::parse(seed).unwrap() else {
            return Ok(Vec::new());
        };
        let told = records.iter().map(|(priority, weight, port, target)| {
            let target = Name::from_ascii(target).unwrap();
            (60, SRV::new(*priority, *weight, *port, target))
        });
        let found = found(&service, told.collect())?;
        Ok(found.addresses.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn records_are_tried_by_priority_and_weight_and_keep_their_names() {
        let records = [
            (20, 0, 8200, "c.Raft.example."),
            (10, 1, 8200, "b.raft.example."),
            (10, 9, 8201, "a.raft.example."),
            (10, 1, 8200, "b.raft.example."),
        ];
        let expected = [
            "https://a.raft.example:8201/",
            "https://b.raft.example:8200/",
            "https://c.raft.example:8200/",
        ];
        assert_eq!(
            asked("srv:_raft._tcp.raft.example", &records).unwrap(),
            expected
        );
    }

    #[test]
    fn a_record_does_not_lead_out_of_its_domain_unless_the_seed_says_so() {
        let records = [(0, 0, 443, "evil.test."), (0, 0, 443, "notexample.")];
        let refused = asked("srv:_raft._tcp.example", &records).unwrap_err();
        assert_eq!(refused, Cause::Outside("example".to_owned()));
        let seed = "srv:_vault._tcp.service.consul?targets=consul&scheme=http";
        let found = asked(seed, &[(0, 0, 8200, "n1.node.dc1.consul.")]).unwrap();
        assert_eq!(found, ["http://n1.node.dc1.consul:8200/"]);
    }

    #[test]
    fn a_service_that_is_not_offered_is_told_from_one_without_records() {
        let name = "srv:_raft._tcp.example";
        assert_eq!(asked(name, &[]).unwrap_err(), Cause::NoRecord);
        assert_eq!(
            asked(name, &[(0, 0, 0, ".")]).unwrap_err(),
            Cause::NotOffered
        );
    }
}
