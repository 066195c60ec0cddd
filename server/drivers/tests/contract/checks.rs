//! The checks. Each takes a driver and what is true of its cluster.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use quorate_domain::{
    action::{Action, Verb},
    capability,
    cluster::{Kind, MemberId, Role},
    lag,
    observation::{Answer, NodeReport, Observation},
    plan::Step,
};
use quorate_drivers::{Applied, Driver, SnapshotPlace};

pub const DEADLINE: Duration = Duration::from_secs(2);

/// What is true of a cluster, whoever looks at it.
pub struct Truth {
    pub voters: Vec<&'static str>,
    pub learners: Vec<&'static str>,
    pub leader: String,
}

impl Truth {
    pub fn of_four(leader: &str) -> Self {
        Self {
            voters: vec!["n1", "n2", "n3"],
            learners: vec!["n4"],
            leader: leader.to_owned(),
        }
    }
}

pub fn claims(seen: &Observation) -> Vec<&str> {
    let claims = |node: &&NodeReport| {
        node.says
            .as_ref()
            .is_some_and(|says| says.claims_leadership)
    };
    seen.nodes
        .iter()
        .filter(claims)
        .map(|node| node.id.as_str())
        .collect()
}

pub fn report<'a>(seen: &'a Observation, id: &str) -> &'a NodeReport {
    seen.nodes
        .iter()
        .find(|node| node.id.as_str() == id)
        .unwrap_or_else(|| {
            panic!("{id} is not reported: {:#?}", seen.nodes);
        })
}

pub fn role(seen: &Observation, id: &str) -> Option<Role> {
    let member = seen.membership.as_ref()?.member(&MemberId::from(id))?;
    Some(member.role)
}

/// A look at a cluster where nothing is wrong tells all of it, and nothing else.
pub async fn a_healthy_cluster_is_told_as_it_is(driver: &Arc<dyn Driver>, truth: &Truth) {
    let first = driver.observe(DEADLINE).await;
    let seen = driver.observe(DEADLINE).await;
    let membership = seen.membership.as_ref().expect("a membership");
    assert!(!seen.membership_remembered);
    let of = |role: Role| -> Vec<&str> {
        let with = membership
            .members
            .iter()
            .filter(|member| member.role == role);
        with.map(|member| member.id.as_str()).collect()
    };
    assert_eq!(of(Role::Voter), truth.voters);
    assert_eq!(of(Role::Learner), truth.learners);
    assert_eq!(membership.configs.len(), 1);
    assert_eq!(
        first.membership.as_ref().map(|it| &it.revision),
        Some(&membership.revision)
    );
    assert_eq!(claims(&seen), [truth.leader.as_str()]);
    for member in &membership.members {
        let node = report(&seen, member.id.as_str());
        assert_eq!(node.answer, Answer::Answered, "{}", node.id);
        let says = node.says.as_ref().expect("words of its own");
        assert_eq!(
            says.names_leader.as_ref().unwrap().as_str(),
            truth.leader,
            "{}",
            node.id
        );
        assert_eq!(
            says.voter_by_own_account,
            Some(member.role.votes()),
            "{}",
            node.id
        );
        // Some programs tell who the members are at voters only.
        let untold = says.revision.is_none() && !member.role.votes();
        assert!(
            untold || says.revision.as_ref() == Some(&membership.revision),
            "{}",
            node.id
        );
        // OpenZiti tells how far a member is by one figure.
        let stored = says.last_index.is_some() || seen.kind == Kind::Openziti;
        assert!(says.applied_index.is_some() && stored, "{}", node.id);
        assert!(
            node.asked.is_some() && node.at <= seen.taken_at,
            "{}",
            node.id
        );
        assert_eq!(member.wanted_role, None, "{}", node.id);
    }
    assert_eq!(seen.nodes.len(), membership.members.len());
    // raftadmin tells no version of anything.
    assert!(seen.version.is_some() || seen.kind == Kind::Raftadmin);
    for verb in Verb::USUAL {
        let found = capability::of(&seen.capabilities, verb).expect("every verb is spoken of");
        assert!(
            found.supported || found.note.is_some(),
            "{verb:?} is refused without a word"
        );
    }
}

/// How long a busy machine is given.
const PATIENCE: Duration = Duration::from_secs(60);

/// However a member fails, a look ends in time and tells the rest. On a busy machine the others
/// may be late as well, once; not every time.
pub async fn a_failed_member_costs_its_own_answer_only(driver: &Arc<dyn Driver>, failed: &str) {
    let began = Instant::now();
    while let Err(wrong) = costs_its_own_answer_only(driver, failed).await {
        assert!(began.elapsed() < PATIENCE, "{wrong}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn costs_its_own_answer_only(driver: &Arc<dyn Driver>, failed: &str) -> Result<(), String> {
    let start = Instant::now();
    let seen = driver.observe(DEADLINE).await;
    let took = start.elapsed();
    let node = report(&seen, failed);
    let others: Vec<&NodeReport> = seen
        .nodes
        .iter()
        .filter(|node| node.id.as_str() != failed)
        .collect();
    let listed = seen
        .membership
        .as_ref()
        .is_some_and(|it| it.member(&MemberId::from(failed)).is_some());
    let holds = took < DEADLINE + Duration::from_millis(500)
        && matches!(node.answer, Answer::Silent(_))
        && node.says.is_none()
        && !others.is_empty()
        && others.iter().all(|node| node.answer == Answer::Answered)
        && listed;
    if holds {
        Ok(())
    } else {
        Err(format!("after {took:?}: {seen:#?}"))
    }
}

/// Refusals that time alone may cure, on a machine so busy that heartbeats and elections are
/// late. Nothing was changed by any of them.
const PASSING: [&str; 9] = [
    "no-quorum",
    "no-leader",
    "not-leader",
    "change-in-progress",
    "revision-moved",
    "just-started",
    "newcomer-silent",
    "not-heard",
    "not-level",
];

/// Asks for a change, decided on each fresh look, until it is taken.
pub async fn accepted_of(
    driver: &Arc<dyn Driver>,
    action: Action,
    dir: &Path,
) -> quorate_drivers::Receipt {
    let began = Instant::now();
    loop {
        match apply(driver, action.clone(), dir).await {
            Applied::Accepted(receipt) => return receipt,
            Applied::Refused { code, .. }
                if began.elapsed() < PATIENCE
                    && (PASSING.contains(&code.as_str()) || code == "majority-at-risk") => {}
            other => panic!("{action:?}: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Asks for a change that has to be refused for this reason.
pub async fn refused_as(driver: &Arc<dyn Driver>, action: Action, dir: &Path, reason: &str) {
    let began = Instant::now();
    loop {
        match apply(driver, action.clone(), dir).await {
            Applied::Refused { code, .. } if code == reason => return,
            Applied::Refused { code, .. }
                if began.elapsed() < PATIENCE && PASSING.contains(&code.as_str()) => {}
            other => panic!("{action:?}: {other:?} instead of {reason}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sends one step as it is decided on a fresh look.
pub async fn apply(driver: &Arc<dyn Driver>, action: Action, dir: &Path) -> Applied {
    let seen = seen_when(driver, "somebody tells the members", 30, |seen| {
        seen.membership.is_some()
    })
    .await;
    let leader = claims(&seen).first().map(|id| MemberId::from(*id));
    let revision = seen.membership.expect("a membership").revision;
    let step = Step {
        action,
        revision,
        leader,
        address: None,
    };
    driver
        .apply(
            &step,
            &SnapshotPlace {
                file: dir.join("taken.snap"),
            },
        )
        .await
}

/// Looks until `holds`, every 50 ms.
pub async fn seen_when(
    driver: &Arc<dyn Driver>,
    what: &str,
    seconds: u64,
    holds: impl Fn(&Observation) -> bool,
) -> Observation {
    let start = Instant::now();
    loop {
        let seen = driver.observe(DEADLINE).await;
        if holds(&seen) {
            return seen;
        }
        assert!(
            start.elapsed() < Duration::from_secs(seconds),
            "in vain: {what}: {seen:#?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All six verbs, each confirmed by looking, where the newcomer runs already and is called n5.
pub async fn all_verbs_do_what_they_say(driver: &Arc<dyn Driver>, newcomer: &str, dir: &Path) {
    let id = supported_verbs_do_what_they_say(driver, newcomer, dir, async |_| {}).await;
    assert_eq!(id.as_str(), "n5");
}

/// Every verb the program has, each confirmed by looking. `start` does what is to be done by hand
/// once the newcomer is added. Returns the newcomer's id.
pub async fn supported_verbs_do_what_they_say(
    driver: &Arc<dyn Driver>,
    newcomer: &str,
    dir: &Path,
    start: impl AsyncFnOnce(&MemberId),
) -> MemberId {
    let add = Action::AddLearner {
        address: newcomer.to_owned(),
        member: None,
    };
    let receipt = accepted_of(driver, add, dir).await;
    let id = receipt.member.expect("the newcomer's id");
    start(&id).await;
    seen_when(driver, "the newcomer is a learner and level", 30, |seen| {
        role(seen, id.as_str()) == Some(Role::Learner)
            && report(seen, id.as_str()).answered()
            && lag::lag(seen, &id).is_some_and(|(lag, _)| lag < 10)
    })
    .await;

    accepted_of(driver, Action::Promote { member: id.clone() }, dir).await;
    seen_when(driver, "it votes", 60, |seen| {
        role(seen, id.as_str()) == Some(Role::Voter)
    })
    .await;

    let seen = driver.observe(DEADLINE).await;
    let before = claims(&seen).first().map(|id| (*id).to_owned()).unwrap();
    let chosen = capability::of(&seen.capabilities, Verb::Transfer).is_some_and(|it| it.target);
    let target = chosen.then(|| id.clone());
    let moved = apply(driver, Action::Transfer { member: target }, dir).await;
    assert!(matches!(moved, Applied::Accepted(_)), "{moved:?}");
    let seen = seen_when(
        driver,
        "another leads",
        30,
        |seen| matches!(claims(seen)[..], [leader] if leader != before),
    )
    .await;
    if chosen {
        assert_eq!(claims(&seen), [id.as_str()]);
    }

    // The newcomer if it does not lead, else a voter that neither leads nor did before.
    let members = &seen.membership.as_ref().expect("a membership").members;
    let others = members
        .iter()
        .filter(|member| member.role == Role::Voter && member.id.as_str() != before)
        .map(|member| &member.id);
    let victim = [&id]
        .into_iter()
        .chain(others)
        .find(|id| !claims(&seen).contains(&id.as_str()))
        .expect("a voter that does not lead")
        .clone();
    if capability::of(&seen.capabilities, Verb::Demote).is_some_and(|it| it.supported) {
        let member = victim.clone();
        let demoted = apply(driver, Action::Demote { member }, dir).await;
        assert!(matches!(demoted, Applied::Accepted(_)), "{demoted:?}");
        seen_when(driver, "it votes no more", 60, |seen| {
            role(seen, victim.as_str()) == Some(Role::Learner)
        })
        .await;
    }

    let member = victim.clone();
    let removed = apply(driver, Action::Remove { member }, dir).await;
    assert!(matches!(removed, Applied::Accepted(_)), "{removed:?}");
    seen_when(driver, "it is gone", 30, |seen| {
        seen.membership.is_some() && role(seen, victim.as_str()).is_none()
    })
    .await;

    let taken = apply(driver, Action::Snapshot, dir).await;
    let Applied::Accepted(receipt) = taken else {
        panic!("{taken:?}")
    };
    let snapshot = receipt.snapshot.expect("a snapshot's receipt");
    assert!(snapshot.index.is_some());
    if seen.kind == Kind::Openziti {
        // It stays where it was made.
        assert!(snapshot.file.is_none() && snapshot.member.is_some());
        return id;
    }
    assert!(snapshot.sha256.is_some());
    let written = std::fs::metadata(snapshot.file.expect("a file"))
        .unwrap()
        .len();
    assert_eq!(snapshot.bytes, Some(written));
    id
}

/// What the backend certainly refuses is told as refused, with a code.
pub async fn an_unknown_member_is_refused(driver: &Arc<dyn Driver>, dir: &Path) {
    let promote = Action::Promote {
        member: "nobody".into(),
    };
    refused_as(driver, promote, dir, "member-unknown").await;
}
