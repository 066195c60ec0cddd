//! `quorate check`: can every seed be reached, is it trusted, does it let us in, is it an agent.

use futures::future::join_all;
use url::Url;

use super::{
    Agent,
    answers::Identity,
    answers::View,
    ask::{GROUP, at, identity, with_token},
    bulk::bulk,
};
use crate::{
    Diagnosis,
    diagnosis::{fine, problem},
    http::{Wire, address_of, plain_http},
};

pub(super) async fn diagnose(agent: &Agent) -> Vec<Diagnosis> {
    let seeds: Vec<Url> = agent.book().seeds().to_vec();
    let asked = join_all(seeds.iter().map(|seed| ask(agent, seed))).await;
    let mut lines: Vec<Diagnosis> = seeds
        .iter()
        .zip(&asked)
        .flat_map(|(seed, found)| lines(seed, found))
        .collect();
    lines.extend(two_clusters(&seeds, &asked));
    if seeds.is_empty() {
        lines.push(problem(
            "no-seeds",
            "No address is configured.".to_owned(),
            "Give `seeds`.",
        ));
    }
    lines
}

/// Who answers, and its view of its one group; a program of many need have none of that name.
type Found = Result<(Identity, Option<View>), Wire>;

async fn ask(agent: &Agent, seed: &Url) -> Found {
    let (token, wait) = (
        agent.connection.token.as_ref(),
        agent.connection.status_timeout,
    );
    let identity = identity(&agent.client, token, seed, wait).await?;
    let call = agent
        .client
        .get(&at(seed, &format!("groups/{GROUP}")))
        .within(wait);
    match with_token(call, token).json().await {
        Ok(view) => Ok((identity, Some(view))),
        Err(Wire::Status { status: 404, .. }) => {
            bulk(&agent.client, token, seed, None, wait).await?;
            Ok((identity, None))
        }
        Err(why) => Err(why),
    }
}

fn lines(seed: &Url, found: &Found) -> Vec<Diagnosis> {
    let address = address_of(seed);
    let mut lines = Vec::new();
    match found {
        Ok((identity, view)) => {
            let program = identity
                .program
                .as_deref()
                .unwrap_or(&identity.implementation);
            let text = format!("{address} answers as {} of {program}.", identity.member);
            lines.push(fine("reached", text));
            lines.extend(missing_right(&address, identity));
            lines.extend(view.as_ref().and_then(|view| state(&address, view)));
        }
        Err(Wire::Status { status: 404, .. }) => lines.push(problem(
            "not-an-agent",
            format!("{address} answers, and is no agent."),
            "Check the port: the agent may listen on another one than the program.",
        )),
        Err(why) => lines.push(problem(
            why.code(),
            format!("{address}: {why}."),
            why.hint(),
        )),
    }
    if plain_http(seed).is_some() {
        let text = format!("{address} is reached by plain HTTP beyond this machine.");
        lines.push(problem(
            "plain-http",
            text,
            "Use https://; the token travels in the clear.",
        ));
    }
    lines
}

fn missing_right(address: &str, identity: &Identity) -> Option<Diagnosis> {
    let may = identity.rights.iter().any(|right| right == "change");
    let text = format!("{address} lets us look, not change.");
    (!may).then(|| {
        problem(
            "missing-right",
            text,
            "Configure a token that the agent lets change.",
        )
    })
}

fn state(address: &str, view: &View) -> Option<Diagnosis> {
    if let Some(fault) = &view.fault {
        let text = format!("{address} answers, and cannot go on: {fault}.");
        return Some(problem(
            "member-fault",
            text,
            "See the log of the node; restart its process.",
        ));
    }
    let text = format!("{address} runs and belongs to no cluster.");
    view.outside()
        .then(|| problem("outside", text, "Give the address of a member."))
}

fn two_clusters(seeds: &[Url], found: &[Found]) -> Option<Diagnosis> {
    let mut ids = seeds
        .iter()
        .zip(found)
        .filter_map(|(seed, found)| Some((seed, found.as_ref().ok()?.0.cluster_id.clone()?)));
    let (first, id) = ids.next()?;
    let (other, _) = ids.find(|(_, other)| *other != id)?;
    let text = format!(
        "{} and {} belong to different clusters.",
        address_of(first),
        address_of(other)
    );
    Some(problem(
        "two-clusters",
        text,
        "Register each cluster under a name of its own.",
    ))
}
