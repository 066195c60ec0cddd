//! What this OpenBao (or Vault) can do at all, and what the console's token may have it do.

use std::{collections::BTreeMap, time::Duration};

use quorate_domain::{
    action::Verb, capability::Capability, cluster::Kind, moment::Timestamp, observation::Note,
};
use serde_json::json;
use url::Url;

use super::{
    answers::{Help, TokenWords},
    ask::{at, logical, with_token},
};
use crate::{
    Secret, clock,
    http::{Client, Wire},
};

/// Found by asking; kept until the token or the program may have changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rights {
    pub kind: Option<Kind>,
    pub capabilities: Vec<Capability>,
    pub notes: Vec<Note>,
    /// Whether the program told what the token may do; if not, nothing is known to be missing.
    pub told: bool,
    /// What the token lacks: path and the capability on it.
    pub missing: Vec<(&'static str, &'static str)>,
    /// When the token ends.
    pub expires: Option<Timestamp>,
}

/// A path of the API, the right it takes, and the verb it stands for.
struct Need {
    path: &'static str,
    rights: &'static [&'static str],
    verb: Option<Verb>,
}

const NEEDS: [Need; 8] = [
    need("sys/storage/raft/configuration", &["read"], None),
    need("sys/storage/raft/autopilot/state", &["read"], None),
    need("sys/ha-status", &["read"], None),
    need("sys/storage/raft/promote", &["update"], Some(Verb::Promote)),
    need("sys/storage/raft/demote", &["update"], Some(Verb::Demote)),
    need(
        "sys/storage/raft/remove-peer",
        &["update"],
        Some(Verb::Remove),
    ),
    need("sys/step-down", &["update", "sudo"], Some(Verb::Transfer)),
    need("sys/storage/raft/snapshot", &["read"], Some(Verb::Snapshot)),
];

const fn need(path: &'static str, rights: &'static [&'static str], verb: Option<Verb>) -> Need {
    Need { path, rights, verb }
}

/// A token that ends sooner than this and cannot be renewed is worth a finding.
const ENDS_SOON_MS: u64 = 7 * 24 * 3_600_000;

/// Asks `url`, which must be an unsealed node, what exists and what is allowed.
///
/// # Errors
/// If the node does not answer these reads at all.
pub(super) async fn find(
    client: &Client,
    token: Option<&Secret>,
    url: &Url,
    wait: Duration,
) -> Result<Rights, Wire> {
    let promote = exists(client, token, url, "sys/storage/raft/promote", wait);
    let demote = exists(client, token, url, "sys/storage/raft/demote", wait);
    // What every edition has: it tells the program's name where it has no promotion.
    let remove = exists(client, token, url, "sys/storage/raft/remove-peer", wait);
    let allowed = allowed(client, token, url, wait);
    let life = life(client, token, url, wait);
    let (promote, demote, remove, allowed, life) =
        tokio::join!(promote, demote, remove, allowed, life);
    let (promote, title) = promote?;
    let (demote, _) = demote?;
    let title = title.or_else(|| remove.ok()?.1);
    let absent: Vec<Verb> = [
        (!promote).then_some(Verb::Promote),
        (!demote).then_some(Verb::Demote),
        // Without promote a newcomer cannot be kept from voting.
        (!promote).then_some(Verb::AddLearner),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut rights = judge(&absent, allowed.ok().as_ref());
    rights.kind = title.map(|title| {
        if title.contains("OpenBao") {
            Kind::Openbao
        } else {
            Kind::Vault
        }
    });
    if let Ok(life) = life {
        rights.expires = life.ends(clock::now());
        rights.notes.extend(ending(&life, rights.expires));
    }
    Ok(rights)
}

/// Whether the program knows `path`; any valid token may ask. Also what it calls itself.
async fn exists(
    client: &Client,
    token: Option<&Secret>,
    url: &Url,
    path: &str,
    wait: Duration,
) -> Result<(bool, Option<String>), Wire> {
    let call = client.get(&at(url, &format!("{path}?help=1"))).within(wait);
    let reply = with_token(call, token).send().await?;
    if reply.status == 404 {
        return Ok((false, None));
    }
    let help: Help = reply.success()?.json()?;
    Ok((true, help.title().map(str::to_owned)))
}

/// The token's capabilities, path by path.
async fn allowed(
    client: &Client,
    token: Option<&Secret>,
    url: &Url,
    wait: Duration,
) -> Result<BTreeMap<String, Vec<String>>, Wire> {
    let paths: Vec<&str> = NEEDS.iter().map(|need| need.path).collect();
    let call = client.ask(
        &at(url, "sys/capabilities-self"),
        &json!({ "paths": paths }),
    );
    logical(&with_token(call.within(wait), token).send().await?)
}

async fn life(
    client: &Client,
    token: Option<&Secret>,
    url: &Url,
    wait: Duration,
) -> Result<TokenWords, Wire> {
    let call = client.get(&at(url, "auth/token/lookup-self")).within(wait);
    let words: TokenWords = logical(&with_token(call, token).send().await?)?;
    if !words.renewable || words.ttl.saturating_mul(2) >= words.creation_ttl {
        return Ok(words);
    }
    // Past half of its life. If renewing fails it is tried again with the next look of this kind.
    let renew = client
        .ask(&at(url, "auth/token/renew-self"), &json!({}))
        .within(wait);
    match with_token(renew, token)
        .send()
        .await
        .map(|reply| reply.status)
    {
        Ok(200) => {
            let again = client.get(&at(url, "auth/token/lookup-self")).within(wait);
            logical(&with_token(again, token).send().await?)
        }
        _ => Ok(words),
    }
}

fn ending(life: &TokenWords, expires: Option<Timestamp>) -> Option<Note> {
    let at = expires?;
    let soon = at.since(clock::now()) < ENDS_SOON_MS;
    // A renewable one is renewed at half time; it is in danger once that has failed for long.
    let failing = life.ttl.saturating_mul(4) < life.creation_ttl;
    (soon && (!life.renewable || failing)).then_some(Note::CredentialExpires { at })
}

/// The capability table from what exists and what is allowed (`None`: could not be asked).
fn judge(absent: &[Verb], allowed: Option<&BTreeMap<String, Vec<String>>>) -> Rights {
    let mut rights = Rights {
        told: allowed.is_some(),
        ..Rights::default()
    };
    for verb in Verb::USUAL {
        let need = NEEDS.iter().find(|need| need.verb == Some(verb));
        let lacks = need.and_then(|need| lacking(need, allowed?));
        let exists = !absent.contains(&verb);
        let note = match (exists, lacks) {
            (false, _) => Some("This version does not have non-voting members.".to_owned()),
            (true, Some(right)) => {
                let path = need.map_or("", |need| need.path);
                Some(format!("The console's token lacks `{right}` on {path}."))
            }
            (true, None) if verb == Verb::Transfer => {
                Some("The leader steps down; who leads next is up to the cluster.".to_owned())
            }
            (true, None) => None,
        };
        rights.capabilities.push(Capability {
            action: verb,
            supported: exists && lacks.is_none(),
            note,
            target: verb != Verb::Transfer,
        });
    }
    for need in &NEEDS {
        let exists = need.verb.is_none_or(|verb| !absent.contains(&verb));
        if let Some(right) = allowed.and_then(|allowed| lacking(need, allowed))
            && exists
        {
            rights.missing.push((need.path, right));
            let what = format!("{right} on {}", need.path);
            rights.notes.push(Note::MissingPermission { what });
        }
    }
    rights
}

/// The first right that `need` takes and the token does not have.
fn lacking(need: &Need, allowed: &BTreeMap<String, Vec<String>>) -> Option<&'static str> {
    let has: &[String] = allowed.get(need.path).map_or(&[], Vec::as_slice);
    if has.iter().any(|right| right == "root") {
        return None;
    }
    need.rights
        .iter()
        .copied()
        .find(|right| !has.iter().any(|held| held == right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rows: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let words = |rights: &[&str]| rights.iter().map(|right| (*right).to_owned()).collect();
        rows.iter()
            .map(|(path, rights)| ((*path).to_owned(), words(rights)))
            .collect()
    }

    #[test]
    fn step_down_takes_sudo_beside_update() {
        let allowed = allowed(&[("sys/step-down", &["update"])]);
        let rights = judge(&[], Some(&allowed));
        let transfer = rights
            .capabilities
            .iter()
            .find(|each| each.action == Verb::Transfer);
        assert_eq!(transfer.map(|each| each.supported), Some(false));
        assert!(rights.missing.contains(&("sys/step-down", "sudo")));
    }

    #[test]
    fn a_root_token_lacks_nothing() {
        let paths: Vec<(&str, &[&str])> = NEEDS
            .iter()
            .map(|need| (need.path, &["root"][..]))
            .collect();
        let rights = judge(&[], Some(&allowed(&paths)));
        assert!(rights.capabilities.iter().all(|each| each.supported));
        assert_eq!(rights.notes, []);
    }

    #[test]
    fn without_promote_there_is_no_learner_to_add_either() {
        let rights = judge(&[Verb::Promote, Verb::Demote, Verb::AddLearner], None);
        let supported: Vec<Verb> = rights
            .capabilities
            .iter()
            .filter(|each| each.supported)
            .map(|each| each.action)
            .collect();
        assert_eq!(supported, [Verb::Remove, Verb::Transfer, Verb::Snapshot]);
    }
}
